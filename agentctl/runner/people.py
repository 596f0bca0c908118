"""A call that somebody has to decide: asked here, or from any other terminal through the inbox, whoever is first.

Rules. The answer is bound to the digest of the exact action and is checked again when the call is executed. Nobody
there, or nobody in time: what the policy says, and the run parks unless it says deny. What is asked is written before
it is shown.
"""

from __future__ import annotations

import asyncio

from agentctl.approvals.base import Answer, Question
from agentctl.core import decisions as do
from agentctl.core.clock import past
from agentctl.core.contract import Contract
from agentctl.core.decide_call import before_tool
from agentctl.core.events import ApprovalDecided, ApprovalRequested, Copied
from agentctl.core.guards import approval, budget
from agentctl.core.inflight import CallState, find
from agentctl.core.messages import Json
from agentctl.core.setup import Call
from agentctl.runner import shell, words
from agentctl.runner.wishes import wish
from agentctl.runner.world import World

POLL_S = 0.2


async def ask_person(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> do.Stop | None:
    """Record what somebody decided; or park, with every call of this reply that needs a person asked for."""
    request(world, call, contract, decision)
    await world.recorder.flush(durable=True)
    now = find(world.state.inflight, call.call_id)
    asked = now.asked_at if now is not None and now.asked_at else world.clock()
    timer = asyncio.get_running_loop().time
    began = timer()
    answer = await world.interrupt.guard(lambda: _first(world, call, contract, decision))
    came = world.clock() - (timer() - began)
    asked = asked if past(asked, came) else came  # the clock was set back
    if isinstance(answer, do.Stop):
        return answer
    if answer is None:
        return await _nobody(world, call, asked)
    _decided(world, call, answer, world.clock() - asked)
    await world.recorder.flush(durable=True)
    if contract.changed and answer.decision == "approve" and world.agree is not None:
        await world.agree(world.offered[contract.name])
    return None


def exactly(world: World, call: CallState) -> Call:
    """The call as it would run now: its original arguments, its digest, and where their words came from."""
    use, contract = world.calls[call.call_id], world.setup.contracts.get(call.tool)
    digest = "" if contract is None else digest_of(world, call, contract)
    command = shell.command_of(contract, use.args)
    return Call(call, use.args, use.garbled, digest, *words.compared(world, contract, use.args), command)


def request(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> None:
    """Say that this call needs a person: once, and again where tool, arguments or policy are others by now."""
    digest = digest_of(world, call, contract)
    if call.phase == "waiting" and call.digest == digest:
        return
    args = world.scrub.data(world.args(call.call_id))
    tier, copied = decision.tier.word, _copied(world, call)
    world.recorder.record(
        ApprovalRequested(call.call_id, contract.name, tier, decision.rule, digest, args, copied, decision.once)
    )


def _copied(world: World, call: CallState) -> tuple[Copied, ...]:
    return words.shown(world, exactly(world, call).copied)


def digest_of(world: World, call: CallState, contract: Contract) -> str:
    """What an answer is bound to."""
    args = world.args(call.call_id)
    files = shell.files_of(world, contract, args)
    exact: Json = {"args": args, "files": dict(files)} if files else args
    return approval.digest(contract.name, contract.digest, exact, world.policy_digest)


async def _first(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> Answer | do.Stop | None:
    """The first answer, from the person here or from the inbox; or what somebody wants of the whole run."""
    asking = asyncio.ensure_future(_here(world, call, contract, decision))
    reading = asyncio.ensure_future(_elsewhere(world, call.call_id))
    try:
        done, _ = await asyncio.wait({asking, reading}, return_when=asyncio.FIRST_COMPLETED)
        if reading in done:
            return reading.result()
        return asking.result() or _at_once(world, call.call_id)
    finally:
        for task in (asking, reading):
            task.cancel()
        await asyncio.gather(asking, reading, return_exceptions=True)


async def _here(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> Answer | None:
    if world.approver is None:
        return None
    policy, spent = world.setup.policy, world.state.budget
    question = Question(
        world.recorder.identity.run_id,
        call.call_id,
        contract.name,
        contract.owner,
        world.scrub.data(world.args(call.call_id)),
        decision.tier,
        decision.rule,
        digest_of(world, call, contract),
        spent.spent_micro / 1e6,
        budget.cap_micro(policy.budget, spent) / 1e6,
        policy.approval.timeout_s,
        tuple((each.source, each.text) for each in _copied(world, call)),
        words.around(world, contract),
        shell.parts_of(world, contract, world.args(call.call_id)),
        shell.files_of(world, contract, world.args(call.call_id)),
    )
    return await world.approver.ask(question)


async def _elsewhere(world: World, call_id: str) -> Answer | do.Stop:
    while True:
        answer = _at_once(world, call_id)
        if answer is not None:
            return answer
        await asyncio.sleep(POLL_S)


def _at_once(world: World, call_id: str) -> Answer | do.Stop | None:
    """What waits in the inbox: an answer to this very request, or a wish. An answer to an older request is put away."""
    wanted = wish(world)
    if wanted is not None:
        return wanted
    call = find(world.state.inflight, call_id)
    for letter in world.letters():
        if letter.kind == "stop":
            world.recorder.took(letter.id)
            return Answer("stop", letter.sender, letter.payload)
        if call is None or letter.call_id != call_id or letter.kind not in {"approve", "deny"}:
            continue
        world.recorder.took(letter.id)
        if letter.asked_seq == call.asked_seq:
            return Answer("approve" if letter.kind == "approve" else "deny", letter.sender, letter.payload)
    return None


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
    contract = world.setup.contracts[call.tool]
    digest = digest_of(world, call, contract)
    why = world.scrub.text(answer.why)
    world.recorder.record(ApprovalDecided(call.call_id, answer.decision, answer.by, round(waited, 3), why, digest))
