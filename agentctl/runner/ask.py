"""One model call: asked of the shared books, made, settled; and what it means for money, circuits and cache."""

from __future__ import annotations

import dataclasses

from agentctl.core import decisions as do
from agentctl.core import placeholders
from agentctl.core.callkey import keys
from agentctl.core.events import (
    BudgetCounted,
    CallProposed,
    Decided,
    Degraded,
    FellBack,
    ModelFailed,
    ModelReplied,
    Purpose,
    Thought,
)
from agentctl.core.guards import budget, circuit
from agentctl.core.inflight import MOST_CALLS
from agentctl.core.messages import Block, Failure, Message, Outcome, Reply, Request, Text, Thinking, ToolUse
from agentctl.core.policy import Provider
from agentctl.journal.failpoints import failpoint
from agentctl.records import dataclass
from agentctl.runner import caching, numbered, originals, recaps, words
from agentctl.runner.admitting import admitted
from agentctl.runner.circuits import let_go, weigh
from agentctl.runner.streaming import Stream
from agentctl.runner.world import World

WITHHELD = "[withheld: it repeats the system prompt]"
MOST_NAME = 128
"""Characters of a tool's name that nobody knows."""


async def ask(world: World, action: do.AskModel) -> None:
    """Make the request that the core decided on, if the shared books let it. Whatever comes of it is recorded."""
    provider = world.setup.provider(action.provider)
    if action.fell_from:
        world.recorder.record(FellBack(action.fell_from, action.provider, action.fell_why))
    granted = await admitted(world, action, provider)
    if granted is not None:
        hold, probe = granted
        await _granted(world, provider, action, hold, probe=probe)


async def _granted(world: World, provider: Provider, action: do.AskModel, hold: str, *, probe: bool) -> None:
    if action.chosen_why:
        world.recorder.record(Decided("before_model", "route", "choose", f"{provider.name}: {action.chosen_why}"))
    failpoint("after-model-intent")
    await world.recorder.own()
    started = world.clock()
    probed = world.books.provider(provider, hold) if probe else None
    if world.interrupt.code:
        let_go(world, probed, started)
        world.recorder.settle(hold, _cut_short(provider, action, 0, 0))
        world.interrupt.check()
    try:
        outcome = await world.interrupt.guard(lambda: _send(world, provider, action))
    except BaseException:  # whatever cut it short, it may have been billed
        cut = _cut_short(provider, action, action.reserve_micro, _ms(world, started))
        let_go(world, probed, started)
        world.recorder.settle(hold, cut)
        raise
    failpoint("after-model-reply")
    made = Made(provider, action, hold, started, _ms(world, started), probe)
    match outcome:
        case Reply() if action.purpose == "summary":
            await _summarised(world, made, outcome)
        case Reply():
            await _replied(world, made, outcome)
        case Failure():
            await _failed(world, made, outcome)
    world.recorder.post()  # what was paid for is on its way to the disk before anything else begins
    failpoint("settle-posted")


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
    if action.purpose == "summary":
        return await world.open_aside(provider).ask(recaps.request(world, action), recaps.unseen)
    request = Request(
        world.system,
        world.schemas,
        world.conversation.sync(world.state.transcript),
        action.max_output_tokens,
        use_tools=action.purpose != "landing",
    )

    stream = Stream(world.scrub, world.listener.delta, words.secret(world), _said_before(world))
    outcome = await world.open_model(provider).ask(request, stream.take)
    stream.end()
    return outcome


