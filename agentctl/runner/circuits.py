"""Circuits as a run meets them: what the store says of one becomes a fact of the run, how a call went is told back.

`name` is the run's word for a circuit, a provider's name or `tool:NAME`; the question has the store's.
"""

from __future__ import annotations

from agentctl.core.events import CircuitMoved
from agentctl.journal.circuits import Ask, Outcome
from agentctl.runner.world import World


def look(world: World, name: str, ask: Ask | None) -> bool:
    """Whether a circuit is closed; recorded where this run believed otherwise."""
    if ask is None:
        return True
    told, known = world.recorder.told(ask), world.state.circuit.open.get(name)
    if told.phase == "open" and told.until != known:
        world.recorder.record(CircuitMoved(name, "closed" if known is None else "open", "open", told.until))
    elif told.phase == "closed" and known is not None:
        world.recorder.record(CircuitMoved(name, "open", "closed"))
    return told.phase == "closed"


def refresh(world: World) -> None:
    """See again to the providers that this run believes to be left alone: somebody may have closed their circuits."""
    for provider in world.setup.policy.providers if world.state.circuit.open else ():
        if provider.name in world.state.circuit.open:
            look(world, provider.name, world.books.provider(provider, ""))


async def probing(world: World, name: str, ask: Ask | None) -> bool | None:
    """Whether the call that follows probes a half open circuit; None: it must not be made, others probe it."""
    if ask is None or world.recorder.told(ask).phase == "closed":
        return False
    told = await world.recorder.take(ask)
    if told.phase == "open":
        world.recorder.record(CircuitMoved(name, "open", "open", told.until))
        return None
    if told.phase == "half_open":
        world.recorder.record(CircuitMoved(name, "open", told.phase))
    return told.phase == "half_open"


def let_go(world: World, ask: Ask | None, asked_at: float) -> None:
    """A probe that was cut short says nothing, and gives its place back: written with what is recorded next."""
    if ask is not None:
        world.recorder.count(Outcome(ask.name, ask.rules, ask.owner, None, asked_at))


async def weigh(world: World, name: str, ask: Ask | None, *, ok: bool, asked_at: float, probe: bool) -> None:
    """Tell a circuit how a call went, and the run where that leaves it."""
    if ask is None:
        return
    outcome = Outcome(ask.name, ask.rules, ask.owner, ok, asked_at)
    if ok and not probe:
        world.recorder.count(outcome)
        return
    told = await world.recorder.weigh(outcome)
    was = "half_open" if probe else "open" if name in world.state.circuit.open else "closed"
    if told.phase != was:
        world.recorder.record(CircuitMoved(name, was, told.phase, told.until))
