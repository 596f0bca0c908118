"""The tool calls of one reply: decided in order, run side by side where they only read, answered in call order.

Rules.
1. Every call is decided by the core at the moment of its execution, with its original arguments.
2. Calls that only read run together. A call that may change something waits for them and runs alone, between two
   durable marks.
3. Identical calls of one reply run once and share the result.
4. A call in doubt (started by a driver that died) is run again only where its contract says that this is harmless;
   else its `verify` is asked what became of it, or a person. Nobody is asked while it may still be at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from agentctl.core import decisions as do
from agentctl.core.contract import Contract
from agentctl.core.decide import next_action
from agentctl.core.decide_call import after_tool, before_tool
from agentctl.core.envelope import Envelope
from agentctl.core.events import Decided, Retried, ToolStarted, Waited
from agentctl.core.guards import circuit, results
from agentctl.core.inflight import CallState, find
from agentctl.core.setup import Call
from agentctl.core.tiers import Tier
from agentctl.journal.failpoints import failpoint
from agentctl.runner import circuits, doubt, numbered, words
from agentctl.runner.answers import run_check
from agentctl.runner.exact import exactly
from agentctl.runner.outcomes import answered, conclude, outcome
from agentctl.runner.people import ask_person
from agentctl.runner.waking import woken
from agentctl.runner.wishes import rest, wish
from agentctl.runner.world import World
from agentctl.tools.base import Invocation

Running = dict[str, asyncio.Task[None]]


async def use_tools(world: World) -> do.Stop | None:
    """Answer every open call of the last reply, or say why the drive stops."""
    running: Running = {}
    try:
        while True:
            world.interrupt.check()
            call = _next(world, running)
            wanted = wish(world) if call is not None and _may_change(world, call) else None
            if wanted is not None:
                await _settle(world, running)
                return wanted
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
        await asyncio.gather(*running.values(), return_exceptions=True)


def _may_change(world: World, call: CallState) -> bool:
    contract = world.setup.contracts.get(call.tool)
    return contract is not None and not contract.read_only


def _next(world: World, running: Running) -> CallState | None:
    return next((call for call in world.state.inflight.open_calls if call.call_id not in running), None)


async def _settle(world: World, running: Running) -> None:
    """Wait for the calls that run side by side; a signal may cut them short, since they only read."""
    if not all(task.done() for task in running.values()):
        await world.interrupt.guard(lambda: _all(running))
    for task in running.values():
        task.result()  # raises what befell it
    running.clear()


async def _all(running: Running) -> None:
    await asyncio.gather(*running.values())


async def _handle(world: World, call: CallState, running: Running) -> do.Stop | None:
    contract = world.setup.contracts.get(call.tool)
    closed = _look(world, contract)
    exact = exactly(world, call)
    decision = before_tool(world.setup, world.state, exact, world.clock())
    if await woken(world, call, decision):
        return None
    match decision:
        case do.ShareCall(with_call=other):
            return await _share(world, call, other, running)
        case do.RefuseCall():
            return _refuse(world, call, decision)
        case do.Stop():
            return decision
        case do.RunCheck():
            await _settle(world, running)
            await run_check(world)
            return None
        case do.RunCall():
            return await _begin(world, exact, decision, running, closed)
        case do.AskPerson() | do.Verify() | do.Sleep():
            if running:
                await _settle(world, running)
                return None
            return await _find_out(world, call, decision)


async def _find_out(world: World, call: CallState, decision: do.AskPerson | do.Verify | do.Sleep) -> do.Stop | None:
    """Ask a person, or, of a call that may have happened, its tool's program; or let it come to its end first."""
    match decision:
        case do.Sleep(seconds=seconds):
            return await _quiet(world, call, seconds)
        case do.Verify():
            await doubt.verify(world, call, world.setup.contracts[call.tool])
            return None
        case do.AskPerson():
            return await ask_person(world, call, world.setup.contracts[call.tool], decision) or _stopped(world)


async def _quiet(world: World, call: CallState, seconds: float) -> do.Stop | None:
    """What another machine's driver started may still be at work."""
    world.recorder.record(Waited(f"{call.tool} may still be at work", round(seconds, 1)))
    await world.recorder.flush()
    await rest(world, seconds)
    return wish(world)


async def _begin(world: World, exact: Call, decision: do.RunCall, running: Running, closed: set[str]) -> do.Stop | None:
    """Run a call: beside others where it only reads; else alone, and decided anew when they are done."""
    contract = world.setup.contracts[decision.instead or exact.state.tool]
    if decision.remembered and not exact.state.attempts:
        world.recorder.record(Decided("before_tool", "approval", "remembered", contract.name))
    if running and not contract.read_only:
        await _settle(world, running)
        return None
    run = _run(world, exact, contract, decision.tier, closed=contract.name in closed)
    if not contract.read_only:
        await run
        return _stopped(world)
    running[exact.state.call_id] = asyncio.create_task(run)
    if contract.name in closed:
        await asyncio.sleep(0)  # it begins, and so it is counted before the next call is decided
    else:
        await _settle(world, running)  # it asks for its probe first, and begins only then
    return None


def _look(world: World, contract: Contract | None) -> set[str]:
    """See to the circuits of a tool and of the one that would stand in for it before it is decided: who is closed."""
    names = () if contract is None else (contract.name, contract.fallback_tool)
    known = [at for name in names if (at := world.setup.contracts.get(name))]
    return {at.name for at in known if circuits.look(world, circuit.tool_name(at.name), world.books.tool(at, ""))}


def _stopped(world: World) -> do.Stop | None:
    """Between two calls that may change something, and after each answer of a person, the limits are asked again."""
    action = next_action(world.setup, world.state, world.clock(), 0.0)
    return action if isinstance(action, do.Stop) else None


