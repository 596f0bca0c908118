"""What an MCP server says, before the SDK looks at it: one broken tool does not take the others with it.

- The SDK validates a listing as a whole, also where it lists by itself. So each tool is held to the SDK's own types
  first; in the place of one that breaks them goes a tool of the same name whose `_meta` says what is wrong with it.
- It ends a connection over progress that no float can hold.
"""

from __future__ import annotations

import math
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, cast

from agentctl.core.messages import Json, JsonObject, is_list, is_object
from agentctl.tools.schema import schema_problem

if TYPE_CHECKING:
    from types import TracebackType

    from mcp.client import Transport
    from mcp.client._transport import ReadStream, TransportStreams
    from mcp.shared.message import SessionMessage
    from pydantic import ValidationError

LIST = "tools/list"
PROGRESS = "notifications/progress"
BROKEN = "agentctl/broken"
"""The key in `_meta` under which a tool's problem stands. A server that sets it itself leaves that tool out."""


@asynccontextmanager
async def sifted(transport: Transport, version: Callable[[], str | None]) -> AsyncGenerator[TransportStreams]:
    """The transport, its listings sifted; `version` is the protocol's once that is negotiated."""
    async with transport as (read, write):
        yield Sifted(read, version), write


class Sifted:
    """What the SDK reads from."""

    def __init__(self, inner: ReadStream[SessionMessage | Exception], version: Callable[[], str | None]) -> None:
        self._inner = inner
        self._version = version

    @property
    def last_context(self) -> object:
        """The sender's context, where the transport keeps it."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """The next message."""
        return self._sifted(await self._inner.receive())

    async def aclose(self) -> None:
        """Read no more."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._sifted(await self._inner.__anext__())

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._inner.__aexit__(exc_type, exc_val, exc_tb)

    def _sifted(self, message: SessionMessage | Exception) -> SessionMessage | Exception:
        version = self._version()
        if version and not isinstance(message, Exception):
            result = cast("Json", getattr(message.message, "result", None))
            if is_object(result) and is_list(result.get("tools")):
                sift(result, version)
            if getattr(message.message, "method", "") == PROGRESS:
                _bound(cast("Json", getattr(message.message, "params", None)))
        return message


def _bound(params: Json) -> None:
    if is_object(params):
        large = [key for key, value in params.items() if isinstance(value, int) and abs(value) > sys.float_info.max]
        params.update(dict.fromkeys(large, math.inf))


def sift(result: JsonObject, version: str) -> None:
    """Replace the tools of a listing that break the protocol. A listing that is broken otherwise stays as it is."""
    if _problem(result, version) is None or _problem({**result, "tools": []}, version) is not None:
        return
    tools = cast("list[Json]", result["tools"])
    result["tools"] = [_whole(result, number, tool, version) for number, tool in enumerate(tools, 1)]


def _whole(result: JsonObject, number: int, tool: Json, version: str) -> Json:
    error = _problem({**result, "tools": [tool]}, version)
    if error is None:
        return tool
    name = tool.get("name") if is_object(tool) else None
    shown = name if isinstance(name, str) else f"#{number}"
    return {"name": shown, "inputSchema": {"type": "object"}, "_meta": {BROKEN: _told(tool, error)}}


def _problem(result: JsonObject, version: str) -> ValidationError | None:
    """What the SDK would say of it."""
    from mcp_types import ListToolsResult
    from mcp_types.methods import validate_server_result
    from pydantic import ValidationError

    try:
        validate_server_result(LIST, version, result)
        ListToolsResult.model_validate(result, by_name=False)
    except ValidationError as error:
        return error
    return None


def _told(tool: Json, error: ValidationError) -> str:
    schema = tool.get("inputSchema") if is_object(tool) else None
    problem = schema_problem(schema) if is_object(schema) else None
    if problem:
        return f"its schema is none: {problem}"
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"][2:])[:100]
    return f"it breaks the protocol: {place}: {first['msg'][:200]}" if place else "it is no tool"