def _said_before(world: World) -> str:
    """The answer so far, where this reply goes on with it; else the end of what was said before: a copy in pieces."""
    run = world.state.run
    if run.continued or not words.secret(world):
        return run.answer if run.continued else ""
    return f"{world.conversation.said(world.state.transcript)} "


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
    ill = circuit.faulty(failure.kind, failure.status)
    if ill or made.probe:  # who refuses a request answers
        await _weigh(world, made, ok=not ill)


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
    leaked = words.repeats(world, _text(message), _said_before(world)) or words.repeats(world, reply.refusal)
    if leaked:
        message = Message("assistant", (Text(WITHHELD),), provider.identity)
    asked = {use.call_id: placeholders.numbers(use.args) for use in _uses(message)} if world.vault else {}
    message = numbered.reply(world, message)
    uses = _uses(message)
    numbered.keep(world)
    for block in message.blocks:
        if isinstance(block, Thinking) and block.text:
            hidden = words.repeats(world, block.text)
            world.recorder.record(Thought(WITHHELD if hidden else world.scrub.text(block.text)))
    price = world.setup.prices.get(provider.name)
    said = _text(message)
    text = world.scrub.text(said)
    proposed = tuple(_propose(world, use, asked.get(use.call_id, ())) for use in uses)
    told = all(_says_it(world, p, use) for p, use in zip(proposed, uses, strict=True))
    same = text == said and not message.raw and told
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
        "" if leaked else world.scrub.text(reply.refusal),
        "system_prompt" if leaked else "",
    )
    before = world.state.cache
    stamped = world.recorder.settle(made.hold, event)
    world.conversation.hold(stamped.seq, message)
    numbered.called(world, uses)
    await _weigh(world, made, ok=True)
    _tell(world, provider)
    caching.tell(world, provider, before, reply, action.purpose)


async def _summarised(world: World, made: Made, reply: Reply) -> None:
    """No part of the conversation before its trim takes it in."""
    text = world.shows.text(recaps.text_of(reply, made.action))
    numbered.keep(world)
    stamped = world.recorder.settle(made.hold, recaps.event(world, made.provider, reply, text, made.ms))
    world.conversation.hold(stamped.seq, Text(text))
    await _weigh(world, made, ok=True)
    _warn(world)


def _text(message: Message) -> str:
    return "".join(block.text for block in message.blocks if isinstance(block, Text))


def _own(world: World, provider: Provider, reply: Reply, purpose: Purpose) -> Message:
    """The reply as a message, its calls given ids of ours, and wire ids that are well-formed and new."""
    step = f"c{world.state.run.step + 1}" if purpose == "answer" else f"l{world.state.seq}"
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


def _uses(message: Message) -> tuple[ToolUse, ...]:
    return tuple(block for block in message.blocks if isinstance(block, ToolUse))


def _propose(world: World, use: ToolUse, filled: tuple[int, ...]) -> CallProposed:
    contract = world.setup.contracts.get(use.name)
    name = world.scrub.text(use.name)[:MOST_NAME] if contract is None else contract.name
    args = use.garbled if use.args is None else use.args
    exact = numbered.filled(world, use)
    key, same = keys(world.call_key, name, exact.garbled if exact.args is None else exact.args)
    return CallProposed(use.call_id, use.wire_id, name, world.scrub.data(args), key, same, filled)


def _says_it(world: World, proposed: CallProposed, use: ToolUse) -> bool:
    """Whether the event alone gives the call back word for word, as `recall.py` reads it."""
    contract = world.setup.contracts.get(proposed.tool)
    return proposed.args == use.args and use.name == (proposed.tool if contract is None else contract.wire)


def _tell(world: World, provider: Provider) -> None:
    """What the reply means for the user: a lesser model, a limit that comes close."""
    recorder = world.recorder
    if provider.degraded:
        notice = f"answered by {provider.model} ({provider.name}): it may be less polished"
        if all(notice != known for _, known in recorder.totals.degraded):
            recorder.record(Degraded(provider.name, notice))
    _warn(world)


def _warn(world: World) -> None:
    recorder, policy = world.recorder, world.setup.policy
    for gauge in budget.gauges(policy.budget, world.state.budget, world.clock()):
        if gauge.used >= gauge.limit * policy.budget.warn_at and gauge.key not in recorder.totals.warned:
            recorder.record(BudgetCounted(gauge.key, round(gauge.used, 6), gauge.limit, "warning"))
