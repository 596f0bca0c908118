"""What the loop knows of a tool, and how a task's tools are opened."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Protocol

from agentctl import errors, ownkeys
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.core.task import SideEffects, Task
from agentctl.core.task import Tool as Entry
from agentctl.core.tiers import Tier
from agentctl.records import dataclass
from agentctl.tools.builtin import preview
from agentctl.tools.builtin.edit_file import EditFile
from agentctl.tools.builtin.http_get import HttpGet
from agentctl.tools.builtin.list_files import ListFiles
from agentctl.tools.builtin.read_file import ReadFile
from agentctl.tools.builtin.search_files import SearchFiles
from agentctl.tools.builtin.shell import Shell, open_shell, shut_in
from agentctl.tools.builtin.write_file import WriteFile
from agentctl.tools.command import ProgramTool
from agentctl.tools.confine import Roots
from agentctl.tools.declared import LOCAL, Labels, contract_of
from agentctl.tools.protected import Protected
from agentctl.tools.results import ordered
from agentctl.tools.sandbox.box import UNBOXED, Box
from agentctl.tools.sandbox.opening import open_box
from agentctl.tools.sandbox.probe import Found

Builtin = type[ReadFile | ListFiles | SearchFiles | WriteFile | EditFile | HttpGet | Shell]

PROGRAMS = frozenset({".sh", ".py", ".js", ".ts", ".mjs", ".pl", ".rb", ".mk"})
BUILTINS: dict[str, Builtin] = {
    "read_file": ReadFile,
    "list_files": ListFiles,
    "search_files": SearchFiles,
    "write_file": WriteFile,
    "edit_file": EditFile,
    "http_get": HttpGet,
    "shell": Shell,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a built-in before its entry is read."""

    tier: Tier
    side_effects: SideEffects | None
    labels: Labels


READS = Known(Tier.SAFE, "none", LOCAL)
WRITES = Known(Tier.LOW, "local", LOCAL)
KNOWN = {
    "write_file": WRITES,
    "edit_file": WRITES,
    "http_get": Known(HttpGet.BASE_TIER, HttpGet.SIDE_EFFECTS, HttpGet.LABELS),
    "shell": Known(Shell.BASE_TIER, None, Shell.LABELS),
}


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


def open_tools(
    task: Task,
    base: Path,
    policy: Policy,
    files: tuple[Path, ...] = (),
    hidden: tuple[Path, ...] = (),
    *,
    found: Found | None = None,
    box: Box | None = None,
) -> tuple[Tool, ...]:
    """The tools of a task, in its order; `base` is the folder of its file. Nothing is started but Python's imports.

    `files` are the task's own, its policy's too: no file tool and no program writes them; `hidden` are folders of ours
    that no program sees; `found` is what this machine can confine programs with, else it is tried; `box` is where they
    run, else it is made. The tools of MCP servers are not among these: they are known only once their server runs.
    """
    ownkeys.withhold(policy.key_variables)  # before any code of the task's is loaded
    base = base.resolve()
    protected = Protected((*files, *_own_files(task, base)))
    box = box or box_for(task, base, policy, files, hidden, found=found)
    tools = tuple(_open(entry, base, policy, protected, box) for entry in task.tools if entry.use != "mcp")
    taken: dict[str, str] = {}
    for tool in tools:
        name, wire = tool.contract.name, tool.contract.wire
        if wire in taken:
            raise errors.Invalid(f"two tools are called '{wire}' on the wire: '{taken[wire]}' and '{name}'")
        taken[wire] = name
    return tuple(in_order(tool) for tool in tools)


def in_order(tool: Tool) -> Tool:
    """The tool, with the lists of its results in the order that its contract asks for. D50"""
    return Sorted(tool) if tool.contract.sort_by else tool


@dataclass(frozen=True, slots=True)
class Sorted:
    """A tool whose `sort_by` is kept for it."""

    inner: Tool

    @property
    def contract(self) -> Contract:
        """What the tool promises."""
        return self.inner.contract

    async def run(self, call: Invocation) -> Envelope:
        """Try once."""
        found = await self.inner.run(call)
        return dataclasses.replace(found, data=ordered(found.data, self.contract.sort_by))


