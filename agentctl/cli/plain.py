"""Listeners for where nobody watches a screen: plain lines for logs, JSON lines for programs."""

from __future__ import annotations

import contextlib
import sys

from agentctl.cli.telling import Telling, one
from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State


class Plain:
    """One line on stderr for each event that matters; no colour, no drawing."""

    shown = ""
    """What of the answer is on the screen already: nothing."""

    def __init__(self) -> None:
        self._telling = Telling()

    def event(self, stamped: Stamped, state: State) -> None:  # noqa: ARG002 -- the protocol's
        """Tell it."""
        line = self._telling.line(stamped.event)
        if line is not None:
            self.note(line.text)

    def delta(self, delta: Delta) -> None:
        """Pieces are for eyes."""

    def note(self, text: str) -> None:
        """Tell it."""
        # Whoever read it may be gone; the run goes on.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{one(text)}\n")
            sys.stderr.flush()


class Lines(Plain):
    """Every event as a JSON line on stdout; the last one is always `complete`."""

    def event(self, stamped: Stamped, state: State) -> None:  # noqa: ARG002 -- the protocol's
        """Print it at once."""
        from agentctl.cli.events import line

        with contextlib.suppress(OSError, ValueError):
            line(stamped)
