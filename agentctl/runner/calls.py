"""The tool calls of one reply: decided in order, run side by side where they only read, answered in call order.

Rules.
1. Every call is decided by the core at the moment of its execution, with its original arguments.
2. Calls that only read run together. A call that may change something waits for them and runs alone, between two
   durable marks.
3. Identical calls of one reply run once and share the result.
4. A call in doubt (started by a driver that died) is run again only where its contract says that this is harmless;
   else a person is asked what became of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agentctl.core import decisions as do
from agentctl.core.contract import Contract
from agentctl.core.decide import Call, after_tool, before_tool, next_action
from agentctl.core.envelope import Envelope
from agentctl.core.events import CircuitMoved, Decided, LoopSeen, Retried, ToolFinished, ToolStarted
from agentctl.core.guards import circuit, results
from agentctl.core.inflight import CallState, find
from agentctl.core.messages import ToolAnswer
from agentctl.core.tiers import Tier
from agentctl.journal.failpoints import failpoint
from agentctl.runner.people import ask_person
from agentctl.runner.world import World
from agentctl.tools.base import Invocation

Running = dict[str, asyncio.Task[None]]


async def use_tools(world: World) -> do.Stop | None:
    """Answer every open call of the last reply, or say why the drive stops."""
    running: Running = {}
    try:
        while True:
            call = _next(world, running)
            if call is None and not running:
                return None
            if call is None:
                await _settle(world, running)
                continue
            stop = await _handle(world, call, running)
            if stop is not None:
                await _settle(world, running)
                return stop
    finally:
        for task in running.values():
            task.cancel()


def _next(world: World, running: Running) -> CallState | None:
    return next((call for call in world.state.inflight.open_calls if call.call_id not in running), None)


async def _settle(world: World, running: Running) -> None:
    """Wait for the calls that run side by side; a signal may cut them short, since they only read."""
    tasks = list(running.values())
    running.clear()
    await world.interrupt.guard(asyncio.gather(*tasks))


async def _handle(world: World, call: CallState, running: Running) -> do.Stop | None:
    use = world.calls[call.call_id]
    decision = before_tool(world.setup, world.state, Call(call, use.args, use.garbled), world.clock())
    contract = world.setup.contracts.get(call.tool)
    if isinstance(decision, do.ShareCall):
        return await _share(world, call, decision.with_call, running)
    if isinstance(decision, do.RefuseCall):
        return _refuse(world, call, decision)
    if contract is None:
        raise TypeError(f"{call.tool} was decided without a contract")
    if call.phase == "started" and contract.recovery not in {"rerun", "same_key"}:
        decision = do.AskPerson(Tier.HIGH, "its outcome is unknown: approve runs it (again), deny skips it")
    if running and (isinstance(decision, do.AskPerson) or not contract.read_only):
        await _settle(world, running)
        return None
    if isinstance(decision, do.AskPerson):
        return await ask_person(world, call, contract, decision)
    if contract.read_only:
        running[call.call_id] = asyncio.create_task(_run(world, call, contract, decision.tier))
        await asyncio.sleep(0)  # it begins, and so it is counted before the next call is decided
        return None
    await _run(world, call, contract, decision.tier)
    return _stopped(world)


def _stopped(world: World) -> do.Stop | None:
    """Between two calls that may change something, the limits are asked again."""
    action = next_action(world.setup, world.state, world.clock(), 0.0)
    return action if isinstance(action, do.Stop) else None


async def _share(world: World, call: CallState, with_call: str, running: Running) -> do.Stop | None:
    if with_call in running:
        await _settle(world, running)
    answer = world.answers[with_call]
    finished = _finished(world, call, answer, 0, ran=False, effect=False)
    _answer(world, call, answer, replace(finished, shared_with=with_call))
    return None


def _refuse(world: World, call: CallState, decision: do.RefuseCall) -> do.Stop | None:
    if decision.loop is not None:
        kind, count = decision.loop
        world.recorder.record(LoopSeen(kind, call.tool, count, world.setup.policy.loops.window))
    reason = decision.envelope.code or decision.envelope.message
    world.recorder.record(Decided("before_tool", decision.guard, "refuse", f"{call.tool}: {reason}"))
    finished = _finished(world, call, decision.envelope, 0, ran=False, effect=False)
    _answer(world, call, decision.envelope, finished)
    return decision.halt


async def _run(world: World, call: CallState, contract: Contract, tier: Tier) -> None:
    """Attempt after attempt, until the core takes an answer for the answer."""
    attempt = call.attempts
    wait = call.retry_at - world.clock()
    while True:
        if wait > 0:
            await world.recorder.flush()
            await asyncio.sleep(wait)
        attempt += 1
        answer, ms = await _attempt(world, call, contract, tier, attempt)
        decision = after_tool(world.setup, contract, answer, attempt)
        if isinstance(decision, do.RetryCall):
            finished = _finished(world, call, answer, ms, ran=True, effect=not contract.read_only)
            world.recorder.record(replace(finished, final=False))
            world.recorder.record(Retried(decision.attempt, decision.delay_s, call.call_id))
            refused = _open(world, call)
            if refused is None:
                wait = decision.delay_s
                continue
            _answer(world, call, refused, _finished(world, call, refused, 0, ran=False, effect=False))
            return
        _conclude(world, call, contract, decision.envelope, ms)
        if not contract.read_only:
            await world.recorder.flush(durable=True)
        return


def _open(world: World, call: CallState) -> Envelope | None:
    """The circuit is asked again before every attempt."""
    now = find(world.state.inflight, call.call_id) or call
    use = world.calls[call.call_id]
    decision = before_tool(world.setup, world.state, Call(now, use.args, use.garbled), world.clock())
    return decision.envelope if isinstance(decision, do.RefuseCall) and decision.guard == "circuit" else None


async def _attempt(world: World, call: CallState, contract: Contract, tier: Tier, attempt: int) -> tuple[Envelope, int]:
    run_id = world.recorder.identity.run_id
    key = f"{run_id}:{call.call_id}"
    args = world.args(call.call_id)
    effect = not contract.read_only
    phase = circuit.check(
        world.setup.policy.circuit.tools, world.state.circuit, circuit.tool_name(contract.name), world.clock()
    )
    world.recorder.record(
        ToolStarted(
            call.call_id,
            contract.name,
            world.scrub.data(args),
            tier.word,
            attempt,
            effect,
            contract.timeout_s,
            key,
            probe=phase == "half_open",
        )
    )
    if effect:
        await world.recorder.flush(durable=True)
    failpoint("after-intent")
    started = world.clock()
    answer = await world.tools[contract.name].run(Invocation(run_id, call.call_id, key, args, contract.timeout_s))
    failpoint("before-outcome")
    return answer, max(0, round((world.clock() - started) * 1000))


def _conclude(world: World, call: CallState, contract: Contract, answer: Envelope, ms: int) -> None:
    rules, name = world.setup.policy.circuit.tools, circuit.tool_name(contract.name)
    before = circuit.check(rules, world.state.circuit, name, world.clock())
    finished = _finished(world, call, answer, ms, ran=True, effect=not contract.read_only)
    _answer(world, call, answer, finished)
    after = circuit.check(rules, world.state.circuit, name, world.clock())
    if after != before:
        world.recorder.record(CircuitMoved(name, before, after))


def _finished(world: World, call: CallState, answer: Envelope, ms: int, *, ran: bool, effect: bool) -> ToolFinished:
    """The event of an answer: what the model is sent, scrubbed."""
    sent = _sent(world, answer)
    result = dict(answer.as_json())
    if sent != answer.text():
        result["data"] = sent
    return ToolFinished(
        call.call_id,
        call.tool,
        answer.status,
        answer.error_type,
        answer.retry_safe,
        ms,
        world.scrub.fields(result),
        world.count(sent),
        answer.code,
        call.key,
        effect,
        ran,
    )


def _sent(world: World, answer: Envelope) -> str:
    """What the model is sent of an answer: its JSON, its data cut where it is too long."""
    rules = world.setup.policy.results
    text = answer.text()
    if not rules.enabled or world.count(text) <= rules.max_tokens:
        return text
    most = int(rules.max_tokens * len(text.encode(errors="surrogatepass")) / max(1, world.count(text)))
    return results.cut(text, most)


def _answer(world: World, call: CallState, answer: Envelope, finished: ToolFinished) -> None:
    """Record the answer and keep its original for the model; seal it where the event says something else."""
    text = _sent(world, answer)
    if finished.result != answer.as_json():
        finished = replace(finished, sealed=world.recorder.seal(text))
    stamped = world.recorder.record(finished)
    use = world.calls[call.call_id]
    world.conversation.hold(stamped.seq, ToolAnswer(call.call_id, use.wire_id, text, is_error=not answer.ok))
    world.answers[call.call_id] = answer
