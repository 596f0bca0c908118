"""The process of an MCP server: messages over its stdin and stdout, its stderr in a file, gone when it is over.

Our own instead of the SDK's transport, which hands on its own choice of environment variables, lets stderr and lines
grow without end, and reaches only those children that stayed in the group.

- The process starts in a session of its own, and ends with all that it started: asked first (stdin is closed), then
  told (SIGTERM), then killed. It is reaped only after its group was killed.
- A line that is no message is not a failure: programs greet. It goes to the log.
- The log holds at most 1 MB: when it is full it begins anew with its last words.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from agentctl.tools.command import last_line
from agentctl.tools.killing import MARKS, kill_tree
from agentctl.tools.plain import mended
from agentctl.tools.process import start

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client import Transport
    from mcp.shared.message import SessionMessage

LONGEST_LINE = 16_000_000
"""Bytes of one message above which the server is given up."""
LOG_LIMIT = 1_000_000
TAIL = 8_192
CHUNK = 65_536
FLUSH_S = 0.5
GRACE_S = 1.0
"""For a server to end by itself, and again after SIGTERM."""
REAP_S = 2.0
POLL_S = 0.01


class Log:
    """The file of what a server wrote beside its messages."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        os.fchmod(self._fd, 0o600)  # it may have been there before
        self.tail = bytearray()

    def write(self, data: bytes) -> None:
        """Add to it. A full disk is no reason to stop."""
        self.tail += data
        del self.tail[:-TAIL]
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            if os.fstat(self._fd).st_size + len(data) > LOG_LIMIT:
                os.ftruncate(self._fd, 0)
                data = b"[... the log was full and begins anew ...]\n" + bytes(self.tail)
            os.write(self._fd, data)

    def close(self) -> None:
        """Let the file go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Child:
    """One process of a server, from its start to its end. Made anew for each start."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> None:
        self._command = list(command)
        self._folder = folder
        # Whoever left the group is found by these.
        self._env = {**env, **dict(zip(MARKS, (f"server-{uuid.uuid4().hex}", "server"), strict=True))}
        self._log_path = log
        self._log: Log | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reaped = False
        self.silent = False
        """It says no more: its stdout was closed, or held something that no client can read."""

    @property
    def ended(self) -> bool:
        """Whether it can answer no more."""
        return self.silent or (self._process is not None and _is_over(self._process))

    @property
    def last_words(self) -> str:
        """The last line that it wrote outside of messages."""
        return last_line(bytes(self._log.tail)) if self._log is not None else ""

    def transport(self) -> Transport:
        """What the SDK's client enters and leaves, in one task."""
        return self._streams()

    @asynccontextmanager
    async def _streams(
        self,
    ) -> AsyncGenerator[
        tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]
    ]:
        import anyio
        from mcp.shared.message import SessionMessage

        self._log = log = Log(self._log_path)
        try:
            self._process = process = start(self._command, self._folder, self._env)
        except BaseException:  # whatever it was, the file must not stay open
            log.close()
            raise
        arriving, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        # Without bound: a server that reads nothing must not hold up who only wants to cancel.
        sending, outgoing = anyio.create_memory_object_stream[SessionMessage](math.inf)
        pumps = [
            asyncio.create_task(work)
            for work in (
                self._receive(_pipe(process.stdout), arriving, log),
                self._send(_pipe(process.stdin), outgoing),
                _keep(_pipe(process.stderr), log),
            )
        ]
        try:
            yield received, sending
        finally:
            sending.close()
            received.close()
            try:
                with anyio.CancelScope(shield=True):  # every wait in there is bounded
                    await self._stop(process, pumps)
            finally:
                for stream in (arriving, outgoing):
                    stream.close()
                log.close()

    # --- Messages ----------------------------------------------------------------------------------

    async def _receive(
        self, pipe: IO[bytes], arriving: MemoryObjectSendStream[SessionMessage | Exception], log: Log
    ) -> None:
        import anyio

        reader, transport = await _reader(pipe)
        try:
            async with arriving:
                while line := await _line(reader, log):
                    message = _message(line, log)
                    if message is not None:
                        await arriving.send(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            await _drain(reader)  # nobody listens any more; the server may want to finish
        finally:
            self.silent = True
            transport.close()

    async def _send(self, pipe: IO[bytes], outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
        fd = pipe.fileno()
        os.set_blocking(fd, False)
        try:
            async for message in outgoing:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                data = memoryview(text.encode() + b"\n")
                while data:
                    try:
                        data = data[os.write(fd, data[:CHUNK]) :]
                    except BlockingIOError:
                        await _writable(fd)
        except OSError:  # it reads no more
            self.silent = True
        finally:
            pipe.close()

    # --- The end -----------------------------------------------------------------------------------

    async def _stop(self, process: subprocess.Popen[bytes], pumps: list[asyncio.Task[None]]) -> None:
        try:
            await asyncio.wait(pumps[1:2], timeout=FLUSH_S)
            pumps[1].cancel()  # which closes stdin, however much was unsent
            if not await _over_within(process, GRACE_S):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGTERM)
                await _over_within(process, GRACE_S)
        finally:
            self.kill()
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps, timeout=REAP_S)
            for pipe in (process.stdin, process.stdout, process.stderr):
                _pipe(pipe).close()
            await _over_within(process, REAP_S)
            process.poll()
            self._reaped = True

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self._process is not None and not self._reaped:
            kill_tree(self._process.pid, self._env)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the process was started without its pipes")
    return pipe


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended. It is not reaped by this, so that its number stays its own."""
    if not hasattr(os, "waitid"):  # macOS
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody else waited for it
        return True


async def _over_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    for _ in range(round(seconds / POLL_S)):
        if _is_over(process):
            return True
        await asyncio.sleep(POLL_S)
    return _is_over(process)


# --- Pipes ---------------------------------------------------------------------------------------


async def _reader(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_LINE, loop=loop)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe)
    return reader, transport


async def _line(reader: asyncio.StreamReader, log: Log) -> bytes:
    """The next line; nothing at the end, and where a line does not end."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        log.write(f"stdout: a line of more than {LONGEST_LINE} bytes\n".encode())
        return b""


def _message(line: bytes, log: Log) -> SessionMessage | None:
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    for text in (line, mended(line)):
        with suppress(ValueError):
            return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
    if line.strip():
        log.write(b"stdout: " + line.rstrip()[:500] + b"\n")
    return None


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK):
        pass


async def _keep(pipe: IO[bytes], log: Log) -> None:
    reader, transport = await _reader(pipe)
    try:
        while data := await reader.read(CHUNK):
            log.write(data)
    finally:
        transport.close()


async def _writable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def now() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(fd, now)
    try:
        await ready
    finally:
        loop.remove_writer(fd)
