"""Going back in a run: where it stood after any of its events, without folding all of it for every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agentctl.core import gauges, summary, timeline
from agentctl.core.events import ModelFailed, ModelReplied, Stamped
from agentctl.core.gauges import Gauge
from agentctl.core.policy import Policy
from agentctl.core.replaying import Frame, frames
from agentctl.core.state import State, apply
from agentctl.core.summary import Summary
from agentctl.core.timeline import Row
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


class Travel:
    """The moments of the events that were recorded when it was made. Memory: a state for each STRIDE events."""

    def __init__(self, events: Sequence[Stamped], policy: Policy | None) -> None:
        self._events, self._policy = events, policy
        self._frames = tuple(frames(events, policy))
        self._kept: list[tuple[State, Summary]] = [(State(), Summary())]

    def __len__(self) -> int:
        """So many moments, from 1 on."""
        return len(self._events)

    def at(self, count: int) -> Moment:
        """The moment after so many events; the nearest that there is."""
        count = max(1, min(len(self._events), count))
        state, totals = self._state(count)
        seen = self._events[:count]
        return Moment(
            count,
            len(self._events),
            self._frames[count - 1],
            gauges.gauges(self._policy, state, totals, seen[-1].ts),
            timeline.rows(seen, live=count < len(self._events)),
            spends(seen),
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

    def _state(self, count: int) -> tuple[State, Summary]:
        while len(self._kept) <= count // STRIDE:
            start = (len(self._kept) - 1) * STRIDE
            self._kept.append(self._folded(self._kept[-1], self._events[start : start + STRIDE]))
        start = count // STRIDE * STRIDE
        return self._folded(self._kept[count // STRIDE], self._events[start:count])

    def _folded(self, kept: tuple[State, Summary], events: Sequence[Stamped]) -> tuple[State, Summary]:
        state, totals = kept
        for stamped in events:
            state, totals = apply(state, stamped), summary.apply(totals, stamped.event)
        return state, totals


def spends(events: Sequence[Stamped]) -> tuple[float, ...]:
    """Dollars of each answer of a model, in order; of failures, those that were billed."""
    billed = (at.event for at in events if isinstance(at.event, ModelReplied | ModelFailed))
    return tuple(each.cost_micro / 1e6 for each in billed if each.cost_micro)
