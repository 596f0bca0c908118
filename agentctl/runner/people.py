"""A call that somebody has to decide: by the policy's reviewer, the person here, or from any other terminal.

Rules. What is asked is written before it is shown. The answer is bound to the exact action, and is checked again when
the call is executed. Whoever is first decides, and the question goes away everywhere else. Nobody there, or nobody in
time: what the policy says, and the run parks unless it says deny. Who changes the arguments has a new call before
them, which is decided from the start. Of a call that may have happened they may also say that it did: it is not run
again, and what they say it came to is its result.
"""

from __future__ import annotations

import asyncio
import json

from agentctl.approvals.base import Answer
from agentctl.core import decisions as do
from agentctl.core.callkey import keys
from agentctl.core.clock import past
from agentctl.core.contract import Contract
from agentctl.core.decide_call import before_tool
from agentctl.core.events import ApprovalDecided, ApprovalRequested, CallEdited, Decided
from agentctl.core.guards.scrub import FAILED
from agentctl.core.inflight import CallState, find
from agentctl.core.messages import JsonObject
from agentctl.records import replace
from agentctl.runner import asking, doubt, letters, numbered
from agentctl.runner.exact import exactly
from agentctl.runner.world import World

POLL_S = 0.2


async def ask_person(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> do.Stop | None:
    """Record what somebody decided; or park, with every call of this reply that needs a person asked for."""
    asked = request(world, call, contract, decision)
    if asked.args == FAILED:  # nobody can say yes to what can't be shown
        _decided(world, call, Answer("deny", "policy", "its arguments can't be shown"), 0.0)
        return None
    await world.recorder.flush(durable=True)
    now = find(world.state.inflight, call.call_id)
    since = now.asked_at if now is not None and now.asked_at else world.clock()
    timer = asyncio.get_running_loop().time
    began = timer()
    answer = await world.interrupt.guard(lambda: _first(world, call, asked, decision))
    came = world.clock() - (timer() - began)
    since = since if past(since, came) else came  # the clock was set back
    if isinstance(answer, do.Stop):
        return answer
    if answer is None:
        return await _nobody(world, call, since)
    if answer.remember and (answer.args is not None or not asked.remembers):  # nobody was shown what they would allow
        answer = replace(answer, remember=False)
    if answer.decision == "happened":
        _happened(world, call, contract, decision, answer)
        return None
    changed = answer.decision == "edit" or answer.args is not None
    if changed and not _edited(world, call, contract, decision, answer):
        return None
    if answer.decision != "edit":
        _decided(world, call, answer, world.clock() - since)
    await world.recorder.flush(durable=True)
    if contract.changed and answer.decision == "approve" and world.agree is not None:
        await world.agree(world.offered[contract.name])
    return None


def request(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> ApprovalRequested:
    """Say that this call needs a person: once, and again where what would run is another by now."""
    asked = asking.requested(world, call, contract, decision)
    if call.phase != "waiting" or call.digest != asked.digest:
        world.recorder.record(asked)
    return asked


async def _first(
    world: World, call: CallState, asked: ApprovalRequested, decision: do.AskPerson
) -> Answer | do.Stop | None:
    """The first answer, from here or from the inbox; or what somebody wants of the whole run."""
    here = asyncio.ensure_future(_here(world, call, asked, decision))
    reading = asyncio.ensure_future(_elsewhere(world, call.call_id))
    try:
        await asyncio.wait({here, reading}, return_when=asyncio.FIRST_COMPLETED)
        elsewhere = reading.result() if reading.done() else letters.answer(world, call.call_id)
        if elsewhere is not None:
            here.cancel()
        return _surest(await _ended(here), elsewhere)
    finally:
        for task in (here, reading):
            task.cancel()
        await asyncio.gather(here, reading, return_exceptions=True)


async def _ended(here: asyncio.Future[Answer | None]) -> Answer | None:
    """What was said here, if only while the question was taken away."""
    await asyncio.wait({here})
    return None if here.cancelled() else here.result()


def _surest(here: Answer | None, elsewhere: Answer | do.Stop | None) -> Answer | do.Stop | None:
    """Two answers at once: nothing runs that somebody has just refused or changed."""
    if isinstance(elsewhere, Answer) and elsewhere.decision == "approve" and here is not None:
        return here
    if isinstance(elsewhere, Answer) and here is not None and here.decision == "stop":
        return here
    return elsewhere or here


async def _here(world: World, call: CallState, asked: ApprovalRequested, decision: do.AskPerson) -> Answer | None:
    question = asking.question(world, call, asked)
    if world.reviewer is not None:
        reviewed = await world.reviewer.answer(question, person=decision.person)
        if reviewed is not None:
            return reviewed
    return None if world.approver is None else await world.approver.ask(question)


async def _elsewhere(world: World, call_id: str) -> Answer | do.Stop:
    while True:
        answer = letters.answer(world, call_id)
        if answer is not None:
            return answer
        await asyncio.sleep(POLL_S)


def _edited(world: World, call: CallState, contract: Contract, asks: do.AskPerson, answer: Answer) -> bool:
    """Put the new arguments in the place of the old; whether the answer that came with them still counts.

    From the prompt they come alone: the call is decided anew, and asked about again where it has to be. From another
    terminal they come with a yes to exactly them. What does not fit uses up the request: it is made anew, so that
    others can still answer it.
    """
    typed = answer.args
    if typed is None:
        wrong = "its arguments can't be read"
    else:
        wrong = "it may have run already" if call.attempts else asking.misfit(world, call, contract, typed)
    if wrong or typed is None:
        reason = world.scrub.text(f"{answer.by} edited {call.tool}: {wrong}")
        world.recorder.record(Decided("before_tool", "approval", "misfit", reason))
        world.recorder.record(asking.requested(world, _now(world, call), contract, asks))
        return False
    _replace(world, call, contract, asking.unmasked(world, call, typed), answer.by)
    decision = before_tool(world.setup, world.state, exactly(world, _now(world, call)), world.clock())
    if answer.decision != "approve" or not isinstance(decision, do.AskPerson):
        return answer.decision == "edit"
    request(world, _now(world, call), contract, decision)
    return True


def _happened(world: World, call: CallState, contract: Contract, asks: do.AskPerson, answer: Answer) -> None:
    """Take somebody's word for it; of a call that never began it is none, and it is asked about again."""
    if call.unknown:
        doubt.settle(world, call, contract, answer.by, happened=True, result=doubt.typed(answer.result))
        return
    reason = world.scrub.text(f"{answer.by} says that {call.tool} happened: it was not started")
    world.recorder.record(Decided("before_tool", "approval", "misfit", reason))
    world.recorder.record(asking.requested(world, _now(world, call), contract, asks))


def _replace(world: World, call: CallState, contract: Contract, args: JsonObject, by: str) -> None:
    world.proposed.setdefault(call.call_id, world.said[call.call_id].args or {})
    numbered.edited(world, call.call_id, args)
    numbered.keep(world)
    shown = world.shown_args(call.call_id)
    sealed = "" if shown == args else world.recorder.seal(json.dumps(args))
    key, exact = keys(world.call_key, contract.name, args)
    world.recorder.record(CallEdited(call.call_id, contract.name, shown, by, key, exact, sealed))


def _now(world: World, call: CallState) -> CallState:
    return find(world.state.inflight, call.call_id) or call


async def _nobody(world: World, call: CallState, asked: float) -> do.Stop | None:
    rules = world.setup.policy.approval
    late = world.approver is not None and world.clock() - asked >= rules.timeout_s
    verdict = rules.on_timeout if late else rules.non_interactive
    if verdict == "deny":
        why = "nobody answered in time" if late else "nobody can answer here"
        _decided(world, call, Answer("deny", "policy", why), world.clock() - asked)
        return None
    _ask_for_the_rest(world)
    await world.recorder.flush(durable=True)
    if call.attempts:
        return do.Stop("parked", "unknown_outcome", 12, f"Nobody knows what became of {call.tool}: a person decides.")
    return do.Stop("parked", "approval", 12, "Waiting for a person.")


def _ask_for_the_rest(world: World) -> None:
    """The other calls of this reply that need a person too, so that all can be decided at once."""
    for call in world.state.inflight.open_calls:
        contract = world.setup.contracts.get(call.tool)
        decision = before_tool(world.setup, world.state, exactly(world, call), world.clock())
        if isinstance(decision, do.AskPerson) and contract is not None:
            request(world, call, contract, decision)


def _decided(world: World, call: CallState, answer: Answer, waited: float) -> None:
    if answer.decision == "edit" or answer.decision == "happened":  # noqa: PLR1714  # a set would not narrow it
        raise ValueError(f"{answer.decision} is no yes and no no")
    digest = _now(world, call).digest  # of what was asked, whatever it has become while the question stood
    why = world.scrub.text(answer.why)
    world.recorder.record(
        ApprovalDecided(
            call.call_id, answer.decision, answer.by, round(waited, 3), why, digest, answer.at, answer.remember
        )
    )
