"""The way out of a box for programs with a list of hosts: a proxy on a Unix socket, started for each call.

Rules. A host is looked up only when it is on the list; each of its addresses is judged; the connection goes to one of
those, so that what the name means a moment later plays no part. This machine, its links and metadata services are
never reached, a private address only where the list names that very address. All of it is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

from agentctl.core.outside import Host, covering
from agentctl.records import dataclass
from agentctl.tools.builtin import addresses
from agentctl.tools.builtin.addresses import Address
from agentctl.tools.sandbox.asked import LONGEST, Asked, parsed

MOST = 64
"""Connections at a time."""
HEAD_S = 10.0
CONNECT_S = 10.0
IDLE_S = 60.0
"""Seconds without a byte in either direction."""
PIECE = 65_536


def permitted(host: Host, address: Address) -> bool:
    """Whether an address that an entry of the list leads to may be connected to."""
    if addresses.is_public(address):
        return True
    inner = addresses.embedded(address)
    near = address.is_loopback or address.is_link_local or address.is_unspecified or address in addresses.METADATA
    if inner is not None or near or address.is_multicast or address.is_reserved:
        return False
    return address.is_private and host.name == str(address)


@dataclass(frozen=True, slots=True)
class Reach:
    """How names become addresses, and which of those are left."""

    resolve: Callable[[str, int], Awaitable[Sequence[Address]]] = addresses.resolve
    permitted: Callable[[Host, Address], bool] = permitted


class Refused(Exception):
    """An answer instead of a connection."""

    def __init__(self, status: str, said: str) -> None:
        super().__init__(said)
        self.status = status


@contextlib.asynccontextmanager
async def opened(hosts: Sequence[Host], reach: Reach) -> AsyncGenerator[Path]:
    """The socket of a proxy that lives as long as the block.

    Raises:
        OSError: it can't be made.
    """
    # Not below TMPDIR where that is long: the path of a socket has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="agentctl-", dir="/tmp"))
    serving: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            serving.add(task)
            task.add_done_callback(serving.discard)
        with contextlib.closing(writer):
            await _served(reader, writer, hosts, reach, full=len(serving) > MOST)

    try:
        server = await asyncio.start_unix_server(serve, folder / "out", limit=LONGEST)
        try:
            yield folder / "out"
        finally:
            server.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _served(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hosts: Sequence[Host], reach: Reach, *, full: bool
) -> None:
    try:
        asked = await _asked(reader, full=full)
        out_reader, out_writer = await _connected(asked, hosts, reach)
    except Refused as refused:
        body = f"agentctl sandbox: {refused}\n".encode()
        head = f"HTTP/1.1 {refused.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        with contextlib.suppress(OSError):
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await asyncio.wait_for(writer.drain(), HEAD_S)
        return
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return
    with contextlib.closing(out_writer):
        if asked.tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            out_writer.write(asked.head)
        await _joined((reader, out_writer), (out_reader, writer))


async def _asked(reader: asyncio.StreamReader, *, full: bool) -> Asked:
    if full:
        raise Refused("503 Service Unavailable", f"more than {MOST} connections at a time")
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
        return parsed(head)
    except asyncio.LimitOverrunError:
        raise Refused("431 Request Header Fields Too Large", f"a head of more than {LONGEST:,} bytes") from None
    except ValueError as error:
        raise Refused("400 Bad Request", str(error)) from None


async def _connected(
    asked: Asked, hosts: Sequence[Host], reach: Reach
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = covering(hosts, asked.host, asked.port)
    if host is None:
        raise Refused("403 Forbidden", f"{asked.host}:{asked.port} is not on the list of [sandbox] network")
    try:
        async with asyncio.timeout(CONNECT_S):
            found = await reach.resolve(asked.host, asked.port)
    except (OSError, ValueError, OverflowError):  # a timeout is an OSError too
        raise Refused("502 Bad Gateway", f"{asked.host} could not be resolved") from None
    if not found or not all(reach.permitted(host, address) for address in found):
        raise Refused("403 Forbidden", f"{asked.host} leads to an address that no program may reach")
    for address in found:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(str(ipaddress.ip_address(address)), asked.port)
    raise Refused("502 Bad Gateway", f"{asked.host}:{asked.port} could not be reached")


Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _joined(up: Way, down: Way) -> None:
    """Copy both ways until the server has ended, one breaks, or neither says anything for too long."""
    loop = asyncio.get_running_loop()
    heard = [loop.time()]
    answering = asyncio.ensure_future(_copied(*down, heard))
    copying = {asyncio.ensure_future(_copied(*up, heard)), answering}
    try:
        while not answering.done() and (left := heard[0] + IDLE_S - loop.time()) > 0:
            done, copying = await asyncio.wait(copying, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if any(each.exception() for each in done):
                return
    finally:
        for each in copying:
            each.cancel()
        await asyncio.gather(*copying, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[float]) -> None:
    while piece := await reader.read(PIECE):
        heard[0] = asyncio.get_running_loop().time()
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
