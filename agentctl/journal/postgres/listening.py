"""Following by hints: the server says that something of a run was committed, and a follower looks then.

A hint is no more than that. One may be lost with its connection, and none is sent for what follows another within
200 ms: so a follower looks every `poll_s` for a while after each hint, and every second in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final

import psycopg

if TYPE_CHECKING:
    from agentctl.journal.postgres.opening import Connection

CHANNEL: Final = "agentctl"
BUSY_S: Final = 0.5
"""After a hint something that was not hinted at may follow."""
QUIET_S: Final = 1.0


async def ticks(connect: Callable[[], Connection], run_id: str, poll_s: float) -> AsyncGenerator[None]:
    """At once, after each hint, and every now and then."""
    ear = _Ear(connect, run_id)
    clock = asyncio.get_running_loop().time
    busy_until = 0.0
    try:
        while True:
            ear.listen()
            yield
            if ear.heard.is_set():
                busy_until = clock() + BUSY_S
                ear.heard.clear()
            wait_s = poll_s if clock() < busy_until else max(poll_s, QUIET_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ear.heard.wait(), wait_s)
    finally:
        ear.close()


class _Ear:
    """A connection that listens, for as long as there is one."""

    def __init__(self, connect: Callable[[], Connection], run_id: str) -> None:
        self.heard = asyncio.Event()
        self._connect = connect
        self._run_id = run_id.encode()
        self._connection: Connection | None = None
        self._fd = -1

    def listen(self) -> None:
        """Listen, where that is possible and not done yet."""
        if self._connection is not None:
            return
        with contextlib.suppress(psycopg.Error):  # who reads will hear what is wrong
            connection = self._connect()
            connection.execute(f"LISTEN {CHANNEL}".encode())
            self._connection, self._fd = connection, connection.fileno()
            asyncio.get_running_loop().add_reader(self._fd, self._hear)

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._connection.close()
            self._connection = None

    def _hear(self) -> None:
        if self._connection is None:
            return
        server = self._connection.pgconn
        try:
            server.consume_input()
            while said := server.notifies():
                if said.extra == self._run_id:
                    self.heard.set()
        except psycopg.Error:
            self.close()
