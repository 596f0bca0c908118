"""The contract of a tool that is only named: a built-in's own, else that of a tool of which nothing is known."""

from __future__ import annotations

from dataclasses import replace

from agentctl.core.contract import Contract
from agentctl.core.policy import Policy
from agentctl.core.task import SideEffects
from agentctl.core.task import Tool as Entry
from agentctl.core.tiers import Tier
from agentctl.tools.base import BUILTINS, KNOWN, READS
from agentctl.tools.declared import contract_of

NAMES = tuple(dict.fromkeys((*BUILTINS, "shell")))
"""The built-in tools."""


def contract(name: str, policy: Policy, side_effects: SideEffects | None = None) -> Contract:
    """What a task's tool of this name would promise if its entry said no more than this."""
    if name in BUILTINS:
        known = KNOWN.get(name, READS)
        effects = side_effects or known.side_effects
        made = contract_of(Entry(name=name), policy, base_tier=known.tier, side_effects=effects, labels=known.labels)
    else:
        tier = Tier.HIGH if name == "shell" else None
        made = contract_of(Entry(name="tool"), policy, base_tier=tier, side_effects=side_effects)
    return replace(made, name=name, wire=name.replace(".", "__"))
