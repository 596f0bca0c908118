"""Items about those who answer: time, circuits, a second provider, the cache."""

from __future__ import annotations

from typing import Final

from agentctl.core.audit.facts import Facts, Lack, Said, listed, must, on, told
from agentctl.core.policy import Provider

LEAST_RATIO: Final = 0.1
"""A hit ratio that even a cold cache reaches: a watch below it never wakes anybody."""
HOPELESS: Final = 100
"""Failures above which a circuit protects nobody."""
OTHERS: Final = {
    "anthropic": 'sdk = "openai", model = "gpt-5.4", priority = 9, degraded = true',
    "openai": 'sdk = "anthropic", model = "claude-sonnet-4-6", priority = 9, degraded = true',
}


def bounded(facts: Facts) -> Said:
    """E29"""
    yield from _opens(facts)
    whole = facts.policy.budget.max_wall_s
    for number, provider in enumerate(facts.policy.providers):
        if provider.timeout_s >= whole:
            why = f"silent for as long as the run may last (budget.max_wall_s = {whole:g})"
            yield must(facts, ("providers", number, "timeout_s"), good=False, value=min(60.0, whole / 2), why=why)
    yield listed([f"{each.name} {each.timeout_s:g}s of silence" for each in facts.policy.providers])
    if facts.contracts:
        yield listed([f"{each.name} {each.timeout_s:g}s" for each in facts.contracts])


def _opens(facts: Facts) -> Said:
    """A circuit that failures could open, in a row or by their rate."""
    yield from on(facts, "circuit")
    rules = facts.policy.circuit
    for path, each in ((("circuit",), rules), (("circuit", "tools"), rules.tools)):
        if min(each.failure_threshold, each.min_calls) > HOPELESS:
            why = f"more than {HOPELESS} failures open nothing"
            yield must(facts, (*path, "failure_threshold"), good=False, value=5, why=why)


def second(facts: Facts) -> Said:
    """C52"""
    yield from _opens(facts)
    lack = alone(facts)
    if lack is not None:
        yield lack
        return
    yield " → ".join(each.name for each in facts.answering)
    yield told(facts, "circuit", "failure_threshold")


def alone(facts: Facts) -> Lack | None:
    """That all who answer go down together; None: they do not."""
    found = facts.answering
    if len({_place(each) for each in found}) > 1:
        return None
    said = "one provider answers" if len(found) == 1 else f"{len(found)} providers answer at one address"
    where = facts.policy_at(("providers",))
    why = f"{said}: {listed([each.name for each in found])}{f' ({where})' if where else ''}"
    return Lack(why, another(facts))


def another(facts: Facts) -> str:
    """The fix that adds a provider at another address."""
    names, name = {each.name for each in facts.policy.providers}, "second"
    while name in names:
        name += "-more"
    return f'in the policy, beside the others: [[providers]] name = "{name}", {OTHERS[facts.answering[0].sdk]}'


def _place(provider: Provider) -> tuple[str, str]:
    """What goes down together."""
    return provider.sdk, provider.base_url or ""


def cached(facts: Facts) -> Said:
    """C53"""
    yield from on(facts, "cache", "alerts")
    enough = facts.policy.cache.min_hit_ratio >= LEAST_RATIO
    yield must(facts, ("cache", "min_hit_ratio"), enough, 0.5, "no miss is ever told")
    yield f"agentctl cache warm {facts.command}"
