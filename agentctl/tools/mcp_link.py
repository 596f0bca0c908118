"""One connection to an MCP server, in the hands of one task.

The SDK's client is built of task groups, which must be left by the task that entered them, in the reverse order. So a
connection is opened, held and closed by a task of its own (`_hold`); others wait for `ready`, send their requests in
their own tasks, and ask for the end with `close`. Their cancellation reaches their own request and nothing else.

A connection is used once. When it has ended, for whatever reason, `ended` says so for good, and `failure` says why in
one line; the next one is another `Link`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING

from agentctl import __version__
from agentctl.foreign import Raised, awaited
from agentctl.tools.mcp_answer import Refusals, one_line
from agentctl.tools.mcp_sieve import sifted
from agentctl.tools.mcp_stdio import LONGEST_LINE, Child

if TYPE_CHECKING:
    import httpx2
    from mcp import Client
    from mcp.client import Transport
    from mcp.client.session import IncomingMessage

START_S = 60.0
"""For a server to be there: the first start of a package may mean that it is fetched."""
RESTART_S = 30.0
"""For one that was there before: a call waits for it."""
CLOSE_S = 6.0
"""For a connection to be closed in good order: `Child` takes 2.5 s where a server has to be killed."""
CONNECT_S = 10.0

# Without any handler, Python prints what a library logs to the terminal.
logging.getLogger("mcp").addHandler(logging.NullHandler())

refusals: ContextVar[Refusals | None] = ContextVar("mcp_refusals", default=None)
"""How HTTP requests that are sent in this context were refused: of most, the SDK tells only that they were."""


class Unreachable(Exception):
    """There is no connection: in words."""

    def __init__(self, words: str, *, lasting: bool) -> None:
        super().__init__(words)
        self.lasting = lasting
        """Another try of the same call will not mend it, or costs it too long."""


class Link:
    """See the module. Must be made on the event loop; its task starts at once."""

    def __init__(self, target: Child | str, on_change: Callable[[], None], *, again: bool = False) -> None:
        """`again`: it was there before, and is waited for no longer than RESTART_S."""
        self.child = target if isinstance(target, Child) else None
        self.late = False
        """It did not answer in time."""
        self._target = target
        self._within = min(START_S, RESTART_S) if again else START_S
        self._on_change = on_change
        self._client: Client | None = None
        self._settled = asyncio.Event()
        self._stopping = asyncio.Event()
        self._over = False
        self.failure = ""
        self.cause: BaseException | None = None
        self._task = asyncio.create_task(self._hold())

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked here any more."""
        return self._over or (self._settled.is_set() and self.child is not None and self.child.ended)

    @property
    def client(self) -> Client:
        """The SDK's client, once this is ready and not ended."""
        if self._client is None:
            raise RuntimeError("asked for before it was ready")
        return self._client

    async def ready(self) -> None:
        """Wait until the handshake is done, or has failed: then it has ended."""
        await self._settled.wait()

    def drop(self) -> None:
        """Use it no more."""
        self._over = True

    def why(self, error: BaseException | None) -> str:
        """What went wrong, with what the server itself said last."""
        said = self.failure or (one_line(error) if error is not None else "it ended")
        words = self.child.last_words if self.child is not None else ""
        return f"{said} (its last words: {words})" if words else said

    async def close(self) -> None:
        """End it within a bounded time, also when this is cancelled."""
        self._stopping.set()
        if not self._settled.is_set():
            self._task.cancel()  # it is still waiting for the server, which may never answer
        try:
            await asyncio.wait((self._task,), timeout=CLOSE_S)
        finally:
            if not self._task.done():
                self._task.cancel()
                if self.child is not None:
                    self.child.kill()

    # --- The task that owns the connection ---------------------------------------------------------

    async def _hold(self) -> None:
        refused: Refusals = []
        refusals.set(refused)
        try:
            match await awaited(self._connected()):
                case Raised(TimeoutError()):
                    self.late = True
                    self.failure = f"it did not answer within {self._within:g} s"
                case Raised(error):
                    self.cause = error
                    status = f"HTTP {refused[-1][0]}: " if refused else ""
                    self.failure = status + one_line(error)
                case None:
                    pass
        except asyncio.CancelledError:
            self.failure = "it was closed"
            raise
        finally:
            self._over = True
            self._settled.set()

    async def _connected(self) -> None:
        from mcp import Client
        from mcp_types import Implementation

        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._within):
                opening = Client(
                    sifted(await self._transport(stack), self._version),
                    client_info=Implementation(name="agentctl", version=__version__),
                    message_handler=self._notice,
                    cache=None,
                )
                self._client = client = await stack.enter_async_context(opening)
            self._settled.set()
            await self._until_stopped(client)

    def _version(self) -> str | None:
        return self._client.protocol_version if self._client is not None else None

    async def _transport(self, stack: AsyncExitStack) -> Transport:
        if isinstance(self._target, Child):
            return self._target.transport()
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        # No limit to silence: a call has its own, and a stream of changes is silent for hours.
        timeout = httpx2.Timeout(CONNECT_S, read=None)
        client = httpx2.AsyncClient(timeout=timeout, event_hooks={"response": [_note]})
        await stack.enter_async_context(client)
        return streamable_http_client(self._target, http_client=client, max_sse_event_size=LONGEST_LINE)

    async def _until_stopped(self, client: Client) -> None:
        listening = asyncio.create_task(self._listen(client))
        try:
            await self._stopping.wait()
        finally:
            listening.cancel()
            await asyncio.wait((listening,), timeout=1)

    # --- Changes of the list of tools --------------------------------------------------------------

    async def _listen(self, client: Client) -> None:
        """Since 2026-07-28 a client is told of changes only where it asked to be."""
        from mcp_types.version import MODERN_PROTOCOL_VERSIONS

        offered = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or offered is None or not offered.list_changed:
            return
        if isinstance(await awaited(self._hear(client)), Raised):
            self._on_change()  # a server that breaks this promise is looked at when it is listed again

    async def _hear(self, client: Client) -> None:
        async with client.listen(tools_list_changed=True) as changes:
            self._on_change()  # what changed before it listened to us is told nobody
            async for _ in changes:
                self._on_change()

    async def _notice(self, message: IncomingMessage) -> None:
        from mcp_types import ToolListChangedNotification

        if isinstance(message, ToolListChangedNotification):
            self._on_change()


async def _note(response: httpx2.Response) -> None:
    seen = refusals.get()
    if seen is not None and response.status_code >= 400:
        seen.append((response.status_code, response.headers.get("retry-after", "")))
