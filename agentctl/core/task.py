"""What is to be done, with which tools: the task file as inert values, and the contract that each tool declares."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.core.bounds import Count, Name, Natural, Seconds, table
from agentctl.core.messages import JsonObject

VarType = Literal["string", "integer", "number", "boolean", "file"]
SideEffects = Literal["none", "local", "external", "irreversible"]
RetryPolicy = Literal["none", "fixed", "exponential_backoff"]
Recovery = Literal["rerun", "same_key", "reconcile", "ask"]


@table
class Var:
    """One `[vars.NAME]`."""

    type: VarType = "string"
    """`file`: the value is a path, its content is put in."""
    description: str = ""
    required: bool = False
    default: str | int | float | bool | None = None
    pattern: str | None = None
    """RE2; the whole value must match."""
    choices: tuple[str | int | float | bool, ...] = ()
    secret: bool = False
    """Masked wherever it would be written or shown."""
    untrusted: bool | None = None
    """Its words are someone else's. Default: those of a file, and a text from stdin, without `pattern` or `choices`."""


@table
class Step:
    """One `[[steps]]`: a tool call done before the model speaks. G20"""

    tool: Name
    args: JsonObject = field(default_factory=dict[str, object])


@table
class Tool:
    """One `[[tools]]`: a program, a built-in, a Python function or an MCP server, and its contract. D80-D89"""

    name: str = ""
    description: str = ""
    use: str = ""
    """`builtin:NAME`, `python:MODULE:FUNCTION` or `mcp`; empty: a program."""
    command: tuple[str, ...] = ()
    """The program (or the MCP server) and its arguments."""
    parameters: JsonObject | None = None
    """JSON Schema of the arguments of a program."""
    roots: tuple[str, ...] = ()
    """Folders that file tools may reach, relative to the task."""
    hosts: tuple[str, ...] = ()
    """Hosts that `http_get` may reach although they are local."""
    url: str = ""
    """An MCP server over streamable HTTP."""
    include: tuple[str, ...] = ("*",)
    """Which tools of an MCP server; `*` stands for any characters."""
    env: tuple[str, ...] = ()
    """Environment variables that this MCP server is given."""
    trusted: bool = False
    """An MCP server whose annotations may lower a tier too."""
    owner: str = ""
    timeout_seconds: Seconds | None = None
    """Default: `results.timeout_s`. D65"""
    retry_policy: RetryPolicy | None = None
    """Default: exponential_backoff where idempotent or without side effects, else none."""
    idempotent: bool = False
    side_effects: SideEffects | None = None
    """Default: unknown."""
    auth_scope: str = ""
    max_calls_per_session: Count | None = None
    max_calls_per_minute: Count | None = None
    logs: tuple[str, ...] = ()
    recovery: Recovery | None = None
    """Default: rerun without side effects, same_key where idempotent, else ask."""
    verify: tuple[str, ...] = ()
    """The program that `recovery = "reconcile"` asks."""
    pollable: bool = False
    """The same call may repeat. D02"""
    untrusted: bool | None = None
    """Its words are someone else's."""
    private: bool | None = None
    """It reads what must not leave."""
    egress: bool | None = None
    """It can carry data out."""
    sort_by: str = ""
    """Lists of objects in results are put in this order. D50"""
    fallback_tool: str = ""
    """Used when its circuit is open; the model is told. E25"""
    requires_check: bool = False
    """Runs only after `[check]` has passed. D95"""


@table
class Output:
    """`[output]`: the answer must be JSON of this shape."""

    schema: JsonObject
    retries: Natural = 2


@table
class Check:
    """`[check]`: a program that must exit 0 before the run counts as completed."""

    command: tuple[str, ...]
    retries: Natural = 1
    timeout_seconds: Seconds = 600.0


@table
class Task:
    """A task file, as read."""

    version: Literal[1]
    name: Name
    policy: str = "standard"
    system: str = ""
    system_file: str = ""
    goal: str = ""
    goal_file: str = ""
    rehearsal: str = ""
    """The script that `--rehearse` plays when none is named."""
    vars: dict[str, Var] = field(default_factory=dict[str, Var])
    steps: tuple[Step, ...] = ()
    tools: tuple[Tool, ...] = ()
    output: Output | None = None
    check: Check | None = None
