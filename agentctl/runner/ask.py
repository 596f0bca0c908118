"""One model call: asked of the shared books, made, settled; and what it means for money, circuits and cache."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

from agentctl.core import decisions as do
from agentctl.core.events import (
    BudgetCounted,
    CallProposed,
    CircuitMoved,
    Decided,
    Degraded,
    FellBack,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Purpose,
    Thought,
    Waited,
)
from agentctl.core.guards import budget, circuit, loops
from agentctl.core.inflight import MOST_CALLS
from agentctl.core.messages import Block, Failure, Message, Outcome, Reply, Request, Text, Thinking, ToolUse
from agentctl.core.policy import Provider
from agentctl.journal.admission import Granted, Open, Wait
from agentctl.journal.failpoints import failpoint
from agentctl.journal.ledger import Refused
from agentctl.journal.pace import Booking, TooLong
from agentctl.runner import caching, originals
from agentctl.runner.books import window
from agentctl.runner.circuits import weigh
from agentctl.runner.streaming import Stream
from agentctl.runner.world import World

MOST_NAME = 128
"""Characters of a tool's name that nobody knows."""


async def ask(world: World, action: do.AskModel) -> None:
    """Make the request that the core decided on, if the shared books let it. Whatever comes of it is recorded."""
    provider = world.setup.provider(action.provider)
    if action.fell_from:
        world.recorder.record(FellBack(action.fell_from, action.provider, action.fell_why))
    asked = ModelAsked(
        provider.name,
        provider.identity,
        provider.model,
        action.attempt,
        action.purpose,
        action.estimated_tokens,
        action.max_output_tokens,
        action.reserve_micro,
        world.position(),
    )
    hold = f"{world.recorder.identity.run_id}:{world.state.run.seq + 1}"
    answer = await world.recorder.reserve(asked, world.books.request(action, provider, hold, _booked(world, provider)))
    if isinstance(answer, Granted):
        await _granted(world, provider, action, hold, probe=answer.probe)
    else:
        await _refused(world, provider, answer)


def _booked(world: World, provider: Provider) -> tuple[Booking, ...]:
    """The place in the minute that this call has waited for; another provider's is given back."""
    (name, booked), world.booked = world.booked, ("", ())
    if booked and name != provider.name:
        world.recorder.give_back(booked)
        return ()
    return booked


async def _refused(world: World, provider: Provider, answer: Open | TooLong | Wait | Refused) -> None:
    """What the books said, as a fact: the core decides what follows from it."""
    record = world.recorder.record
    match answer:
        case Refused():
            used, limit = (answer.spent + answer.held) / 1e6, answer.cap / 1e6
            record(BudgetCounted(window(answer.scope.key), used, limit, "refused"))
        case Open(until=until):
            was = "open" if provider.name in world.state.circuit.open else "closed"
            record(CircuitMoved(provider.name, was, "open", until))
        case TooLong(demand=demand, seconds=seconds):
            record(Waited(window(demand.scope), round(seconds, 1), refused=True))
        case Wait(booked=booked, until=until, scope=scope):
            seconds = max(0.0, until - world.clock())
            record(Waited(window(scope), round(seconds, 1)))
            await world.recorder.flush()
            try:
                await world.interrupt.guard(lambda: asyncio.sleep(seconds))
            except BaseException:  # whatever ends the wait, others may have the place
                world.recorder.give_back(booked)
                raise
            world.booked = (provider.name, booked)


async def _granted(world: World, provider: Provider, action: do.AskModel, hold: str, *, probe: bool) -> None:
    if action.chosen_why:
        world.recorder.record(Decided("before_model", "route", "choose", f"{provider.name}: {action.chosen_why}"))
    if probe:
        world.recorder.record(CircuitMoved(provider.name, "open", "half_open"))
    failpoint("after-model-intent")
    started = world.clock()
    if world.interrupt.code:
        world.recorder.settle(hold, _cut_short(provider, action, 0, 0))
        world.interrupt.check()
    try:
        outcome = await world.interrupt.guard(lambda: _send(world, provider, action))
    except BaseException:  # whatever cut it short, it may have been billed
        cut = _cut_short(provider, action, action.reserve_micro, _ms(world, started))
        world.recorder.settle(hold, cut)
        raise
    made = Made(provider, action, hold, started, _ms(world, started), probe)
    match outcome:
        case Reply():
            await _replied(world, made, outcome)
        case Failure():
            await _failed(world, made, outcome)
    world.recorder.post()  # what was paid for is on its way to the disk before anything else begins


@dataclass(frozen=True, slots=True)
class Made:
    """A request that was made."""

    provider: Provider
    action: do.AskModel
    hold: str
    started: float
    ms: int
    probe: bool


def _cut_short(provider: Provider, action: do.AskModel, billed: int, ms: int) -> ModelFailed:
    tokens = action.uncached_tokens + action.max_output_tokens if billed else 0
    return ModelFailed(
        provider.name, provider.identity, "cancelled", None, None, "cut short",
        action.attempt, action.purpose, billed, ms, tokens,
    )  # fmt: skip


async def _send(world: World, provider: Provider, action: do.AskModel) -> Outcome:
    request = Request(
        world.system,
        world.schemas,
        world.conversation.sync(world.state.transcript),
        action.max_output_tokens,
        use_tools=action.purpose != "landing",
    )

    stream = Stream(world.scrub, world.listener.delta)
    outcome = await world.open_model(provider).ask(request, stream.take)
    stream.end()
    return outcome


def _ms(world: World, started: float) -> int:
    return max(0, round((world.clock() - started) * 1000))