async def _share(world: World, call: CallState, with_call: str, running: Running) -> do.Stop | None:
    if with_call in running:
        await _settle(world, running)
    answer = world.answers[with_call]
    finished = outcome(world, call, answer, 0, ran=False, effect=False)
    labels = world.labels.get(with_call, ())
    answered(world, call, answer, replace(finished, shared_with=with_call, labels=labels))
    return None


def _refuse(world: World, call: CallState, decision: do.RefuseCall) -> do.Stop | None:
    if decision.loop is not None:
        world.recorder.record(decision.loop)
    reason = decision.envelope.code or decision.envelope.message
    world.recorder.record(Decided("before_tool", decision.guard, "refuse", f"{call.tool}: {reason}"))
    answer = numbered.answer(world, call.call_id, decision.envelope, ours=True)
    finished = outcome(world, call, answer, 0, ran=False, effect=False)
    answered(world, call, answer, finished)
    return decision.halt


async def _run(world: World, exact: Call, contract: Contract, tier: Tier, *, closed: bool) -> None:
    """Attempt after attempt, until the core takes an answer for the answer. `closed`: its circuit, as seen just now."""
    call, copied = exact.state, words.shown(world, exact.copied)
    attempt = call.attempts
    wait = min(call.retry_at - world.clock(), call.delay_s)
    while True:
        waited = wait > 0
        if waited:
            await world.recorder.flush()
            await world.interrupt.guard(partial(asyncio.sleep, wait))
        if (waited or attempt > call.attempts) and isinstance(_decided(world, call), do.AskPerson):
            return  # what was approved is another by now: it is asked about
        attempt += 1
        name = circuit.tool_name(contract.name)
        asked = world.books.tool(contract, f"{world.recorder.identity.run_id}:{call.call_id}:{attempt}")
        probe = False if closed else await circuits.probing(world, name, asked)
        closed = False
        if probe is None:
            _unhealthy(world, call)
            return
        started = world.clock()
        args, key = world.shown_args(call.call_id), f"{world.recorder.identity.run_id}:{call.call_id}"
        intent = ToolStarted(
            call.call_id, contract.name, args, tier.word, attempt, not contract.read_only, contract.timeout_s, key,
            probe, copied, contract.remote,
        )  # fmt: skip
        try:
            over = await _intend(world, intent, contract)
            answer, ms = await _attempt(world, intent) if over is None else (over, 0)
        except BaseException:  # whatever cut it short, its place as a probe is free again
            circuits.let_go(world, asked if probe else None, started)
            raise
        if over is not None:
            circuits.let_go(world, asked if probe else None, started)
            _refuse(world, call, do.RefuseCall("results", over))
            return
        decision = after_tool(world.setup, contract, answer, attempt)
        weighed = partial(circuits.weigh, world, name, asked, asked_at=started, probe=probe)
        if isinstance(decision, do.RetryCall):
            finished = outcome(world, call, answer, ms, ran=True, effect=not contract.read_only, by=contract.name)
            world.recorder.record(replace(finished, final=False))
            await _weigh(weighed, answer, probe=probe)
            world.recorder.record(Retried(decision.attempt, decision.delay_s, call.call_id))
            _look(world, contract)
            if _is_open(world, call):
                _unhealthy(world, call)
                return
            wait = decision.delay_s
            continue
        conclude(world, call, contract, decision.envelope, ms)
        await _weigh(weighed, answer, probe=probe)
        if not contract.read_only:
            await world.recorder.flush(durable=True)
            failpoint("after-outcome")
        return


async def _weigh(weighed: Callable[..., Awaitable[None]], answer: Envelope, *, probe: bool) -> None:
    """An answer that says no is an answer; only a failure that may pass speaks against a tool's health."""
    if answer.error_type == "transient":
        await weighed(ok=False)
    elif answer.ok or probe:
        await weighed(ok=True)


def _is_open(world: World, call: CallState) -> bool:
    """The circuit is asked again before every attempt."""
    decision = _decided(world, call)
    return isinstance(decision, do.RefuseCall) and decision.guard == "circuit"


def _decided(world: World, call: CallState) -> do.CallDecision:
    """As it is now, between two attempts."""
    now = find(world.state.inflight, call.call_id) or call
    return before_tool(world.setup, world.state, exactly(world, now), world.clock())


def _unhealthy(world: World, call: CallState) -> None:
    decision = _decided(world, call)  # of one that may have happened nobody says that it was not made
    answer = decision.envelope if isinstance(decision, do.RefuseCall) else circuit.unhealthy()
    answered(world, call, answer, outcome(world, call, answer, 0, ran=False, effect=False))


async def _intend(world: World, intent: ToolStarted, contract: Contract) -> Envelope | None:
    """Record the start of a call; the answer, where other runs of its session have used up the limit meanwhile. D88"""
    world.recorder.record(intent)
    ours, now = world.state.results, world.clock()
    failpoint("before-intent")
    limited = contract.max_calls_per_session is not None or contract.max_calls_per_minute is not None
    others = None
    if limited and intent.attempt == 1:
        others = await world.recorder.begin(contract, durable=intent.effect)
    elif intent.effect:
        await world.recorder.flush(durable=True)
    failpoint("after-intent")
    return None if others is None else results.late(ours, contract, now, others)


async def _attempt(world: World, intent: ToolStarted) -> tuple[Envelope, int]:
    await world.recorder.own()
    started, run_id = world.clock(), world.recorder.identity.run_id
    args = world.args(intent.call_id)
    made = Invocation(run_id, intent.call_id, intent.idempotency_key, args, intent.timeout_s)
    answer = await world.tools[intent.tool].run(made)
    failpoint("before-outcome")
    return answer, max(0, round((world.clock() - started) * 1000))
