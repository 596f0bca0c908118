"""One model call before it is made: asked of the shared books, waited for, refused. Whatever they say is recorded.

A wait is cut short by a signal, by what another terminal wants of the run, and by a limit that is reached meanwhile:
then nothing is asked, and the core decides anew. Where the clock is set back during it, the place in the queue goes
back with it: a wait is as long as it is, and who comes later stays behind.
"""

from __future__ import annotations

import asyncio

from agentctl.core import decisions as do
from agentctl.core.clock import past
from agentctl.core.decide import next_action
from agentctl.core.events import BudgetCounted, CircuitMoved, ModelAsked, Waited
from agentctl.core.guards import budget
from agentctl.core.policy import Provider
from agentctl.journal.admission import Granted, Open
from agentctl.journal.ledger import Refused
from agentctl.journal.pace import TooLong, Wait
from agentctl.runner import recaps
from agentctl.runner.books import window
from agentctl.runner.wishes import wished
from agentctl.runner.world import World

NAP_S = 1.0
"""Between two looks at a minute that is full."""


async def admitted(world: World, action: do.AskModel, provider: Provider) -> tuple[str, bool] | None:
    """The hold of the call, which is on the disk with its intent, and whether it probes a circuit; None: not now."""
    timer = asyncio.get_running_loop().time
    since, waits = world.clock(), False  # from before the first asking: two must never each be behind the other
    began = timer()
    while True:
        came = world.clock() - (timer() - began)
        since = since if past(since, came) else came
        hold = f"{world.recorder.identity.run_id}:{world.state.seq + 1}"
        limit = budget.cap_micro(world.setup.policy.budget, world.state.budget)
        request = world.books.request(action, provider, hold, since, limit)
        answer = await world.recorder.reserve(_asked(world, action, provider), request)
        if isinstance(answer, Granted):
            _told(world, provider, probe=answer.probe)
            return hold, answer.probe
        if not isinstance(answer, Wait):
            _refused(world, action, provider, answer)
            return None
        if not waits:
            waits = True
            world.recorder.record(Waited(window(answer.demand.scope), round(answer.seconds, 1), provider=provider.name))
        if not await _napped(world, action, min(NAP_S, answer.seconds)):
            return None


def _asked(world: World, action: do.AskModel, provider: Provider) -> ModelAsked:
    return ModelAsked(
        provider.name,
        provider.identity,
        provider.model,
        action.attempt,
        action.purpose,
        action.estimated_tokens,
        action.max_output_tokens,
        action.reserve_micro,
        world.position(),
        upto=action.upto,
    )


def _told(world: World, provider: Provider, *, probe: bool) -> None:
    """What the run believed of the circuit may be over."""
    if probe:
        world.recorder.record(CircuitMoved(provider.name, "open", "half_open"))
    elif provider.name in world.state.circuit.open:
        world.recorder.record(CircuitMoved(provider.name, "open", "closed"))


async def _napped(world: World, action: do.AskModel, seconds: float) -> bool:
    """Whether the call is still wanted after a moment."""
    try:
        await world.recorder.flush()
        await world.interrupt.guard(lambda: asyncio.sleep(seconds))
    except BaseException:  # whatever ends the wait, others may have the place
        world.recorder.leave()
        raise
    now = next_action(world.setup, world.state, world.clock(), 0.0)
    same = isinstance(now, do.AskModel) and (now.provider, now.purpose) == (action.provider, action.purpose)
    if same and not wished(world):
        return True
    world.recorder.leave()
    return False


def _refused(world: World, action: do.AskModel, provider: Provider, answer: Open | TooLong | Refused) -> None:
    """What the books said, as a fact: the core decides what follows from it."""
    record = world.recorder.record
    if action.purpose == "summary" and not isinstance(answer, Open):
        recaps.refused(world, answer)
        return
    match answer:
        case Refused(scope=scope):
            key = window(scope.key)
            whole = answer.cap if key == "run_usd" or scope.limit is None else scope.limit
            used, limit = (answer.spent + answer.held) / 1e6, whole / 1e6
            room = (answer.cap - answer.spent - answer.held) / 1e6
            record(BudgetCounted(key, used, limit, "refused", room))
        case Open(until=until):
            was = "open" if provider.name in world.state.circuit.open else "closed"
            record(CircuitMoved(provider.name, was, "open", until))
        case TooLong(demand=demand, seconds=seconds):
            record(Waited(window(demand.scope), round(seconds, 1), refused=True, provider=provider.name))
