"""What the monitor can't do by itself, as functions that whoever starts it gives it.

It drives nothing, and loads none of what drives.
"""

from __future__ import annotations

from collections.abc import Callable

from agentctl.errors import Forbidden
from agentctl.records import dataclass
from agentctl.tui.seen import Outage


def _nobody(_run_id: str) -> str:
    raise Forbidden("this screen only shows: nothing can be changed from here")


def _unknown() -> tuple[Outage, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Outside:
    """Each takes a run's id, may block, returns one line for the person, and raises AgentctlError."""

    outages: Callable[[], tuple[Outage, ...]] = _unknown
    """The circuits of the store, the open ones first."""
    pause: Callable[[str], str] = _nobody
    cancel: Callable[[str], str] = _nobody
    resume: Callable[[str], str] = _nobody
    """Goes on with a run here, in a process of its own."""
