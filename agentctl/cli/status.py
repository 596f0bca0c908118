"""The status line: what is spent, how full the context is, how healthy the provider is, how far it came."""

from __future__ import annotations

from agentctl.core.guards import budget, circuit, trust
from agentctl.core.state import State
from agentctl.tui.limits import Limits

SHOWN = 3
"""Sources of untrusted text that are named."""


def status(limits: Limits, state: State, now: float) -> str:
    """`$0.0123 of $0.50 · context 1,204 of 75,000 · anthropic closed · step 2 of 20`."""
    parts = (
        _spent(limits, state),
        _context(limits, state),
        _health(limits, state, now),
        _steps(limits, state),
        untrusted(state),
    )
    return " · ".join(part for part in parts if part)


def untrusted(state: State) -> str:
    """`untrusted: http_get, var.mail`: whose words are in the run."""
    sources = trust.sources(state.trust)
    more = f" and {len(sources) - SHOWN} more" if len(sources) > SHOWN else ""
    return f"untrusted: {', '.join(sources[:SHOWN])}{more}" if sources else ""


def _spent(limits: Limits, state: State) -> str:
    spent = f"${state.budget.spent_micro / 1e6:,.4f}"
    if limits.policy is None or not limits.policy.budget.enabled:
        return spent
    return f"{spent} of ${budget.cap_micro(limits.policy.budget, state.budget) / 1e6:,.2f}"


def _context(limits: Limits, state: State) -> str:
    used = f"context {state.prompt_tokens:,}"
    return used if limits.policy is None else f"{used} of {limits.policy.context.max_tokens:,}"


def _health(limits: Limits, state: State, now: float) -> str:
    """The circuit of the provider that was asked last."""
    if limits.policy is None or not state.route.asked:
        return ""
    left = circuit.check(limits.policy.circuit, state.circuit, state.route.asked, now)
    if left:
        return f"{state.route.asked} open {left:.0f}s"
    return f"{state.route.asked} {'half-open' if state.route.asked in state.circuit.open else 'closed'}"


def _steps(limits: Limits, state: State) -> str:
    step = f"step {state.budget.steps}"
    if limits.policy is None:
        return step
    return f"{step} of {limits.policy.budget.max_steps + state.budget.raised_steps}"
