"""The seams around one tool call: whether it runs, and whether its answer is the answer.

With `decide.py` the only file that knows more than one guard; the order of the lines is the order in which they speak.
"""

from __future__ import annotations

import difflib

from agentctl.core import decisions as do
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.guards import approval, args, budget, circuit, loops, results, risk
from agentctl.core.inflight import CallState
from agentctl.core.setup import Call, Setup
from agentctl.core.state import State
from agentctl.core.tiers import Tier

DOUBT = "its outcome is unknown: approve runs it (again), deny skips it"
REDEFINED = "its definition has changed since it was pinned:\n{diff}"
CHANGED = "tool, arguments or policy have changed since it was approved"


def before_tool(setup: Setup, state: State, call: Call, now: float) -> do.CallDecision:
    """Whether one call runs: known, well-formed, no repeat, within its limits, healthy, allowed."""
    policy, at = setup.policy, call.state
    contract = setup.contracts.get(at.tool)
    if state.run.landing is not None:
        return do.RefuseCall("budget", _over(state.run.landing.reason))
    if contract is None:
        return do.RefuseCall("args", unknown_tool(at.tool, tuple(c.name for c in setup.contracts.values())))
    if at.phase == "denied" or contract.gone:
        return do.RefuseCall("approval", _denied(contract, at) if at.phase == "denied" else _gone(contract))
    bad = args.check(policy.args, contract, call.args, call.garbled)
    if bad is not None:
        halt = None
        if policy.args.error_format == "throw":
            halt = do.Stop("failed", "invalid_args", 15, f"{bad.message}. {bad.hint}")
        return do.RefuseCall("args", bad, halt=halt)
    shared = _shared(state, at)
    if shared:
        return do.ShareCall(shared)
    refusal = _limits(setup, state, call, contract, now)
    if refusal is not None and refusal.guard == "circuit":
        return _fallback(setup, state, call, contract, now) or refusal
    if refusal is not None:
        return refusal
    if contract.requires_check and not state.run.checked:
        return do.RunCheck() if state.run.checked is None and setup.check_retries is not None else _unchecked(contract)
    return _permission(setup, contract, call)


def _permission(setup: Setup, contract: Contract, call: Call) -> do.RunCall | do.AskPerson:
    """Whether it may run by itself. What was started and not seen to finish is in doubt, and asked about first."""
    policy, at = setup.policy, call.state
    tier = risk.tier(policy.risk, contract).tier
    started = at.phase == "started" or (at.phase == "waiting" and at.attempts > 0)
    if started and contract.recovery not in {"rerun", "same_key"}:
        return do.AskPerson(Tier.HIGH, DOUBT)
    if at.approved and at.digest == call.digest:
        return do.RunCall(tier)
    if contract.changed:  # also where it was approved as something else
        return do.AskPerson(Tier.HIGH, REDEFINED.format(diff=contract.changed))
    if at.approved:
        return do.AskPerson(tier, CHANGED)
    ruling = risk.check(policy.risk, contract)
    if ruling is not None and policy.approval.enabled:
        return do.AskPerson(ruling.tier, ruling.rule)
    if at.phase == "waiting":
        return do.AskPerson(tier, "it was asked before")
    return do.RunCall(tier)


def _gone(contract: Contract) -> Envelope:
    return envelope.redefined(contract.name, "is gone from")


def _denied(contract: Contract, at: CallState) -> Envelope:
    if not at.attempts:
        return approval.denied(contract.name, at.why)
    text = f"The outcome of {contract.name} is unknown and it was not run again."
    reason = f" Reason: {at.why}" if at.why else ""
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
    if risk.check(setup.policy.risk, other) is not None or _limits(setup, state, call, other, now) is not None:
        return None
    return do.RunCall(risk.tier(setup.policy.risk, other).tier, instead=other.name)


def _shared(state: State, at: CallState) -> str:
    for other in state.inflight.calls:
        if other.call_id == at.call_id:
            return ""
        if other.key == at.key and other.phase != "denied":
            return other.call_id
    return ""


def _limits(setup: Setup, state: State, call: Call, contract: Contract, now: float) -> do.RefuseCall | None:
    policy, at = setup.policy, call.state
    if at.attempts == 0:
        repeat = loops.check(policy.loops, state.loops, at.key, pollable=contract.pollable)
        if repeat is not None:
            why = f"{contract.name} was called {repeat.count} times with the same arguments"
            halt = do.Stop("stopped", "loop", 11, f"Could not complete: {why}. Please try a more specific query.")
            kind = (repeat.kind, repeat.count)
            return do.RefuseCall("loops", loops.reflection(), kind, halt if repeat.halt else None)
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
