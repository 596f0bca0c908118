"""MCP servers: each `[[tools]] use = "mcp"` is one `Server`, each of its tools a `Tool` like any other.

Life cycle, all of it on one event loop:

    servers = await open_servers(task, base, policy, log_dir=folder, pins=agreed)   # starts nothing
    try:
        for server in servers:
            tools += server.recall(known) or await server.tools()   # the latter starts it; Invalid where it can't
            notes += server.notes                   # tools that were left out, and why
            seen[server.identity] = server.seen     # to be pinned: journal.pins.pin
            now[server.identity] = server.listing   # to be recalled: journal.pins.listed
        ...                                       # the run; tool.run(call) like any tool's
    finally:
        for server in servers:
            await server.close()                  # bounded; idempotent; starts nothing

- `agreed` is `journal.pins.definitions(tx, (identity(entry, base) for ... ))`. A tool whose definition is another one
  has `contract.changed`, the difference. Once a person agreed: `pins.accept(tx, tool.server.identity, tool.remote,
  tool.definition, now)`.
- `known` is what `journal.pins.listing` gives, where it is not too old. Tools that were recalled are only what the
  server said once: before the first call, `look` tells what they are now, so that a person can be asked.
- Names are checked within a server. Whoever puts tools of several sources together looks at `contract.wire` again.

Rules.

1. A server starts at the first listing, look or call, never earlier. One that has ended is started anew by the next
   call. A call that was under way is not sent again: the core decides that, by the contract.
2. A connection belongs to a task of its own (`mcp_link.py`). Calls may run side by side and be cancelled one by one.
3. What a model was shown is what is called. After a restart, or when a server says that its tools have changed, they
   are listed again before the next call; a tool that is another one by now is not called in this run any more.
4. A start for a call takes RESTART_S at most, a listing LIST_S, and no call waits for either twice: a program that
   can't be started, by its look or by itself, or a server that is late, fails all attempts of this call at once. A
   later call tries once more. What an HTTP server refuses at once may pass, and is tried again as the contract says.
5. Whatever a server does is an envelope. Only `tools` raises, and only `Invalid`; a cancellation is passed on.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentctl import errors
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.policy import Policy
from agentctl.core.task import Task
from agentctl.core.task import Tool as Entry
from agentctl.foreign import Raised, awaited
from agentctl.records import dataclass
from agentctl.tools import mcp_answer, mcp_define
from agentctl.tools.declared import wire_name
from agentctl.tools.mcp_define import Listed, identity
from agentctl.tools.mcp_link import Link, Unreachable, refusals
from agentctl.tools.mcp_stdio import Child

if TYPE_CHECKING:
    from mcp.shared.dispatcher import ProgressFnT
    from mcp_types import RequestParamsMeta

    from agentctl.tools.base import Invocation

__all__ = ["McpTool", "Progress", "Server", "identity", "open_servers"]

LIST_S = 30.0
LATE_S = 1.0
EVERY_S = 0.1
"""Between two words on the progress of one call; what comes in between is dropped."""
LATER = "Go on without it: only a later call tries to start it once more."
META = "agentctl/"
"""Before our keys in `_meta` of a call: `agentctl/idempotency_key`, `agentctl/run_id`, `agentctl/call_id`."""

Progress = Callable[[str, str, float, float | None, str], None]
"""Told of a running call: its id, its tool, how far it is, of how much, in the server's words."""


