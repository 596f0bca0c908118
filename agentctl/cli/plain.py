"""Listeners for where nobody watches a screen: plain lines for logs, JSON lines for programs."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

from agentctl.cli.telling import Telling, one, progressed
from agentctl.core.events import Stamped, ToolFinished
from agentctl.core.messages import Delta
from agentctl.core.state import State
from agentctl.runner.order import Progress

EVERY_S = 5.0
"""Between two lines on the progress of one call."""


class Plain:
    """One line on stderr for each event that matters; no colour, no drawing."""

    shown = ""
    """What of the answer is on the screen already: nothing."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._telling = Telling()
        self._clock = clock
        self._told: dict[str, float] = {}
        """When the progress of a call in flight was last told."""

    def event(self, stamped: Stamped, state: State) -> None:  # noqa: ARG002 -- the protocol's
        """Tell it."""
        if isinstance(stamped.event, ToolFinished):
            self._told.pop(stamped.event.call_id, None)
        line = self._telling.line(stamped.event)
        if line is not None:
            self.note(line.text)

    def delta(self, delta: Delta) -> None:
        """Pieces are for eyes."""

    def progress(self, at: Progress) -> None:
        """Tell it now and then, while the call runs."""
        now = self._clock()
        if at.call_id in self._telling.tiers and now - self._told.get(at.call_id, -EVERY_S) >= EVERY_S:
            self._told[at.call_id] = now
            self.note(f"  {progressed(at)}")

    def note(self, text: str) -> None:
        """Tell it."""
        # Whoever read it may be gone; the run goes on.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{one(text)}\n")
            sys.stderr.flush()


class Lines(Plain):
    """Every event as a JSON line on stdout; the last one is always `complete`."""

    failed: OSError | None = None
    """Why lines are missing, where somebody would still have read them."""

    def event(self, stamped: Stamped, state: State) -> None:  # noqa: ARG002 -- the protocol's
        """Print it at once."""
        from agentctl.cli.events import line

        try:
            line(stamped)
        except BrokenPipeError:
            pass
        except OSError as error:
            self.failed = error
        except ValueError:  # it is closed
            pass

    def progress(self, at: Progress) -> None:
        """It is no event."""
