"""Where a run can be forked, and what it had done by then that a fork may do again.

A safe point is the end of an event after which nothing is under way: no model call without its outcome, no tool call
that was started and has no final answer, no answer that would end the fork at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentctl.core.events import Forked, Stamped, ToolStarted
from agentctl.core.state import State, apply


def is_safe(state: State) -> bool:
    """Whether a run can be gone on with from here as another run."""
    inflight = state.inflight
    if not state.seq or inflight.asked is not None or any(call.attempts for call in inflight.open_calls):
        return False
    last = inflight.last
    return last is None or bool(last.calls) or last.purpose != "answer" or last.stop_reason == "pause"


def safe_points(events: Iterable[Stamped]) -> tuple[int, ...]:
    """The seqs after which the run can be forked, ascending. Empty only where there is no event."""
    found: list[int] = []
    state = State()
    for stamped in events:
        state = apply(state, stamped)
        if is_safe(state):
            found.append(stamped.seq)
    return tuple(found)


def around(points: Sequence[int], at: int) -> tuple[int | None, int | None]:
    """The nearest of them before and after a seq that is none."""
    before = [point for point in points if point < at]
    after = [point for point in points if point > at]
    return (before[-1] if before else None), (after[0] if after else None)


def effects_after(events: Iterable[Stamped], at: int) -> tuple[str, ...]:
    """The tools with effects that the run started after a seq: a fork decides about such calls anew, for itself."""
    started = (stamped.event for stamped in events if stamped.seq > at)
    return tuple(dict.fromkeys(each.tool for each in started if isinstance(each, ToolStarted) and each.effect))


def own_from(events: Iterable[Stamped]) -> int:
    """The first seq of a run that is its own: those before were copied. 1: it is no fork."""
    return max((stamped.seq for stamped in events if isinstance(stamped.event, Forked)), default=1)


def masked_until(events: Iterable[Stamped]) -> int:
    """The seq up to which originals may be missing, since they had been destroyed when the run was forked; 0: none."""
    forks = (stamped for stamped in events if isinstance(stamped.event, Forked) and stamped.event.gone)
    return max((stamped.seq for stamped in forks), default=0)


def last_fork(events: Iterable[Stamped]) -> Forked | None:
    """How the run came to be, where it is a fork."""
    forks = [stamped.event for stamped in events if isinstance(stamped.event, Forked)]
    return forks[-1] if forks else None
