"""A rule that is crossed is an incident: it opens once, is told once, and may open again only after it has closed.

It closes when nothing of it was found for a whole window: a value that trembles about its limit is one incident.
"""

from __future__ import annotations

from agentctl.core import clock
from agentctl.core.alerts import Baseline, Rule
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Incident:
    """As the store keeps it. Moments are seconds since the epoch; 0: not yet."""

    number: int
    rule: Rule
    subject: str
    rehearsed: bool
    value: float
    """As it was found last."""
    limit: float
    baseline: Baseline | None
    run_id: str
    opened: float
    seen: float
    """When it was found last."""
    closed: float = 0.0
    told: float = 0.0
    """When somebody received a message of it."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is about: at most one of these is open at a time, and one for rehearsals."""
        return self.rule, self.subject


def over(seen: float, now: float, hold_s: float) -> bool:
    """Whether an incident that is not found any more is over; so is one that a clock saw which was set back since."""
    return now - seen >= hold_s or not clock.past(seen, now)
