"""Observability: of everything that was done to the runs, what has an event in the journal that names it. C13"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentctl.core.events import CacheSeen, CircuitMoved, ContextTrimmed, Event, LoopSeen, ModelFailed, ToolFinished
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Act, Client, Scene, Seen
from agentctl.runner.drills.figures.column import Column, finds, look
from agentctl.runner.drills.figures.recovery import Recovered

REPEATS, LOOPS = 6, 5
Names = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Sight:
    """How many incidents of a kind were injected, and named by an event."""

    kind: str
    injected: int
    named: int


def _refused(event: Event) -> bool:
    return isinstance(event, ModelFailed) and event.kind in {"rate_limit", "overloaded"}


def _overflowed(event: Event) -> bool:
    return isinstance(event, ContextTrimmed) or (isinstance(event, ModelFailed) and event.kind == "context")


NAMES: Mapping[str, Names] = {
    "bad arguments": lambda event: isinstance(event, ToolFinished) and event.code == "INVALID_ARGS",
    "context overflow": _overflowed,
    "429 and 529": _refused,
    "tool failures": lambda event: isinstance(event, ToolFinished) and event.status == "error",
}


async def measured(column: Column, faulty: list[Recovered], outage: Seen, long: Seen | None) -> list[Sight]:
    """Over the runs that were played for other figures, and some that go in circles."""
    named = [Sight(one.name, one.runs, _named(one.seen.clients, NAMES[one.name])) for one in faulty]
    opened = _named(outage.clients, lambda event: isinstance(event, CircuitMoved)) > 0
    named.append(Sight("outage", 1, int(opened)))
    if long is not None:
        hits = _named(long.clients, lambda event: isinstance(event, CacheSeen))
        named.append(Sight("cache hits", len(long.clients), hits))
    loops = await _loops(column)
    return named if loops is None else [*named, loops]


async def _loops(column: Column) -> Sight | None:
    """A model that makes the same call over and over."""
    target = column.ground.reader()
    if target is None or target.contract.pollable:
        return None
    script = column.ground.script(*[look(target, 0)] * REPEATS)
    tools = {target.name: finds}
    seen = await column.play(Scene((Act(script, tools, LOOPS, shared=False),)), "loops")
    return Sight("loops", LOOPS, _named(seen.clients, lambda event: isinstance(event, LoopSeen)))


def _named(clients: tuple[Client, ...], names: Names) -> int:
    return sum(_has(client, names) for client in clients)


def _has(client: Client, names: Names) -> bool:
    return any(names(stamped.event) for stamped in client.events)
