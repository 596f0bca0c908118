"""The seams around one tool call: whether it runs, and whether its answer is the answer.

Only this file, `decide.py` and `decide_end.py` know more than one guard; the order of the lines is the order in which
they speak.
"""

from __future__ import annotations

import difflib
from typing import Literal

from agentctl.core import command_rules, commands, envelope, receipts
from agentctl.core import decisions as do
from agentctl.core.clock import past
from agentctl.core.commands import Command
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import LoopSeen
from agentctl.core.guards import approval, args, budget, circuit, handoff, loops, results, risk, scrub, trust
from agentctl.core.inflight import CallState
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.core.setup import Call, Setup
from agentctl.core.state import State
from agentctl.core.taint import Copied
from agentctl.core.tiers import Tier
from agentctl.records import dataclass, replace

DOUBT = "its unknown outcome: it was started, and nobody saw it finish"
REDEFINED = "its definition has changed since it was pinned:\n{diff}"
CHANGED = "changed since it was approved: {drift}"
EXPIRED = "it was approved more than an hour ago"
FILLED = "the secrets that it is filled in with"


def before_tool(setup: Setup, state: State, call: Call, now: float) -> do.CallDecision:
    """Whether one call runs: known, well-formed, no repeat, within its limits, healthy, allowed.

    What becomes of one that may have happened is settled before anything else, and no refusal says that it did not.
    """
    at, contract = call.state, setup.contracts.get(call.state.tool)
    began = setup.contracts.get(at.by) if at.by else contract
    if at.in_doubt and (settled := _settled(at, contract, began, now)) is not None:
        return _handed(setup, state, at, settled) if isinstance(settled, do.AskPerson) else settled
    decision = _before_tool(setup, state, call, contract, now)
    if at.unknown and isinstance(decision, do.RefuseCall) and (began is None or not began.read_only):
        return replace(decision, envelope=_unknown(at, decision.envelope))
    return decision


def _settled(
    at: CallState, contract: Contract | None, began: Contract | None, now: float
) -> do.Sleep | do.Verify | do.AskPerson | None:
    """How to find out whether it happened; None: it needs not be known. Nobody is asked while it may go on. E30

    `began`: what was started. Where that stood in for the tool, the tool would do the same once more, under any key.
    """
    since, until = at.quiet
    if began is not None and began.read_only:
        return None
    if now < until and past(since, now):
        return do.Sleep(until - now)
    if contract is None:
        return None
    if began is not None and began.name == contract.name and began.recovery in {"rerun", "same_key"}:
        return None
    if began is not None and began.recovery == "reconcile" and began.verify and not at.verify_said:
        return do.Verify()
    return do.AskPerson(Tier.HIGH, DOUBT, once=True, person=True)


def _before_tool(setup: Setup, state: State, call: Call, contract: Contract | None, now: float) -> do.CallDecision:
    at = call.state
    unfit = _unfit(setup, state, call, contract)
    if unfit is not None or contract is None:
        return unfit or do.RefuseCall("args", unknown_tool(at.tool, _shown(setup)))
    shared = _shared(state, at)
    if shared:
        return do.ShareCall(shared)
    refusal = _limits(setup, state, call, contract, now)
    if refusal is not None and refusal.guard == "circuit":
        return (None if at.unknown else _fallback(setup, state, call, contract, now)) or refusal
    if refusal is not None:
        return refusal
    if contract.requires_check and not state.run.checked:
        return do.RunCheck() if state.run.checked is None and setup.check_retries is not None else _unchecked(contract)
    judged = _judged(setup, state, contract, call)
    if judged.decision == "deny":
        return do.RefuseCall("risk", risk.refusal(contract, judged.ruling))
    return _handed(setup, state, at, _permission(state, contract, call, judged, now))