def box_for(
    task: Task,
    base: Path,
    policy: Policy,
    files: tuple[Path, ...] = (),
    hidden: tuple[Path, ...] = (),
    *,
    found: Found | None = None,
) -> Box | None:
    """Where the programs of a task run, its check too; None: it has none. The rest is as in `open_tools`."""
    wanted = any(map(_boxed, task.tools)) or task.check is not None or policy.sandbox.mode == "required"
    if not wanted:
        return None
    base = base.resolve()
    return open_box(policy.sandbox, base, (*files, *_own_files(task, base)), hidden, found=found)


def _boxed(entry: Entry) -> bool:
    return entry.use == "builtin:shell" if entry.use else bool(entry.command)


def _open(entry: Entry, base: Path, policy: Policy, protected: Protected, box: Box | None) -> Tool:
    kind, _, name = entry.use.partition(":")
    if kind == "builtin" and name in BUILTINS:
        return _open_builtin(name, entry, base, policy, protected, box)
    if kind == "python":
        from agentctl.tools.function import open_function  # pydantic, and what it reads types with

        return open_function(entry, base, policy)
    if entry.use:
        known = ", ".join(f"builtin:{each}" for each in BUILTINS)
        raise errors.Invalid(
            f"tool '{entry.name or entry.use}': `use = \"{entry.use}\"` is not in this version",
            hint=f"This version has programs (`command`), Python functions (`python:`), {known}.",
        )
    if not entry.command:
        raise errors.Invalid(f"tool '{entry.name}': it needs `command` or `use`")
    contract = contract_of(entry, policy)
    return ProgramTool(contract, entry.command, base, policy.sandbox.env, box)


def _open_builtin(name: str, entry: Entry, base: Path, policy: Policy, protected: Protected, box: Box | None) -> Tool:
    builtin = BUILTINS[name]
    filled = dataclasses.replace(
        entry,
        name=entry.name or name,
        description=entry.description or builtin.DESCRIPTION,
        parameters=builtin.PARAMETERS,
        idempotent=builtin not in {EditFile, Shell},  # where `new` holds `old`, a second time is a second change
    )
    known = KNOWN.get(name, READS)
    if issubclass(builtin, Shell) and shut_in(box):
        known = dataclasses.replace(known, labels=LOCAL)
    contract = contract_of(filled, policy, base_tier=known.tier, side_effects=known.side_effects, labels=known.labels)
    roots = Roots(tuple((base / root).resolve() for root in entry.roots or (".",)), base)
    if issubclass(builtin, Shell):
        return open_shell(contract, policy.sandbox, box or Box(UNBOXED, base))
    if issubclass(builtin, HttpGet):
        return builtin(contract, entry.hosts)
    folders = tuple(dict.fromkeys(map(str, (base, base.resolve(), *roots.paths))))
    contract = dataclasses.replace(contract, folders=folders)
    if issubclass(builtin, WriteFile | EditFile):
        seen = preview.of_write if builtin is WriteFile else preview.of_edit
        return builtin(dataclasses.replace(contract, change=functools.partial(seen, roots)), roots, protected)
    return builtin(contract, roots)


def _is_program(file: Path) -> bool:
    return file.is_file() or file.suffix in PROGRAMS


def _own_files(task: Task, base: Path) -> tuple[Path, ...]:
    """What the task is made of, there or not: whoever writes one decides what the next run does.

    What the check looks for and is not there yet may be what the run is to make, unless it is a program.
    """
    words = [task.policy, task.system_file, task.goal_file, task.rehearsal]
    words += [word for tool in task.tools for word in (*tool.command, *tool.verify)]
    words += [word for word in task.check.command if _is_program(base / word)] if task.check else []
    modules = [tool.use.split(":")[1].replace(".", "/") for tool in task.tools if tool.use.startswith("python:")]
    words += [f"{module}{end}" for module in modules for end in (".py", "/__init__.py")]
    files = [base / word for word in words if word and "\0" not in word]
    return tuple({*files, *(Path(os.path.realpath(file)) for file in files)})
