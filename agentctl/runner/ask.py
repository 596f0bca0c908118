"""One model call: reserve, ask, settle, and say what it means for money, circuits and cache."""

from __future__ import annotations

import dataclasses

from agentctl.core import decisions as do
from agentctl.core.events import (
    BudgetCounted,
    CacheSeen,
    CallProposed,
    CircuitMoved,
    Degraded,
    FellBack,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Purpose,
    Thought,
)
from agentctl.core.guards import budget, circuit, loops
from agentctl.core.inflight import MOST_CALLS
from agentctl.core.messages import Block, Failure, Message, Outcome, Reply, Request, Text, Thinking, ToolUse
from agentctl.core.policy import Provider
from agentctl.journal.failpoints import failpoint
from agentctl.runner import originals
from agentctl.runner.streaming import Stream
from agentctl.runner.world import World

MOST_NAME = 128
"""Characters of a tool's name that nobody knows."""


async def ask(world: World, action: do.AskModel) -> None:
    """Make the request that the core decided on. Whatever comes of it is recorded."""
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
        action.probe,
    )
    hold = f"{world.recorder.identity.run_id}:{world.state.run.seq + 1}"
    refused = await world.recorder.reserve(asked, hold, world.scopes(action.cap_micro, action.purpose == "landing"))
    if refused is not None:
        used, limit = (refused.spent + refused.held) / 1e6, refused.cap / 1e6
        world.recorder.record(BudgetCounted(refused.scope.key.partition(":")[0], used, limit, "refused"))
        return
    if action.probe:
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
    match outcome:
        case Reply():
            _replied(world, provider, action, hold, outcome, _ms(world, started))
        case Failure():
            _failed(world, provider, action, hold, outcome, _ms(world, started))
    world.recorder.post()  # what was paid for is on its way to the disk before anything else begins


def _cut_short(provider: Provider, action: do.AskModel, billed: int, ms: int) -> ModelFailed:
    tokens = action.estimated_tokens if billed else 0
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


def _failed(world: World, provider: Provider, action: do.AskModel, hold: str, failure: Failure, ms: int) -> None:
    phase = _phase(world, provider)
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
        ms,
        _used(action, failure),
    )
    world.recorder.settle(hold, event)
    _circuit(world, provider, phase)


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
        return failure.usage.prompt - failure.usage.cache_read + failure.usage.output
    return 0 if failure.refused or not failure.sent else action.estimated_tokens


def _replied(world: World, provider: Provider, action: do.AskModel, hold: str, reply: Reply, ms: int) -> None:
    calls = [block for block in reply.blocks if isinstance(block, ToolUse)]
    if len(calls) > MOST_CALLS:
        text = f"the reply asks for {len(calls)} tools at once, more than {MOST_CALLS}"
        _failed(world, provider, action, hold, Failure("malformed", text, usage=reply.usage), ms)
        return
    phase = _phase(world, provider)
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
        ms,
        reply.stop,
        text,
        proposed,
        action.purpose,
        reply.usage.output,
        "" if plain else world.recorder.seal(originals.of_message(message)),
        world.scrub.text(reply.refusal),
    )
    stamped = world.recorder.settle(hold, event)
    world.conversation.hold(stamped.seq, message)
    world.calls = {use.call_id: use for use in uses}
    world.answers = {}
    _circuit(world, provider, phase)
    _tell(world, provider)


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


def _phase(world: World, provider: Provider) -> str:
    return circuit.check(world.setup.policy.circuit, world.state.circuit, provider.identity, world.clock())


def _circuit(world: World, provider: Provider, before: str) -> None:
    after = _phase(world, provider)
    if after != before:
        world.recorder.record(CircuitMoved(provider.name, before, after))


def _tell(world: World, provider: Provider) -> None:
    """What the reply means for the user: a lesser model, a limit that comes close, what the cache did."""
    recorder, policy = world.recorder, world.setup.policy
    if provider.degraded:
        notice = f"answered by {provider.model} ({provider.name}): it may be less polished"
        if all(notice != known for _, known in recorder.totals.degraded):
            recorder.record(Degraded(provider.name, notice))
    for gauge in budget.gauges(policy.budget, world.state.budget, world.clock()):
        if gauge.used >= gauge.limit * policy.budget.warn_at and gauge.key not in recorder.totals.warned:
            recorder.record(BudgetCounted(gauge.key, round(gauge.used, 6), gauge.limit, "warning"))
    usage = recorder.totals.usage
    if usage.cache_read or usage.cache_write or usage.cache_write_1h:
        written = usage.cache_write + usage.cache_write_1h
        ratio = recorder.totals.cache_hit_ratio or 0.0
        recorder.record(CacheSeen(round(ratio, 4), usage.cache_read, written))
