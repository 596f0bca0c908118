"""What the loop knows of a tool, and how a task's tools are opened."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentctl import errors
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.core.task import Task
from agentctl.core.task import Tool as Entry
from agentctl.core.tiers import Tier
from agentctl.tools.builtin.list_files import ListFiles
from agentctl.tools.builtin.read_file import ReadFile
from agentctl.tools.command import ProgramTool
from agentctl.tools.confine import Roots
from agentctl.tools.declared import LOCAL, contract_of

BUILTINS: dict[str, type[ReadFile | ListFiles]] = {"read_file": ReadFile, "list_files": ListFiles}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One try of one call."""

    run_id: str
    call_id: str
    idempotency_key: str
    """The same for every try of the call, so that a server can tell that it is the same."""
    args: JsonObject
    timeout_s: float


class Tool(Protocol):
    """Something that can be called."""

    @property
    def contract(self) -> Contract:
        """What it promises."""
        ...

    async def run(self, call: Invocation) -> Envelope:
        """Try once. Late, broken and refused are envelopes; only a cancellation is raised."""
        ...


def open_tools(task: Task, base: Path, policy: Policy) -> tuple[Tool, ...]:
    """The tools of a task, in its order; `base` is the folder of its file. Nothing is started."""
    base = base.resolve()
    tools = tuple(_open(entry, base, policy) for entry in task.tools)
    taken: dict[str, str] = {}
    for tool in tools:
        name, wire = tool.contract.name, tool.contract.wire
        if wire in taken:
            raise errors.Invalid(f"two tools are called '{wire}' on the wire: '{taken[wire]}' and '{name}'")
        taken[wire] = name
    return tools


def _open(entry: Entry, base: Path, policy: Policy) -> Tool:
    kind, _, name = entry.use.partition(":")
    if kind == "builtin" and name in BUILTINS:
        return _open_builtin(name, entry, base, policy)
    if entry.use:
        known = ", ".join(f"builtin:{each}" for each in BUILTINS)
        raise errors.Invalid(
            f"tool '{entry.name or entry.use}': `use = \"{entry.use}\"` is not in this version",
            hint=f"This version has programs (`command`), {known}.",
        )
    if not entry.command:
        raise errors.Invalid(f"tool '{entry.name}': it needs `command` or `use`")
    contract = contract_of(entry, policy)
    return ProgramTool(contract, entry.command, base, policy.sandbox.env)


def _open_builtin(name: str, entry: Entry, base: Path, policy: Policy) -> Tool:
    builtin = BUILTINS[name]
    filled = dataclasses.replace(
        entry,
        name=entry.name or name,
        description=entry.description or builtin.DESCRIPTION,
        parameters=builtin.PARAMETERS,
        idempotent=True,
    )
    contract = contract_of(filled, policy, base_tier=Tier.SAFE, side_effects="none", labels=LOCAL)
    roots = tuple((base / root).resolve() for root in entry.roots or (".",))
    return builtin(contract, Roots(roots, base))
