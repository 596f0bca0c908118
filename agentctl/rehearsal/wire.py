"""The HTTP layer: one client connection, HTTP/1.1 with keep-alive, h11 over asyncio streams.

A response is written in one piece unless its script paces it: clients read the same events, and an
instant server stays instant.
"""

import asyncio
import socket
import struct

import h11

from agentctl.records import dataclass
from agentctl.rehearsal.exchange import Answer

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes of a request body that are kept; what is longer is read and thrown away."""

READ_SIZE = 256 * 1024
LARGEST_HEAD = 64 * 1024

RESET_AFTER_S = 0.02
"""Time for the client to read what was sent before the connection is torn down."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    method: str
    """Such as POST."""

    path: str
    """Without its query."""

    headers: dict[str, str]
    """Names in lower case."""

    body: bytes
    """Empty where it was too large."""

    too_large: bool
    """The body was longer than `LARGEST_BODY`."""


class Peer:
    """One client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take over an accepted connection."""
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)

    async def next_request(self) -> Request | None:
        """Read one request; `None` when the client has gone or talks nonsense."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        if self._http.our_state is not h11.IDLE:
            return None
        try:
            return await self._read()
        except (h11.RemoteProtocolError, OSError):
            return None

    async def _read(self) -> Request | None:
        head: h11.Request | None = None
        kept: list[bytes] = []
        size = 0
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._writer.write(self._http.send(go_on) or b"")
                self._http.receive_data(await self._reader.read(READ_SIZE))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size <= LARGEST_BODY:
                    kept.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, kept, too_large=size > LARGEST_BODY)
            else:
                return None

    async def leaves_within(self, seconds: float | None) -> bool:
        """Wait so long, or for ever; return at once with `True` when the client goes away."""
        try:
            async with asyncio.timeout(seconds):
                while data := await self._reader.read(READ_SIZE):
                    self._http.receive_data(data)
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    async def send(self, answer: Answer) -> bool:
        """Write one response; return whether the client was still there at its end."""
        if answer.status == 0:
            await self.leaves_within(None)
            return False
        try:
            return await self._send(answer)
        except OSError:
            return False

    async def _send(self, answer: Answer) -> bool:
        streamed = answer.content_type == "text/event-stream" or answer.end != "done"
        out = [self._head(answer, streamed=streamed)]
        for index, part in enumerate(answer.parts):
            if index and answer.pause_s:
                await self._write(out)
                if await self.leaves_within(answer.pause_s):
                    return False
            if not answer.pause_s:
                part = b"".join(answer.parts)  # noqa: PLW2901 - all at once, then done
            out.append(self._http.send(h11.Data(data=part)) or b"")
            if not answer.pause_s:
                break
        if answer.end == "done":
            out.append(self._http.send(h11.EndOfMessage()) or b"")
            await self._write(out)
            return True
        await self._write(out)
        if answer.end == "reset":
            await self._reset()
        else:
            await self.leaves_within(None)
        return False

    def _head(self, answer: Answer, *, streamed: bool) -> bytes:
        length = str(sum(map(len, answer.parts)))
        framing = ("transfer-encoding", "chunked") if streamed else ("content-length", length)
        headers = [("content-type", answer.content_type), framing, *answer.headers]
        return self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""

    async def _write(self, out: list[bytes]) -> None:
        self._writer.write(b"".join(out))
        out.clear()
        await self._writer.drain()

    async def _reset(self) -> None:
        await asyncio.sleep(RESET_AFTER_S)
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def _request(head: h11.Request, kept: list[bytes], *, too_large: bool) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    path = head.target.decode("latin-1").partition("?")[0]
    body = b"" if too_large else b"".join(kept)
    return Request(head.method.decode("latin-1"), path, headers, body, too_large)
