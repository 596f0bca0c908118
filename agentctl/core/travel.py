"""Going back in a run: where it stood after any of its events, without folding all of it for every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agentctl.core import gauges, summary
from agentctl.core.events import ModelFailed, ModelReplied, Stamped
from agentctl.core.gauges import Gauge
from agentctl.core.policy import Policy
from agentctl.core.replaying import Frame, frames
from agentctl.core.state import State, apply
from agentctl.core.summary import Summary
from agentctl.core.timeline import Row, Trace
from agentctl.records import dataclass

STRIDE: Final = 128
"""Events between two states that are kept."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A run after its first `count` events."""

    count: int
    of: int
    frame: Frame
    """The last of them, in words."""
    gauges: tuple[Gauge, ...]
    rows: tuple[Row, ...]
    spends: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a run stood, to go on from."""

    state: State
    totals: Summary
    trace: Trace


class Travel:
    """The moments of the events that were recorded when it was made. Memory: a state for each STRIDE events."""

    def __init__(self, events: Sequence[Stamped], policy: Policy | None) -> None:
        self._events, self._policy = events, policy
        self._frames = tuple(frames(events, policy))
        self._kept = [Kept(State(), Summary(), Trace())]

    def __len__(self) -> int:
        """So many moments, from 1 on."""
        return len(self._events)

    def at(self, count: int) -> Moment:
        """The moment after so many events; the nearest that there is."""
        count = max(1, min(len(self._events), count))
        here = self._here(count)
        return Moment(
            count,
            len(self._events),
            self._frames[count - 1],
            gauges.gauges(self._policy, here.state, here.totals, self._events[count - 1].ts),
            here.trace.rows(live=count < len(self._events)),
            spends(self._events[:count]),
        )

    def step(self, count: int, by: int) -> int:
        """The last moment of the next step, or of the one before."""
        here = self._events[max(1, min(len(self._events), count)) - 1].step
        if by > 0:
            return next((at for at in range(count + 1, len(self._events) + 1) if self._ends(at, here)), len(self))
        return next((at for at in range(count - 1, 0, -1) if self._events[at - 1].step < here), 1)

    def _ends(self, at: int, here: int) -> bool:
        """Whether the step of this event is a later one, and over with it."""
        last = at == len(self._events) or self._events[at].step > self._events[at - 1].step
        return self._events[at - 1].step > here and last

    def _here(self, count: int) -> Kept:
        while len(self._kept) <= count // STRIDE:
            start = (len(self._kept) - 1) * STRIDE
            self._kept.append(_folded(self._kept[-1], self._events[start : start + STRIDE]))
        start = count // STRIDE * STRIDE
        return _folded(self._kept[count // STRIDE], self._events[start:count])


def _folded(kept: Kept, events: Sequence[Stamped]) -> Kept:
    state, totals, trace = kept.state, kept.totals, kept.trace.copy()
    for stamped in events:
        state, totals = apply(state, stamped), summary.apply(totals, stamped.event)
        trace.take(stamped)
    return Kept(state, totals, trace)


def spends(events: Sequence[Stamped]) -> tuple[float, ...]:
    """Dollars of each answer of a model, in order; of failures, those that were billed."""
    billed = (at.event for at in events if isinstance(at.event, ModelReplied | ModelFailed))
    return tuple(each.cost_micro / 1e6 for each in billed if each.cost_micro)
