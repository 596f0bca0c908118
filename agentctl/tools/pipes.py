"""The three pipes of a program: arguments in, one result out, the last words of what went wrong."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable

OUTPUT_LIMIT = 1_000_000
"""Bytes of stdout above which a program is stopped."""
TAIL = 8_192
"""Bytes of stderr that are kept: the last ones."""
CHUNK = 65_536


class Pipes:
    """Moves bytes while the loop runs; the futures say what has happened."""

    __slots__ = ("_child", "_loop", "_open", "_unsent", "drained", "stderr", "stdout", "too_much")

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._child = child
        self._loop = asyncio.get_running_loop()
        self._open: set[int] = set()
        self._unsent = memoryview(stdin)
        self.drained: asyncio.Future[None] = self._loop.create_future()
        self.too_much: asyncio.Future[None] = self._loop.create_future()
        for pipe, take in ((child.stdout, self._take_stdout), (child.stderr, self._take_stderr)):
            if pipe is not None:
                self._listen(pipe.fileno(), take)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            self._feed()

    def close(self) -> None:
        """Let go of whatever is still open, whoever else may hold it."""
        for fd in tuple(self._open):
            self._leave(fd)
        self._close_stdin()
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()

    # --- In ---------------------------------------------------------------------------------------

    def _feed(self) -> None:
        """Write what fits. A program that doesn't read its arguments is none of our business."""
        pipe = self._child.stdin
        if pipe is None or pipe.closed:
            return
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(pipe.fileno(), self._unsent[:CHUNK]) :]
        except BlockingIOError:
            self._loop.add_writer(pipe.fileno(), self._feed)
            return
        except OSError:  # it closed its end, or ended
            pass
        self._close_stdin()

    def _close_stdin(self) -> None:
        pipe = self._child.stdin
        if pipe is not None and not pipe.closed:
            self._loop.remove_writer(pipe.fileno())
            pipe.close()

    # --- Out --------------------------------------------------------------------------------------

    def _listen(self, fd: int, take: Callable[[bytes], None]) -> None:
        def ready() -> None:
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                take(data)
            else:
                self._leave(fd)

        os.set_blocking(fd, False)
        self._open.add(fd)
        self._loop.add_reader(fd, ready)

    def _take_stdout(self, data: bytes) -> None:
        self.stdout += data
        if len(self.stdout) > OUTPUT_LIMIT and not self.too_much.done():
            self.too_much.set_result(None)
            if self._child.stdout is not None:
                self._leave(self._child.stdout.fileno())

    def _take_stderr(self, data: bytes) -> None:
        self.stderr += data
        del self.stderr[:-TAIL]

    def _leave(self, fd: int) -> None:
        self._loop.remove_reader(fd)
        self._open.discard(fd)
        if not self._open and not self.drained.done():
            self.drained.set_result(None)
