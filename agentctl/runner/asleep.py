"""The tools of MCP servers that are known from the store alone: their servers are started when they are first called.

Rules. What such a tool is by now is looked at before a call of it is decided for good; from then on its server is like
any other. A server that can't be started is looked at once for each call: the call itself then says why, and does not
try again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from agentctl.journal import pins
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx
from agentctl.tools.mcp import McpTool, Server
from agentctl.tools.mcp_link import Unreachable


class Asleep:
    """See the module. One for each run."""

    def __init__(self, journal: Store, tools: Iterable[McpTool]) -> None:
        self._journal = journal
        self._tools = {tool.contract.name: tool for tool in tools}
        self._tried: set[str] = set()

    def holds(self, name: str, call_id: str) -> bool:
        """Whether this tool has to be looked at before this call of it."""
        return name in self._tools and call_id not in self._tried

    async def wake(self, wanted: Mapping[str, str]) -> list[McpTool]:
        """Look at the servers of these tools, by call, side by side: what their tools are now.

        Nothing is said of the tools of a server that can't be started.
        """
        self._tried.update(wanted)
        servers: dict[Server, list[str]] = {}
        for call_id, name in wanted.items():
            if (tool := self._tools.get(name)) is not None:
                servers.setdefault(tool.server, []).append(call_id)
        found = await asyncio.gather(*(self._looked_at(server, calls) for server, calls in servers.items()))
        return [tool for tools in found for tool in tools]

    async def _looked_at(self, server: Server, calls: list[str]) -> tuple[McpTool, ...]:
        shown = [tool for tool in self._tools.values() if tool.server is server]
        try:
            now = await server.look(shown, calls)
        except Unreachable:
            return ()
        await remember(self._journal, [server])
        for tool in shown:
            self._tools.pop(tool.contract.name, None)
        return now


async def remember(journal: Store, servers: Iterable[Server]) -> None:
    """Write down what these servers were just seen to offer."""
    seen = [(server.identity, server.seen, server.listing) for server in servers]
    now = journal.clock()

    def work(tx: Tx) -> None:
        for identity, definitions, listing in seen:
            pins.pin(tx, identity, definitions, now)
            pins.listed(tx, identity, listing, now)

    await journal.submit(work)
