"""The contract of a tool that is only named: a built-in's own, else that of a tool of which nothing is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agentctl.core.contract import Contract
from agentctl.core.policy import Policy
from agentctl.core.task import SideEffects
from agentctl.core.task import Tool as Entry
from agentctl.tools.base import BUILTINS, KNOWN, READS
from agentctl.tools.builtin.shell import reading
from agentctl.tools.declared import contract_of

NAMES = tuple(BUILTINS)
"""The built-in tools."""


def contract(name: str, policy: Policy, side_effects: SideEffects | None = None) -> Contract:
    """What a task's tool of this name would promise if its entry said no more; a shell's folder is this one."""
    if name in BUILTINS:
        known = KNOWN.get(name, READS)
        effects = side_effects or known.side_effects
        entry = Entry(name=name, parameters=BUILTINS[name].PARAMETERS)
        made = contract_of(entry, policy, base_tier=known.tier, side_effects=effects, labels=known.labels)
    else:
        made = contract_of(Entry(name="tool"), policy, side_effects=side_effects)
    command = reading(Path.cwd()) if name == "shell" else None
    folders = (str(Path.cwd()),) if name in BUILTINS else ()
    return replace(made, name=name, wire=name.replace(".", "__"), command=command, folders=folders)