def _unfit(setup: Setup, state: State, call: Call, contract: Contract | None) -> do.RefuseCall | None:
    """Why this call is none that could run: the run ends, a person said no, or the call is not what its tool takes."""
    policy, at = setup.policy, call.state
    if state.run.landing is not None:
        return do.RefuseCall("budget", _over(state.run.landing.reason))
    if state.loops.halted is not None:
        return do.RefuseCall("loops", _ending())
    if contract is None:
        return None
    if at.phase == "denied":
        return do.RefuseCall("approval", approval.denied(contract.name, at.why))
    if contract.gone:
        return do.RefuseCall("approval", _gone(contract))
    bad = scrub.check(state.scrub, at.call_id) or args.check(policy.args, contract, call.args, call.garbled)
    if bad is None:
        kept = trust.keeps(policy.trust, contract) if call.leaks else None
        return None if kept is None else do.RefuseCall("trust", kept)
    halt = None
    if policy.args.error_format == "throw":
        halt = do.Stop("failed", "invalid_args", 15, f"{bad.message}. {bad.hint}")
    return do.RefuseCall("args", bad, halt=halt)


def _handed(
    setup: Setup, state: State, at: CallState, asked: do.RunCall | do.AskPerson
) -> do.RunCall | do.AskPerson | do.Stop:
    """Instead of asking a person, the run may give the case away. D94"""
    if isinstance(asked, do.RunCall):
        return asked
    handed = handoff.check_call(setup.policy.handoff, state.handoff, at.call_id, at.tool, asked.tier)
    if handed is None:
        return asked
    return do.Stop("stopped", "handoff", 19, handoff.sentence(handed), handed)


def _permission(state: State, contract: Contract, call: Call, judged: Judged, now: float) -> do.RunCall | do.AskPerson:
    """Whether it may run by itself."""
    at, tier = call.state, judged.tier
    asks = do.AskPerson(tier, judged.why, judged.once, judged.once) if judged.decision == "ask" else None
    once = asks is not None and asks.once
    same = at.digest == call.digest
    if at.approved and same and receipts.counts(at.approved_at, now):
        return do.RunCall(tier)
    if contract.changed:  # also where it was approved as something else
        return do.AskPerson(Tier.HIGH, REDEFINED.format(diff=contract.changed), once=once, person=True)
    if at.approved:
        why = EXPIRED if same else CHANGED.format(drift=receipts.drift(at.bound, call.bound))
        return do.AskPerson(tier, why, once=once, person=once)
    if asks is not None:
        return do.RunCall(tier, remembered=True) if _is_remembered(state, call, asks, now) else asks
    if at.phase == "waiting":
        return do.AskPerson(tier, "it was asked before")
    return do.RunCall(tier)


def _is_remembered(state: State, call: Call, asks: do.AskPerson, now: float) -> bool:
    """An earlier yes never covers what may not be remembered, nor words that somebody else has put into the call."""
    covered = not asks.once and not call.copied and bool(call.digest)
    return covered and approval.remembers(state.approval, call.digest, now)


def _judged(setup: Setup, state: State, contract: Contract, call: Call) -> Judged:
    policy, reader, command = setup.policy, setup.reader, call.command if _is(call, contract) else None
    copied, writes, known = call.copied, call.writes, state.trust
    if scrub.fills(state.scrub, call.state.call_id):
        known = replace(known, private=(*known.private, FILLED))
    return judge(policy, reader, known, contract, call.args, command=command, copied=copied, writes=writes)


def _is(call: Call, contract: Contract) -> bool:
    """Whether this is the tool that was called, and not one that stands in for it."""
    return call.state.tool in {contract.name, contract.wire}


@dataclass(frozen=True, slots=True)
class Judged:
    """One call as the policy sees it."""

    ruling: risk.Ruling
    """Before trust: what set the tier, and every rule that matched."""
    tier: Tier
    decision: Literal["allow", "ask", "deny"]
    why: str
    once: bool = False
    """A person is asked each time, and no answer is remembered."""


def judge(
    policy: Policy,
    reader: risk.Reader,
    known: trust.State,
    contract: Contract,
    args: JsonObject | None,
    *,
    command: Command | None = None,
    copied: tuple[Copied, ...] = (),
    writes: str = "",
) -> Judged:
    """The tier as risk sees it and trust raises it, what becomes of the call, and why. B40"""
    ruling = command_rules.tier(policy.risk, contract, args, reader, command)
    if risk.forbids(policy.risk, ruling):
        return Judged(ruling, ruling.tier, "deny", ruling.rule)
    raised = trust.check(
        policy.trust, known, contract, ruling.tier, copied, "" if commands.only_reads(command) else writes
    )
    tier = ruling.tier if raised is None else raised.tier
    always = raised is not None and raised.always
    why = ruling.rule if raised is None else f"{ruling.rule}; {raised.why}"
    asks = policy.approval.enabled and (always or risk.above(policy.risk, tier))
    return Judged(ruling, tier, "ask" if asks else "allow", why, always)


