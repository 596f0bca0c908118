"""How dangerous one exact call is, and whether it may run without asking."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.core.bounds import Name, table
from agentctl.core.contract import Contract
from agentctl.core.messages import JsonObject
from agentctl.core.tiers import Tier
from agentctl.records import dataclass

Verdict = Literal["safe", "low", "medium", "high", "forbid"]
NAMED = {
    "search_web": Tier.SAFE,
    "read_file": Tier.SAFE,
    "write_file": Tier.LOW,
    "send_email": Tier.MEDIUM,
    "post_tweet": Tier.MEDIUM,
    "delete_record": Tier.HIGH,
    "process_payment": Tier.HIGH,
}


@table
class Rule:
    """One entry of `[[risk.rules]]`."""

    tool: Name
    """A tool's name; `*` stands for any characters."""
    tier: Verdict
    """`forbid`: the tool is not even shown to the model."""
    args: dict[str, str] = field(default_factory=dict[str, str])
    """JSON path to RE2 pattern; all must match."""
    why: str = ""
    match: tuple[JsonObject, ...] = ()
    """Arguments that this rule must match; checked at load."""
    not_match: tuple[JsonObject, ...] = ()
    """Arguments that this rule must not match; checked at load."""


@table
class Rules:
    """The policy's `[risk]`."""

    enabled: bool = True
    """False is printed at every start."""
    auto_approve: Tier = Tier.LOW
    """Tiers up to this one run without asking. B40"""
    unknown: Tier = Tier.HIGH
    """A tool that nobody classified. B39"""
    contracts: Literal["classify", "raise_only"] = "classify"
    """classify: a tool's side_effects give its tier; raise_only: they may only raise it."""
    tiers: dict[str, Tier] = field(default_factory=lambda: dict(NAMED))
    """Tiers by tool name; merged with the inherited ones. B32-B38"""
    rules: tuple[Rule, ...] = ()
    """The strictest matching rule decides; rules of parents come first."""


EFFECT_TIERS = {"none": Tier.SAFE, "local": Tier.LOW, "external": Tier.MEDIUM, "irreversible": Tier.HIGH}


@dataclass(frozen=True, slots=True)
class Ruling:
    """The tier of a call and what set it."""

    tier: Tier
    rule: str


def tier(rules: Rules, contract: Contract) -> Ruling:
    """The tier of a call of this tool: by name, else the built-in's own, else its contract, else unknown."""
    effects = contract.side_effects
    declared = None if effects is None else EFFECT_TIERS[effects]
    named = rules.tiers.get(contract.name)
    if named is not None:
        ruling = Ruling(named, f"risk.tiers.{contract.name}")
    elif contract.base_tier is not None:
        ruling = Ruling(contract.base_tier, "built-in")
    elif declared is not None and rules.contracts == "classify":
        return Ruling(declared, f'side_effects = "{effects}"')
    else:
        ruling = Ruling(rules.unknown, "risk.unknown")
    if declared is not None and rules.contracts == "raise_only" and declared > ruling.tier:
        return Ruling(declared, f'side_effects = "{effects}"')
    return ruling


def check(rules: Rules, contract: Contract) -> Ruling | None:
    """The ruling that needs a person, or None. Compared as numbers (H1)."""
    ruling = tier(rules, contract)
    return ruling if above(rules, ruling.tier) else None


def above(rules: Rules, tier: Tier) -> bool:
    """Whether a tier is more than may run without asking."""
    return rules.enabled and tier > rules.auto_approve
