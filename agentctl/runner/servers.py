"""The MCP servers of a run: started before it, because the model is told of their tools, and closed after it.

What a tool's definition was when it was first seen is pinned in the store; another one is used only once somebody
agreed.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from agentctl.config import paths
from agentctl.core.contract import Contract
from agentctl.core.messages import Json, JsonObject, ToolSchema, is_list, is_object
from agentctl.errors import Invalid
from agentctl.journal import pins
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx
from agentctl.runner.plan import Plan
from agentctl.tools.base import Sorted, Tool, in_order

UNAGREED = "The definition of this tool has changed since it was agreed to: a person is asked before it is used."
PROSE = frozenset({"description", "title", "examples", "default", "$comment"})


@asynccontextmanager
async def served(planned: Plan, journal: Store) -> AsyncGenerator[Plan]:
    """The plan with the tools of its MCP servers, which run as long as this stands.

    Raises:
        Invalid: a server can't be started or used.
    """
    entries = [entry for entry in planned.task.task.tools if entry.use == "mcp"]
    if not entries:
        yield planned
        return
    from agentctl.tools import mcp  # loaded by tasks with a server alone

    base = planned.task.base.resolve()
    known = journal.read(lambda tx: pins.definitions(tx, [mcp.identity(entry, base) for entry in entries]))
    log_dir = paths.data_dir() / "mcp"
    log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    servers = await mcp.open_servers(planned.task.task, base, planned.policy, log_dir=log_dir, pins=known)
    try:
        found = [tool for server in servers for tool in await server.tools()]
        seen = {server.identity: server.seen for server in servers}
        await journal.submit(lambda tx: _pin(tx, seen, journal.clock()))
        notes = tuple(note for server in servers for note in server.notes)
        yield extended(planned, found, notes)
    finally:
        await asyncio.gather(*(server.close() for server in servers))


def _pin(tx: Tx, seen: dict[str, dict[str, str]], now: float) -> None:
    for server, definitions in seen.items():
        pins.pin(tx, server, definitions, now)


def extended(planned: Plan, found: Sequence[Tool], notes: tuple[str, ...]) -> Plan:
    """The plan with more tools."""
    contracts: dict[str, Contract] = dict(planned.setup.contracts)
    tools: dict[str, Tool] = dict(planned.tools)
    schemas = list(planned.schemas)
    for tool in found:
        at = tool.contract
        if at.wire in contracts or at.name in contracts:
            raise Invalid(f"two tools are called '{at.wire}' on the wire", hint="Give the server another name.")
        contracts[at.name] = contracts[at.wire] = at
        tools[at.name] = in_order(tool)
        schemas.append(_shown(at))
    setup = dataclasses.replace(planned.setup, contracts=contracts)
    return dataclasses.replace(
        planned, setup=setup, tools=tools, schemas=tuple(schemas), notes=(*planned.notes, *notes)
    )


def _shown(at: Contract) -> ToolSchema:
    """What the model is told. The words of a definition that nobody has agreed to yet do not reach it."""
    if not at.changed:
        return ToolSchema(at.wire, at.description, at.parameters)
    return ToolSchema(at.wire, UNAGREED, cast("JsonObject", _bare(at.parameters)))


def _bare(schema: Json) -> Json:
    """A JSON Schema without its prose."""
    if is_list(schema):
        return [_bare(each) for each in schema]
    if not is_object(schema):
        return schema
    return {name: _bare(each) for name, each in schema.items() if name not in PROSE}


async def agree(journal: Store, tool: Tool) -> None:
    """A person let a tool with a new definition run: that definition is the pinned one from here on."""
    from agentctl.tools.mcp import McpTool  # only ever called for one

    at = tool.inner if isinstance(tool, Sorted) else tool
    if isinstance(at, McpTool):
        await journal.submit(lambda tx: pins.accept(tx, at.server.identity, at.remote, at.definition, journal.clock()))
