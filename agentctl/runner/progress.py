"""What a server says of a running call, on its way to whoever watches: scrubbed, its numbers made harmless."""

from __future__ import annotations

import math

from agentctl.core.guards.scrub import Filter
from agentctl.core.messages import Scrubbed
from agentctl.records import dataclass
from agentctl.runner.order import Listener, Progress

LONGEST = 4_000
"""Characters above which the words are left out: a secret that was cut would not be known for one."""


@dataclass(slots=True)
class Relay:
    """Passes progress on. Nothing is told before the run's filter is known."""

    listener: Listener
    scrub: Filter | None = None

    def __call__(self, call_id: str, tool: str, done: float, total: float | None, words: str) -> None:
        """Tell the listener. Never raises."""
        if self.scrub is None:
            return
        said = self.scrub.text(words) if len(words) <= LONGEST else Scrubbed("")
        self.listener.progress(Progress(call_id, tool, share(done, total), _count(done), said))


def share(done: float, total: float | None) -> float | None:
    """The part that is done, from 0 to 1; None where the numbers do not say."""
    count, whole = _count(done), _count(total)
    if count is None or not whole:
        return None
    return min(1.0, count / whole)


def _count(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) and number >= 0 else None
