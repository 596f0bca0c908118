"""Items about limits: steps, tokens, money, the window, loops, and what is asked before anything is sent."""

from __future__ import annotations

from typing import Final

from agentctl.core.audit.facts import Facts, Lack, Said, must, on, told
from agentctl.core.policy import Policy

NO_CAP: Final = 500
"""Steps above which a limit stops nothing: ten times the panic button. E13"""
ENDLESS: Final = {
    ("budget", "run_usd"): 1_000,
    ("budget", "max_tool_calls"): 10_000,
    ("budget", "max_wall_s"): 7 * 86_400,
    ("tokens", "total"): 100_000_000,
    ("pace", "tokens_per_minute"): 100_000_000,
    ("pace", "usd_per_minute"): 1_000,
    ("context", "max_tokens"): 10_000_000,
    ("context", "hard_limit_tokens"): 10_000_000,
}
"""Likewise of the others: no run that goes well comes near, and one that goes wrong is long a disaster."""
DEFAULTS: Final = Policy()


def steps(facts: Facts) -> Said:
    """B52"""
    yield from on(facts, "budget")
    why = f"more than {NO_CAP} steps stop nothing"
    yield must(facts, ("budget", "max_steps"), facts.policy.budget.max_steps <= NO_CAP, 20, why)


def tokens(facts: Facts) -> Said:
    """B53"""
    yield from on(facts, "tokens")
    yield _ends(facts, "tokens", "total")


def loops(facts: Facts) -> Said:
    """B54"""
    yield from on(facts, "loops")
    rules = facts.policy.loops
    why = f"no call comes again so often within loops.window = {rules.window}"
    seen = min(rules.max_repeats, rules.consecutive) <= rules.window
    yield must(facts, ("loops", "max_repeats"), seen, min(DEFAULTS.loops.max_repeats, rules.window), why)
    yield told(facts, "loops", "on_loop")


def arguments(facts: Facts) -> Said:
    """C48"""
    yield from on(facts, "args")
    rules = facts.policy.args
    yield must(facts, ("args", "strict"), rules.strict, value=True)
    why = "a wrong argument ends the run instead of being corrected"
    yield must(facts, ("args", "error_format"), rules.error_format == "structured", "structured", why)


def pace(facts: Facts) -> Said:
    """C49"""
    yield from on(facts, "pace", "retry")
    yield _ends(facts, "pace", "tokens_per_minute")
    yield _ends(facts, "pace", "usd_per_minute")
    yield must(facts, ("retry", "jitter"), facts.policy.retry.jitter, value=True, why="all retry at one moment")


def window(facts: Facts) -> Said:
    """C50"""
    yield from on(facts, "context")
    yield _ends(facts, "context", "max_tokens")


def guardrails(facts: Facts) -> Said:
    """C51"""
    yield from on(facts, "budget", "progress")
    for key in ("run_usd", "max_tool_calls", "max_wall_s"):
        yield _ends(facts, "budget", key)
    halts = facts.policy.progress.halt_on_stall
    yield must(facts, ("progress", "halt_on_stall"), halts, value=True, why="a run that gets nowhere goes on")


def request(facts: Facts) -> Said:
    """E28"""
    yield from on(facts, "budget", "context")
    yield told(facts, "budget", "max_steps")
    yield _ends(facts, "context", "hard_limit_tokens")
    rules = facts.policy.tokens
    for number, provider in enumerate(facts.policy.providers):
        if rules.enabled and provider.max_output_tokens > rules.total:
            path = ("providers", number, "max_output_tokens")
            why = f"one reply may be more than the whole run (tokens.total = {rules.total})"
            yield must(facts, path, good=False, value=max(1, rules.total // 4), why=why)


def _ends(facts: Facts, table: str, key: str) -> Lack | str:
    """A limit that a run could meet. What is put in its place is the default, where that fits the rest."""
    most = ENDLESS[table, key]
    value: float = getattr(getattr(facts.policy, table), key)
    default: float = getattr(getattr(DEFAULTS, table), key)
    if key == "hard_limit_tokens":
        trims = facts.policy.context.max_tokens
        default = max(default, trims if trims <= most else 0)
    return must(facts, (table, key), value <= most, default, f"more than {most} stops nothing")
