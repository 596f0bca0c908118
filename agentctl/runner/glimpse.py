"""A reply while it is being written, left where other terminals can see it; only while somebody looks there.

Whoever listens to the run hears everything as before. Whether anybody watches is asked at most every `EVERY_S`, and
only while a reply streams in: a run that nobody watches, or that answers at once, pays nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agentctl.core import events as e
from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State
from agentctl.errors import AgentctlError
from agentctl.journal import onlookers
from agentctl.journal.store import Store
from agentctl.runner.order import Listener, Progress

EVERY_S = 0.25


class Glimpse:
    """A listener before a listener."""

    def __init__(
        self, listener: Listener, journal: Store, run_id: str, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._listener, self._journal, self._run_id, self._timer = listener, journal, run_id, timer
        self._text = ""
        self._looked = timer()
        self._left = False
        """Something stands there that is to be taken away."""

    def event(self, stamped: Stamped, state: State) -> None:
        """A reply that is an event is no longer being written."""
        if isinstance(stamped.event, e.ModelAsked | e.ModelReplied | e.ModelFailed | e.Completed):
            self._text, self._looked = "", self._timer()
            if self._left:
                self._left = False
                self._leave("")
        self._listener.event(stamped, state)

    def delta(self, delta: Delta) -> None:
        """The next piece."""
        if delta.kind == "text":
            self._text = (self._text + delta.text)[-onlookers.LONGEST :]
        if self._timer() - self._looked >= EVERY_S:
            self._looked = self._timer()
            if self._watched():
                self._left = True
                self._leave(self._text)
        self._listener.delta(delta)

    def progress(self, at: Progress) -> None:
        """As it is."""
        self._listener.progress(at)

    def note(self, text: str) -> None:
        """As it is."""
        self._listener.note(text)

    def _watched(self) -> bool:
        try:
            return self._journal.read(lambda tx: onlookers.watched(tx, self._run_id, self._journal.clock()))
        except AgentctlError:  # what it writes next will say so; this is only for eyes
            return False

    def _leave(self, text: str) -> None:
        now = self._journal.clock()
        self._journal.post(lambda tx: onlookers.write(tx, self._run_id, text, now), run_id=self._run_id)
