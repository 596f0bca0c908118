"""Items about people: which calls wait for somebody's yes."""

from __future__ import annotations

from agentctl.core.audit.facts import Facts, Lack, Said, in_policy, listed, must, of_tool, on
from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.task import SideEffects
from agentctl.core.tiers import Tier


def high(facts: Facts) -> Said:
    """B56"""
    yield from on(facts, "risk", "approval")
    rules = facts.policy.risk
    yield must(facts, ("risk", "auto_approve"), rules.auto_approve < Tier.HIGH, Tier.LOW, "nothing asks")
    why = "what nobody classified runs without asking"
    yield must(facts, ("risk", "unknown"), rules.unknown > min(rules.auto_approve, Tier.MEDIUM), Tier.HIGH, why)
    for contract in facts.contracts:
        if rules.enabled and rules.auto_approve < Tier.HIGH and _born_high(rules, contract):
            yield from _free(facts, contract)
    names = [each.name for each in facts.contracts if risk.tier(rules, each).tier is Tier.HIGH]
    if names:
        yield f"high: {listed(names)}"


def _born_high(rules: risk.Rules, contract: Contract) -> bool:
    """A tool that is high whatever the policy says: a shell, a payment; what nobody has looked at, but for a star."""
    decided = risk.tier(rules, contract).decided
    unknown = contract.side_effects is None and contract.base_tier is None and contract.name not in rules.tiers
    starred = unknown and decided is not None and "*" in rules.rules[decided].tool
    return Tier.HIGH in {contract.base_tier, risk.NAMED.get(contract.name)} or starred


def _free(facts: Facts, contract: Contract) -> Said:
    """That a tool runs without asking, and the line that ends it."""
    rules = facts.policy.risk
    if risk.check(rules, contract) is None:
        ruling = risk.tier(rules, contract)
        where = of_tool(facts, contract.name, "side_effects")
        yield Lack(f"{where} runs without asking: {ruling.tier.word} by {ruling.rule}", _gate(facts, contract))


def effects(facts: Facts) -> Said:
    """D68"""
    yield from _gated(facts, "external")


def irreversible(facts: Facts) -> Said:
    """B59"""
    yield from _gated(facts, "irreversible")
    for contract in _of(facts, "irreversible"):
        yield from _excepted(facts, contract)


def _of(facts: Facts, kind: SideEffects) -> list[Contract]:
    """The tools that say so of themselves, or of which their server does; those that nobody may call aside."""
    said = [each for each in facts.contracts if kind in {each.side_effects, each.warned}]
    return [each for each in said if not risk.hidden(facts.policy.risk, each)]


def _gated(facts: Facts, kind: SideEffects) -> Said:
    found = _of(facts, kind)
    if not found:
        yield f'no tool has side_effects = "{kind}"'
        return
    rules = facts.policy.risk
    free = [each for each in found if risk.check(rules, each) is None]
    if not facts.policy.approval.enabled:
        yield from on(facts, "approval")
    for contract in free:
        yield from _free(facts, contract)
    if len(free) < len(found):
        yield f"asks: {listed([each.name for each in found if each not in free])}"


def _gate(facts: Facts, contract: Contract) -> str:
    rules = facts.policy.risk
    if not rules.enabled:
        return in_policy(facts, ("risk", "enabled"), value=True)
    if rules.auto_approve is Tier.HIGH:
        return in_policy(facts, ("risk", "auto_approve"), Tier.LOW)
    ruling = risk.tier(rules, contract)
    if ruling.decided is not None:
        return f'in the policy: [[risk.rules]] {rules.rules[ruling.decided].tool}: tier = "high"'
    return in_policy(facts, ("risk", "tiers", contract.name), Tier.HIGH)


def _excepted(facts: Facts, contract: Contract) -> Said:
    """Rules that let some of its calls run by themselves."""
    rules = facts.policy.risk
    for number, rule in enumerate(rules.rules):
        lets = rule.tier != "forbid" and Tier.of(rule.tier) <= rules.auto_approve
        if rule.args and lets and risk.names(rule, contract):
            why = f"{_rule(facts, number)} lets some calls of {contract.name} run without asking"
            yield Lack(why, f'in the policy: [[risk.rules]] {rule.tool}: tier = "high"')


def _rule(facts: Facts, number: int) -> str:
    """A rule by its place."""
    return facts.policy_at(("risk", "rules", number)) or f"risk.rules[{number}]"