async def open_servers(
    task: Task,
    base: Path,
    policy: Policy,
    *,
    log_dir: Path,
    pins: Mapping[str, Mapping[str, str]],
    progress: Progress | None = None,
) -> tuple[Server, ...]:
    """The MCP servers of a task, in its order; `base` is the folder of its file. Nothing is started."""
    folder = base.resolve()  # noqa: ASYNC240  # one look at a folder; nothing is awaited in here
    entries = (entry for entry in task.tools if entry.use == "mcp")
    return tuple(
        Server(entry, folder, policy, log_dir, pins.get(identity(entry, folder), {}), progress) for entry in entries
    )


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool of a server."""

    contract: Contract
    server: Server
    remote: str
    """Its name there."""
    definition: str = field(repr=False)
    """What was shown: its pin where a person agrees to it."""

    async def run(self, call: Invocation) -> Envelope:
        """Try once."""
        return await self.server.call(self, call)


class Server:
    """See the module."""

    def __init__(
        self,
        entry: Entry,
        base: Path,
        policy: Policy,
        log_dir: Path,
        pins: Mapping[str, str],
        progress: Progress | None = None,
    ) -> None:
        wire_name(entry.name)  # Invalid where it is none, nor the name of a file
        self.name = entry.name
        self.identity = identity(entry, base)
        self.log = log_dir / f"{entry.name}.stderr.log"
        self.notes: tuple[str, ...] = ()
        self.seen: dict[str, str] = {}
        """The definitions of the last listing, by the tool's name there: only of tools that were included."""
        self._entry = entry
        self._base = base
        self._policy = policy
        self._pins = pins
        self._progress = progress
        self._link: Link | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False
        self._changes = 0
        """How often it was started or said that its tools have changed."""
        self._offered: dict[str, Listed] = {}
        self._offered_at = -1
        """The number of changes at which that was listed."""
        self._failed: dict[str, Unreachable] = {}
        """Why the last look failed, by the calls that it was made for."""

    # --- Tools -------------------------------------------------------------------------------------

    async def tools(self) -> tuple[McpTool, ...]:
        """Start it if need be and list what it offers and the entry includes.

        Raises:
            Invalid: it can't be started or listed, or has a tool whose name no model can be given.
        """
        try:
            found = await self._list(await self._connected())
        except Unreachable as error:
            hint = f"What it wrote is in {self.log}." if self._entry.command else ""
            raise errors.Invalid(f"MCP server '{self.name}' can't be used: {error}", hint=hint) from None
        return self._assembled(found)

    def recall(self, listing: Mapping[str, str]) -> tuple[McpTool, ...] | None:
        """What it offered when it was listed last, by name; nothing is started. None: that can't be read.

        Raises:
            Invalid: a tool has a name that no model can be given.
        """
        found = {name: tool for name, each in listing.items() if (tool := mcp_define.recalled(name, each)) is not None}
        return self._assembled(found) if len(found) == len(listing) else None

    async def look(self, shown: Sequence[McpTool], calls: Iterable[str] = ()) -> tuple[McpTool, ...]:
        """Start it if need be, list, and say what these tools of it are by now: each itself where nothing changed.

        Raises:
            Unreachable: it can't be started or listed. The first attempts of these calls say so without another try.
        """
        self._failed = {}
        try:
            found = await self._list(await self._connected(again=True))
        except Unreachable as error:
            self._failed = dict.fromkeys(calls, error)
            raise
        self.seen = {name: each.definition for name, each in found.items() if self._usable(each)}
        return tuple(self._now(tool, found.get(tool.remote)) for tool in shown)

    @property
    def listing(self) -> dict[str, str]:
        """All definitions of the last listing, also of what was not included, by the tool's name there."""
        return {name: tool.definition for name, tool in self._offered.items()}

    def _now(self, shown: McpTool, found: Listed | None) -> McpTool:
        if found is None or not self._usable(found):
            return replace(shown, contract=replace(shown.contract, gone=True))
        if found.definition == shown.definition:
            return shown
        agreed = self._pins.get(shown.remote, shown.definition)
        return self._tool(found, agreed)

    def _usable(self, tool: Listed) -> bool:
        return mcp_define.included(tool.name, self._entry.include) and not mcp_define.unusable(tool)

    def _assembled(self, found: Mapping[str, Listed]) -> tuple[McpTool, ...]:
        notes: list[str] = []
        made = [tool for each in found.values() if (tool := self._made(each, notes)) is not None]
        if not made:
            notes.append(f"MCP server '{self.name}': none of its {len(found)} tools is included")
        mcp_define.check_names(self.name, [tool.contract for tool in made])
        self.notes = tuple(notes)
        self.seen = {tool.remote: tool.definition for tool in made}
        return tuple(made)

    def _made(self, tool: Listed, notes: list[str]) -> McpTool | None:
        if not mcp_define.included(tool.name, self._entry.include):
            return None
        problem = mcp_define.unusable(tool)
        if problem:
            notes.append(f"{self.name}.{tool.name} is left out: {problem}")
            return None
        return self._tool(tool, self._pins.get(tool.name))

    def _tool(self, tool: Listed, agreed: str | None) -> McpTool:
        changed = mcp_define.difference(agreed, tool.definition)
        contract = mcp_define.contract(self._entry, tool, self._policy, changed=changed)
        return McpTool(contract, self, tool.name, tool.definition)

    async def _list(self, link: Link) -> dict[str, Listed]:
        """What is offered, by name; remembered for as long as nothing is said to have changed."""
        changes = self._changes
        match await awaited(self._listed(link)):
            case Raised(TimeoutError()):
                raise Unreachable(f"it listed no tools within {LIST_S:g} s", lasting=True)
            case Raised(error):
                raise Unreachable(f"its tools can't be listed: {link.why(error)}", lasting=False)
            case found:
                self._offered, self._offered_at = found, changes
                return found

    async def _listed(self, link: Link) -> dict[str, Listed]:
        async with asyncio.timeout(LIST_S):
            return await mcp_define.listing(link.client, self.name)

    # --- Calls -------------------------------------------------------------------------------------

    async def call(self, tool: McpTool, call: Invocation) -> Envelope:
        """Try a call once: whatever happens is an envelope."""
        failed = self._failed.pop(call.call_id, None)
        try:
            if failed is not None:
                raise failed
            link = await self._connected(again=True)
            answer = await self._refusal(link, tool) or await self._sent(link, tool, call)
            if answer is None:
                # An HTTP server that was started anew knows no session of before, and has not looked at the call.
                link.drop()
                link = await self._connected(again=True)
                answer = await self._refusal(link, tool) or await self._sent(link, tool, call)
        except Unreachable as error:
            words = f"The MCP server '{self.name}' can't be used: {error}"
            return envelope.permanent(words, hint=LATER) if error.lasting else envelope.transient(words)
        return answer or envelope.transient(f"The MCP server '{self.name}' forgets its sessions.")

    async def _refusal(self, link: Link, tool: McpTool) -> Envelope | None:
        """Why this tool is not called: it is not, or no longer, the one that was shown."""
        offered = self._offered if self._offered_at == self._changes else await self._list(link)
        now = offered.get(tool.remote)
        if now is not None and now.definition == tool.definition:
            return None
        return envelope.redefined(tool.contract.name, "is gone from" if now is None else "is described otherwise by")

    async def _sent(self, link: Link, tool: McpTool, call: Invocation) -> Envelope | None:
        """The answer; None where the server has forgotten the session."""
        refused: mcp_answer.Refusals = []
        token = refusals.set(refused)
        try:
            came = await awaited(self._answered(link, tool, call))
        finally:
            refusals.reset(token)
        if not isinstance(came, Raised):
            return came
        error = came.error
        if mcp_answer.is_forgotten(error):
            return None
        if mcp_answer.is_gone(error):
            link.drop()  # its own task learns of it a moment later
        if not mcp_answer.is_late(error) and (link.ended or mcp_answer.is_cut(error)):
            return mcp_answer.broken(tool.contract, self.name, link.why(error))
        return mcp_answer.of_error(error, call.timeout_s, refused)

    async def _answered(self, link: Link, tool: McpTool, call: Invocation) -> Envelope:
        # The SDK's own limit is per request, and the server may answer with questions: hence the outer one.
        async with asyncio.timeout(call.timeout_s + LATE_S):
            result = await link.client.call_tool(
                tool.remote,
                call.args,
                read_timeout_seconds=call.timeout_s,
                progress_callback=self._teller(tool.contract.name, call.call_id),
                meta=_meta(call),
            )
        return mcp_answer.of_result(result)

    def _teller(self, tool: str, call_id: str) -> ProgressFnT | None:
        tell, last = self._progress, -math.inf
        if tell is None:
            return None

        async def told(progress: float, total: float | None, message: str | None) -> None:
            nonlocal last
            if (now := time.monotonic()) - last >= EVERY_S:
                last = now
                tell(call_id, tool, progress, total, message or "")

        return told

    # --- The connection ----------------------------------------------------------------------------

    async def _connected(self, *, again: bool = False) -> Link:
        """A connection that is whole, made anew if need be, at most once. `again`: it was there before."""
        if self._closed:
            raise Unreachable("it was closed", lasting=True)
        link = self._link
        if link is None or link.ended:
            if link is not None:
                self._leave(link)
            # No await between the look and this: two calls at once share the new connection.
            self._link = link = Link(self._target(), self._changed, again=again)
            self._changed()
        await link.ready()
        if link.ended:
            raise Unreachable(link.why(None), lasting=link.late or link.child is not None)
        return link

    def _target(self) -> Child | str:
        if self._entry.url:
            return self._entry.url
        names = (*self._policy.sandbox.env, *self._entry.env)
        env = {name: os.environ[name] for name in names if name in os.environ}
        return Child(self._entry.command, self._base, env, self.log)

    def _changed(self) -> None:
        self._changes += 1

    def _leave(self, link: Link) -> None:
        leaving = asyncio.create_task(link.close())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """End it, within a bounded time: at once where this is cancelled. It is not started again."""
        self._closed = True
        if self._link is not None:
            self._leave(self._link)
            self._link = None
        try:
            if self._leaving:
                await asyncio.wait(tuple(self._leaving))
        finally:
            for leaving in tuple(self._leaving):
                leaving.cancel()


def _meta(call: Invocation) -> RequestParamsMeta:
    keys = {"idempotency_key": call.idempotency_key, "run_id": call.run_id, "call_id": call.call_id}
    return cast("RequestParamsMeta", {f"{META}{key}": value for key, value in keys.items()})
