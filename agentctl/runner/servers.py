"""The MCP servers of a run. The model is told of their tools, so they are listed before it: anew, or from memory.

What a tool's definition was when it was first seen is pinned in the store; another one is used only once somebody
agreed. The last listing of a server is kept there too: while it is young, the server is started by its first call.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from agentctl.config import paths
from agentctl.config.task import LoadedTask
from agentctl.core.contract import Contract
from agentctl.core.guards.risk import hidden
from agentctl.core.messages import Json, JsonObject, ToolSchema, is_list, is_object
from agentctl.core.policy import Policy
from agentctl.errors import Invalid
from agentctl.journal import pins
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner.order import Listener
from agentctl.runner.plan import Plan
from agentctl.runner.progress import Relay
from agentctl.tools.base import Sorted, Tool, in_order

if TYPE_CHECKING:
    from agentctl.runner.asleep import Asleep
    from agentctl.tools.mcp import McpTool, Server

KNOWN_S = 86_400.0
"""For how long a server's last listing speaks for it."""

UNAGREED = "The definition of this tool has changed since it was agreed to: a person is asked before it is used."
PROSE = frozenset({"description", "title", "examples", "default", "$comment"})


@dataclass(frozen=True, slots=True)
class Hosted:
    """The tools of some servers, in the order of the task."""

    tools: tuple[Tool, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""
    asleep: Asleep
    """Those whose servers are not started yet."""


@asynccontextmanager
async def served(planned: Plan, journal: Store, listener: Listener) -> AsyncGenerator[Plan]:
    """The plan with the tools of its MCP servers, which run no longer than this stands.

    Raises:
        Invalid: a server that has to be listed can't be started or used.
    """
    # What stands on a stage has them already.
    if planned.staged is not None or not any(entry.use == "mcp" for entry in planned.task.task.tools):
        yield planned
        return
    relay = Relay(listener)
    async with hosted(planned.task, planned.policy, journal, progress=relay) as found:
        yield dataclasses.replace(extended(planned, found.tools, found.notes), asleep=found.asleep, relay=relay)


@asynccontextmanager
async def hosted(
    task: LoadedTask,
    policy: Policy,
    journal: Store,
    *,
    progress: Relay | None = None,
    anew: Callable[[str], bool] = lambda _: False,
) -> AsyncGenerator[Hosted]:
    """The servers of a task: those that were listed within a day are not started, but for those to be listed `anew`.

    Raises:
        Invalid: a server that has to be listed can't be started or used.
    """
    from agentctl.runner.asleep import Asleep, remember
    from agentctl.tools import mcp  # loaded by tasks with a server alone

    base = task.base.resolve()
    names = [mcp.identity(entry, base) for entry in task.task.tools if entry.use == "mcp"]
    agreed, last = journal.read(
        lambda tx: (pins.definitions(tx, names), {name: pins.listing(tx, name) for name in names})
    )
    log_dir = paths.data_dir() / "mcp"
    log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    servers = await mcp.open_servers(task.task, base, policy, log_dir=log_dir, pins=agreed, progress=progress)
    try:
        recalled = _recalled([each for each in servers if not anew(each.name)], last, journal.clock())
        started = [server for server in servers if server not in recalled]
        listed = dict(zip(started, await asyncio.gather(*(server.tools() for server in started)), strict=True))
        await remember(journal, started)
        await journal.submit(lambda tx: _pin(tx, recalled, last))
        tools = tuple(tool for server in servers for tool in (recalled | listed)[server])
        notes = tuple(note for server in servers for note in server.notes)
        asleep = Asleep(journal, (tool for tools in recalled.values() for tool in tools))
        yield Hosted(tuple(map(in_order, tools)), notes, asleep)
    finally:
        await asyncio.gather(*(server.close() for server in servers))


def _recalled(
    servers: Iterable[Server], last: Mapping[str, pins.Listing | None], now: float
) -> dict[Server, tuple[McpTool, ...]]:
    """The tools of those that need not be started to say what they offer."""
    found: dict[Server, tuple[McpTool, ...]] = {}
    for server in servers:
        known = last[server.identity]
        if known is None or not 0 <= now - known.seen <= KNOWN_S:
            continue
        tools = server.recall(known.definitions)
        if tools is not None:
            found[server] = tools
    return found


def _pin(tx: Tx, recalled: Iterable[Server], last: Mapping[str, pins.Listing | None]) -> None:
    """What was listed before and is offered only now, since the task includes more of it, is pinned as it was."""
    for server in recalled:
        known = last[server.identity]
        if known is not None:
            pins.pin(tx, server.identity, server.seen, known.seen)


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
        tools[at.name] = tool
        if not hidden(planned.policy.risk, at):
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