def _gone(contract: Contract) -> Envelope:
    return envelope.redefined(contract.name, "is gone from")


def _shown(setup: Setup) -> tuple[str, ...]:
    """The tools that the model was told of."""
    return tuple(each.name for each in setup.contracts.values() if not risk.hidden(setup.policy.risk, each))


def _unknown(at: CallState, refused: Envelope) -> Envelope:
    why = at.why if at.phase == "denied" else refused.message
    text = f"The outcome of {at.tool} is unknown and it was not run again."
    reason = f" Reason: {why}" if why else ""
    return envelope.permanent(text + reason, code="UNKNOWN_OUTCOME", hint="Check whether it happened.")


def _unchecked(contract: Contract) -> do.RefuseCall:
    """D95: only what a deterministic check agrees with."""
    text = f"Not run: {contract.name} runs only after the task's check has passed."
    return do.RefuseCall("results", envelope.permanent(text, code="CHECK_REQUIRED", hint="Mend what the check found."))


def _fallback(setup: Setup, state: State, call: Call, contract: Contract, now: float) -> do.RunCall | None:
    """E25: the fallback tool takes the call with the same arguments, where it may run without asking."""
    other = setup.contracts.get(contract.fallback_tool)
    if other is None or other.changed or other.gone or call.args is None or other.check(call.args) is not None:
        return None
    if (other.requires_check and not state.run.checked) or (
        call.leaks and trust.keeps(setup.policy.trust, other) is not None
    ):
        return None
    judged = _judged(setup, state, other, call)
    if judged.decision != "allow" or _limits(setup, state, call, other, now) is not None:
        return None
    return do.RunCall(judged.tier, instead=other.name)


def _shared(state: State, at: CallState) -> str:
    for other in state.inflight.calls:
        if other.call_id == at.call_id:
            return ""
        if (other.key, other.exact) == (at.key, at.exact) and other.phase != "denied":
            return other.call_id
    return ""


def _limits(setup: Setup, state: State, call: Call, contract: Contract, now: float) -> do.RefuseCall | None:
    policy, at = setup.policy, call.state
    if at.attempts == 0:
        repeat = loops.check(policy.loops, state.loops, at.key, pollable=contract.pollable)
        if repeat is not None:
            seen = LoopSeen(repeat.kind, contract.name, repeat.count, repeat.window, repeat.halt)
            return do.RefuseCall("loops", loops.reflection(), seen)
        reached = budget.check_call(policy.budget, state.budget, now)
        if reached is not None:
            return do.RefuseCall("budget", _over(reached.reason))
        over = results.check(state.results, contract, now)
        if over is not None:
            return do.RefuseCall("results", over)
    if circuit.check(policy.circuit, state.circuit, circuit.tool_name(contract.name), now):
        return do.RefuseCall("circuit", circuit.unhealthy())
    return None


def _over(reason: str) -> Envelope:
    return envelope.permanent(f"Not run: {reason} is reached.", code="LIMIT", hint="Conclude with what you know.")


def _ending() -> Envelope:
    return envelope.permanent("Not run: this run went in circles and ends.", code="LIMIT")


def unknown_tool(name: str, known: tuple[str, ...]) -> Envelope:
    """D08: names it and lists the nearest tools."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or sorted(set(known))[:3]
    listed = ", ".join(near) or "none"
    return envelope.permanent(
        f"Unknown tool: {name[:80]}.", code="UNKNOWN_TOOL", hint=f"Nearest tools: {listed}. Use one of these or answer."
    )


def after_tool(setup: Setup, contract: Contract, answer: Envelope, attempt: int) -> do.ResultDecision:
    """Try the call again, or take this for its answer."""
    delay = results.retry_delay(setup.policy.results, contract, answer, attempt)
    if delay is not None:
        return do.RetryCall(attempt, delay)
    return do.FinishCall(results.settle(contract, answer, attempt))
