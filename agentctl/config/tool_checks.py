"""What a `[[tools]]` entry may say: four forms, each with its own keys, and names that nobody else has."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, cast

from agentctl.config import paths, tool_schema
from agentctl.config.problems import KeyPath, did_you_mean, nearest, show
from agentctl.config.toml import Document
from agentctl.config.urls import server
from agentctl.core.task import Task, Tool
from agentctl.errors import Problem
from agentctl.records import dataclass

Form = Literal["program", "builtin", "python", "mcp"]
FILE_TOOLS = ("read_file", "list_files", "search_files", "write_file", "edit_file")
BUILTINS = (*FILE_TOOLS, "shell", "http_get")
FORMS = ("builtin:NAME", "python:MODULE:FUNCTION", "mcp")
# Keys that not every form has; the rest of the contract is for all.
ONLY: Mapping[str, tuple[Form, ...]] = {
    "name": ("program", "python", "mcp"),
    "description": ("program",),
    "command": ("program", "mcp"),
    "parameters": ("program",),
    "roots": ("builtin",),
    "hosts": ("builtin",),
    "url": ("mcp",),
    "include": ("mcp",),
    "env": ("mcp",),
    "trusted": ("mcp",),
}
IS = {
    "program": "a program",
    "builtin": "a built-in tool",
    "python": "a Python function",
    "mcp": "an MCP server",
}

wire_name = re.compile(r"[a-zA-Z0-9_-]{1,64}")
function = re.compile(r"python:[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One `[[tools]]` and where it stands."""

    tool: Tool
    document: Document
    path: KeyPath

    def problem(self, key: str, message: str, suggestion: str = "", *, at_key: bool = False) -> Problem:
        """What is wrong at one of its keys."""
        return self.document.problem((*self.path, key), message, suggestion, key=at_key)

    @property
    def said(self) -> dict[str, object]:
        """The keys that the file sets."""
        tools = cast("list[dict[str, object]]", self.document.data["tools"])
        return tools[cast("int", self.path[1])]


def form(tool: Tool) -> Form | None:
    """What an entry is; None where `use` is nothing that we know."""
    if not tool.use:
        return "program"
    if tool.use == "mcp":
        return "mcp"
    if tool.use.startswith("python:"):
        return "python"
    return "builtin" if tool.use.startswith("builtin:") else None


def tool_name(tool: Tool) -> str:
    """The name under which a tool is shown and ruled; of an MCP server the prefix."""
    return tool.name or tool.use.rpartition(":")[2]


def check(task: Task, document: Document, base: Path) -> Iterator[Problem]:
    """Everything that is wrong with the tools of a task."""
    for number, tool in enumerate(task.tools):
        entry = Entry(tool, document, ("tools", number))
        kind = form(tool)
        if kind is None or (kind == "builtin" and tool.use[8:] not in BUILTINS):
            yield unknown_use(entry)
            continue
        yield from keys(entry, kind)
        yield from essentials(entry, kind)
        yield from recovery(entry)
        yield from folders(entry, base)
    yield from names(task, document)
    yield from references(task, document)


def unknown_use(entry: Entry) -> Problem:
    """A `use` that means nothing."""
    known = [f"builtin:{name}" for name in BUILTINS]
    use = entry.tool.use
    near = nearest(use, known) or nearest(f"builtin:{use}", known)
    hint = f'did you mean "{near}"?' if near else f"built in are: {', '.join(BUILTINS)}"
    return entry.problem("use", f"expected one of: {', '.join(FORMS)}, got {show(use)}", hint)


def keys(entry: Entry, kind: Form) -> Iterator[Problem]:
    """Keys that another form has."""
    for key in entry.said:
        if key in ONLY and kind not in ONLY[key]:
            wanted = " or ".join(IS[each] for each in ONLY[key])
            yield entry.problem(key, f"only {wanted} has this key", f"this is {IS[kind]}", at_key=True)
    if kind == "builtin":
        name = entry.tool.use[8:]
        if entry.tool.roots and name not in FILE_TOOLS:
            yield entry.problem("roots", f"only file tools have roots, {name} is none", at_key=True)
        if entry.tool.hosts and name != "http_get":
            yield entry.problem("hosts", "only http_get has this key", at_key=True)


