"""A call that somebody has to decide: asked here, or from any other terminal through the inbox, whoever is first.

Rules. The answer is bound to the digest of the exact action and is checked again when the call is executed. Nobody
there, or nobody in time: what the policy says, and the run parks unless it says deny. What is asked is written before
it is shown.
"""

from __future__ import annotations

import asyncio

from agentctl.approvals.base import Answer, Question
from agentctl.core import decisions as do
from agentctl.core.contract import Contract
from agentctl.core.decide import Call, before_tool
from agentctl.core.events import ApprovalDecided, ApprovalRequested
from agentctl.core.guards import approval, budget
from agentctl.core.inflight import CallState
from agentctl.journal.inbox import Letter
from agentctl.runner.world import World

POLL_S = 0.2


async def ask_person(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> do.Stop | None:
    """Record what somebody decided; or park, with every call of this reply that needs a person asked for."""
    request(world, call, contract, decision)
    await world.recorder.flush(durable=True)
    asked = world.clock()
    answer = await world.interrupt.guard(_first(world, call, contract, decision))
    if answer is None:
        return await _nobody(world, call, asked)
    _decided(world, call, answer, world.clock() - asked)
    await world.recorder.flush(durable=True)
    return None


def request(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> None:
    """Say that this call needs a person, once."""
    if call.phase == "waiting":
        return
    args = world.scrub.data(world.args(call.call_id))
    digest = digest_of(world, call, contract)
    tier = decision.tier.word
    world.recorder.record(ApprovalRequested(call.call_id, contract.name, tier, decision.rule, digest, args))


def digest_of(world: World, call: CallState, contract: Contract) -> str:
    """What an answer is bound to."""
    return approval.digest(contract.name, contract.digest, world.args(call.call_id), world.policy_digest)


async def _first(world: World, call: CallState, contract: Contract, decision: do.AskPerson) -> Answer | None:
    """The first answer, from the person here or from the inbox."""
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
    )
    return await world.approver.ask(question)


async def _elsewhere(world: World, call_id: str) -> Answer:
    while True:
        answer = _at_once(world, call_id)
        if answer is not None:
            return answer
        await asyncio.sleep(POLL_S)


def _at_once(world: World, call_id: str) -> Answer | None:
    """The answer that waits in the inbox, if there is one."""
    for letter in world.letters():
        answer = _answer_in(letter, call_id)
        if answer is not None:
            world.recorder.took(letter.id)
            return answer
    return None


def _answer_in(letter: Letter, call_id: str) -> Answer | None:
    match letter.kind:
        case "approve" | "deny" as kind if letter.call_id == call_id:
            return Answer(kind, letter.sender, letter.payload)
        case "stop":
            return Answer("stop", letter.sender, letter.payload)
        case _:
            return None


async def _nobody(world: World, call: CallState, asked: float) -> do.Stop | None:
    rules = world.setup.policy.approval
    wait = world.approver is not None
    verdict = rules.on_timeout if wait else rules.non_interactive
    if verdict == "deny":
        why = "nobody answered in time" if wait else "nobody can answer here"
        _decided(world, call, Answer("deny", "policy", why), world.clock() - asked)
        return None
    _ask_for_the_rest(world)
    await world.recorder.flush(durable=True)
    return do.Stop("parked", "approval", 12, "Waiting for a person.")


def _ask_for_the_rest(world: World) -> None:
    """The other calls of this reply that need a person too, so that all can be decided at once."""
    for call in world.state.inflight.open_calls:
        use, contract = world.calls[call.call_id], world.setup.contracts.get(call.tool)
        decision = before_tool(world.setup, world.state, Call(call, use.args, use.garbled), world.clock())
        if isinstance(decision, do.AskPerson) and contract is not None:
            request(world, call, contract, decision)


def _decided(world: World, call: CallState, answer: Answer, waited: float) -> None:
    contract = world.setup.contracts[call.tool]
    digest = digest_of(world, call, contract)
    why = world.scrub.text(answer.why)
    world.recorder.record(ApprovalDecided(call.call_id, answer.decision, answer.by, round(waited, 3), why, digest))
