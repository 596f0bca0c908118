"""One monitor in a process of its own, and the packets that a Textual program without a terminal speaks.

A packet is a letter (`D` data, `M` JSON about it, `P` a file), four bytes of length, and so many bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from typing import Final

from agentctl.records import dataclass
from agentctl.tui.serving.wire import Size

READY: Final = b"__GANGLION__\n"
LARGEST: Final = 16 * 2**20
"""Bytes of a packet: a screen has far fewer."""
LEAVE_S, TERM_S = 3.0, 2.0
"""For a monitor to leave when it is asked to; then when it is told to."""
DRIVER: Final = {
    "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver",
    "TEXTUAL_COLOR_SYSTEM": "truecolor",
    "TERM_PROGRAM": "textual",
}


@dataclass(frozen=True, slots=True)
class Launch:
    """How a monitor is started."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


class Child:
    """A monitor that runs. Nothing but screens is taken from it: no file, no address to open."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._said = asyncio.create_task(self._complaints())

    @classmethod
    async def start(cls, launch: Launch, size: Size) -> Child:
        """Start one."""
        sizes = {"COLUMNS": str(size.width), "ROWS": str(size.height)}
        process = await asyncio.create_subprocess_exec(
            *launch.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**launch.environment, **DRIVER, **sizes},
            start_new_session=True,  # ctrl-c is for the server, which ends its monitors
        )
        return cls(process)

    async def screens(self) -> AsyncIterator[bytes]:
        """What it draws, until it ends."""
        out = self._process.stdout
        if out is None or await out.readline() != READY:
            return
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await out.readexactly(5)
                size = int.from_bytes(head[1:], "big")
                if size > LARGEST:
                    return
                payload = await out.readexactly(size)
                if head[:1] == b"D":
                    yield payload
                elif head[:1] == b"M" and b'"exit"' in payload:
                    return

    async def keys(self, data: bytes) -> None:
        """Type."""
        await self._send(b"D", data)

    async def tell(self, kind: str, **more: int) -> None:
        """Say what happened to the screen."""
        await self._send(b"M", json.dumps({"type": kind, **more}).encode())

    async def _send(self, kind: bytes, payload: bytes) -> None:
        into = self._process.stdin
        if into is None or into.is_closing():
            return
        with contextlib.suppress(OSError):  # it is gone: its screens end
            into.write(kind + len(payload).to_bytes(4, "big") + payload)
            await into.drain()

    async def _complaints(self) -> str:
        """The last of what it wrote to stderr."""
        kept = b""
        while self._process.stderr is not None and (piece := await self._process.stderr.read(4096)):
            kept = (kept + piece)[-4096:]
        return kept.decode("utf-8", "replace")

    async def end(self) -> str:
        """End it, whatever it does; what it complained of, in one line, empty for nothing."""
        await self.tell("quit")
        for wait_s, then in ((LEAVE_S, self._process.terminate), (TERM_S, self._process.kill)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone(), wait_s)
                break
            with contextlib.suppress(ProcessLookupError):
                then()
        else:
            await self._gone()
        lines = [line for line in (await self._said).splitlines() if line.strip()]
        return next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "")

    async def _gone(self) -> None:
        """Its output is read on, or it would wait for somebody who takes it."""
        out = self._process.stdout
        while out is not None and await out.read(65_536):
            pass
        await self._process.wait()