def essentials(entry: Entry, kind: Form) -> Iterator[Problem]:
    """What each form can't do without."""
    tool = entry.tool
    if kind == "python" and not function.fullmatch(tool.use):
        yield entry.problem("use", f"expected python:MODULE:FUNCTION, got {show(tool.use)}")
    if kind in {"program", "mcp"} and not tool.name:
        yield entry.problem("name", f"missing in [[tools]]; {IS[kind]} needs a name")
    if tool.command and not tool.command[0]:
        yield entry.problem("command", "expected the name of a program first")
    if kind == "mcp" and bool(tool.command) == bool(tool.url):
        both = "both are given" if tool.url else "neither is given"
        key = "url" if tool.url else "command"
        yield entry.problem(key, f"expected either command or url; {both}")
    elif tool.url and (words := server(tool.url, query=True)):
        yield entry.problem("url", *words)
    if kind != "program":
        return
    if not tool.command:
        hint = 'write command = ["python3", "tool.py"]; a tool of ours: use = "builtin:…"'
        yield entry.problem("command", "missing in [[tools]]; a program needs a command", hint)
    if tool.parameters is not None:
        path: KeyPath = (*entry.path, "parameters")
        yield from tool_schema.check(tool.parameters, entry.document, path, of_object=True)
    elif "parameters" not in entry.said:
        hint = 'write parameters = { type = "object", properties = {} }'
        yield entry.problem("parameters", "missing in [[tools]]; a program needs them", hint)


def recovery(entry: Entry) -> Iterator[Problem]:
    """`reconcile` and `verify` need each other."""
    if entry.tool.recovery == "reconcile" and not entry.tool.verify:
        message = "reconcile asks a program what happened: verify is missing"
        yield entry.problem("recovery", message, 'write verify = ["program", "argument"]')
    if entry.tool.verify and entry.tool.recovery != "reconcile":
        yield entry.problem("verify", 'only recovery = "reconcile" asks it', at_key=True)


def folders(entry: Entry, base: Path) -> Iterator[Problem]:
    """Roots are folders, and a program that is named by its path is there."""
    for number, root in enumerate(entry.tool.roots):
        path = base / paths.expanded(root)
        if not path.is_dir():
            found = "that is a file" if path.exists() else "no such folder"
            yield entry.document.problem((*entry.path, "roots", number), f"expected a folder: {show(root)}: {found}")
    program = entry.tool.command[0] if entry.tool.command else ""
    if "/" in program and not (base / paths.expanded(program)).is_file():
        place: KeyPath = (*entry.path, "command", 0)
        yield entry.document.problem(place, f"no such file: {show(program)}")


def names(task: Task, document: Document) -> Iterator[Problem]:
    """Every tool has a name that a model can be given, and that no other tool has."""
    first: dict[tuple[bool, str], tuple[int, str]] = {}
    for number, tool in enumerate(task.tools):
        name = tool_name(tool)
        if not name or form(tool) is None:
            continue
        key = "name" if tool.name else "use"
        place: KeyPath = ("tools", number, key)
        wire = name.replace(".", "__")
        if not wire_name.fullmatch(wire):
            message = f"expected 1 to 64 letters, digits, _, - or dots, got {show(name)}"
            yield document.problem(place, message)
        known, shown = first.setdefault((tool.use == "mcp", wire), (number, name))
        if known != number:
            as_sent = "" if shown == name else f", both are sent as {wire}"
            message = f"expected a name of its own; tools[{known}] is {show(shown)}{as_sent}"
            yield document.problem(place, message)


def references(task: Task, document: Document) -> Iterator[Problem]:
    """Tools that are named elsewhere exist. Those of an MCP server are known only once it runs."""
    known = [tool_name(tool) for tool in task.tools if tool.use != "mcp"]
    servers = tuple(f"{tool.name}." for tool in task.tools if tool.use == "mcp")
    wanted: list[tuple[KeyPath, str]] = [
        (("tools", number, "fallback_tool"), tool.fallback_tool)
        for number, tool in enumerate(task.tools)
        if tool.fallback_tool
    ]
    wanted += [(("steps", number, "tool"), step.tool) for number, step in enumerate(task.steps)]
    for path, name in wanted:
        if name not in known and not name.startswith(servers or ("\0",)):
            there = f"there is: {', '.join(known)}" if known else "the task has no tools"
            hint = did_you_mean(name, known) or there
            yield document.problem(path, f"no tool is called {show(name)}", hint)
        elif path[0] == "tools" and name == tool_name(task.tools[cast("int", path[1])]):
            yield document.problem(path, "a tool can't stand in for itself")


def absent_programs(task: Task) -> Iterator[str]:
    """Programs that are not on the PATH of this machine; another one may have them."""
    for tool in task.tools:
        program = tool.command[0] if tool.command else ""
        if program and "/" not in program and shutil.which(program) is None:
            yield f"{tool.name}: the program {show(program)} is not on the PATH"