async def _failed(world: World, made: Made, failure: Failure) -> None:
    provider, action = made.provider, made.action
    event = ModelFailed(
        provider.name,
        provider.identity,
        failure.kind,
        failure.status,
        failure.retry_after_s,
        world.scrub.text(failure.message),
        action.attempt,
        action.purpose,
        _billed(world, provider, action, failure),
        made.ms,
        _used(action, failure),
    )
    world.recorder.settle(made.hold, event)
    if made.probe or circuit.faulty(failure.kind, failure.status):
        await _weigh(world, made, ok=False)


async def _weigh(world: World, made: Made, *, ok: bool) -> None:
    asked = world.books.provider(made.provider, made.hold)
    await weigh(world, made.provider.name, asked, ok=ok, asked_at=made.started, probe=made.probe)


def _billed(world: World, provider: Provider, action: do.AskModel, failure: Failure) -> int:
    """What is known; nothing for what was refused or never left; else the worst, until somebody knows better."""
    price = world.setup.prices.get(provider.name)
    if price is None:
        return 0
    if failure.usage is not None:
        return price.cost(failure.usage)
    return 0 if failure.refused or not failure.sent else action.reserve_micro


def _used(action: do.AskModel, failure: Failure) -> int:
    """The tokens that go with it."""
    if failure.usage is not None:
        return failure.usage.counted
    return 0 if failure.refused or not failure.sent else action.uncached_tokens + action.max_output_tokens


async def _replied(world: World, made: Made, reply: Reply) -> None:
    provider, action = made.provider, made.action
    calls = [block for block in reply.blocks if isinstance(block, ToolUse)]
    if len(calls) > MOST_CALLS:
        text = f"the reply asks for {len(calls)} tools at once, more than {MOST_CALLS}"
        await _failed(world, made, Failure("malformed", text, usage=reply.usage))
        return
    message = _own(world, provider, reply, action.purpose)
    uses = tuple(block for block in message.blocks if isinstance(block, ToolUse))
    for block in message.blocks:
        if isinstance(block, Thinking) and block.text:
            world.recorder.record(Thought(world.scrub.text(block.text)))
    price = world.setup.prices.get(provider.name)
    said = "".join(block.text for block in message.blocks if isinstance(block, Text))
    text = world.scrub.text(said)
    proposed = tuple(_propose(world, use) for use in uses)
    same = text == said and not message.raw and all(p.args == use.args for p, use in zip(proposed, uses, strict=True))
    plain = same and [type(block) for block in message.blocks] in (
        [Text],
        [ToolUse] * len(uses),
        [Text, *[ToolUse] * len(uses)],
    )
    event = ModelReplied(
        provider.name,
        provider.identity,
        reply.model,
        reply.usage,
        0 if price is None else price.cost(reply.usage),
        made.ms,
        reply.stop,
        text,
        proposed,
        action.purpose,
        reply.usage.output,
        "" if plain else world.recorder.seal(originals.of_message(message)),
        world.scrub.text(reply.refusal),
    )
    before = world.state.cache
    stamped = world.recorder.settle(made.hold, event)
    world.conversation.hold(stamped.seq, message)
    world.calls = {use.call_id: use for use in uses}
    world.answers = {}
    await _weigh(world, made, ok=True)
    _tell(world, provider)
    caching.tell(world, provider, before, reply, action.purpose)


def _own(world: World, provider: Provider, reply: Reply, purpose: Purpose) -> Message:
    """The reply as a message, its calls given ids of ours, and wire ids that are well-formed and new."""
    step = f"c{world.state.run.step + 1}" if purpose == "answer" else f"l{world.state.run.seq}"
    taken = world.conversation.wire_ids
    blocks: list[Block] = []
    number, raw = 0, reply.raw
    for block in reply.blocks:
        if isinstance(block, ToolUse):
            number += 1
            call_id = f"{step}.{number}"
            wire = block.wire_id
            if not _usable(wire) or wire in taken:
                wire, raw = f"call_{step}_{number}", ()
            taken.add(wire)
            blocks.append(dataclasses.replace(block, call_id=call_id, wire_id=wire))
        else:
            blocks.append(block)
    return Message("assistant", tuple(blocks), provider.identity, raw)


def _usable(wire_id: str) -> bool:
    return 0 < len(wire_id) <= 64 and wire_id.replace("_", "").replace("-", "").isalnum() and wire_id.isascii()


def _propose(world: World, use: ToolUse) -> CallProposed:
    contract = world.setup.contracts.get(use.name)
    name = world.scrub.text(use.name)[:MOST_NAME] if contract is None else contract.name
    args = use.garbled if use.args is None else use.args
    key = world.call_key(loops.canonical_bytes(name, args))
    return CallProposed(use.call_id, use.wire_id, name, world.scrub.data(args), key)


def _tell(world: World, provider: Provider) -> None:
    """What the reply means for the user: a lesser model, a limit that comes close."""
    recorder, policy = world.recorder, world.setup.policy
    if provider.degraded:
        notice = f"answered by {provider.model} ({provider.name}): it may be less polished"
        if all(notice != known for _, known in recorder.totals.degraded):
            recorder.record(Degraded(provider.name, notice))
    for gauge in budget.gauges(policy.budget, world.state.budget, world.clock()):
        if gauge.used >= gauge.limit * policy.budget.warn_at and gauge.key not in recorder.totals.warned:
            recorder.record(BudgetCounted(gauge.key, round(gauge.used, 6), gauge.limit, "warning"))
