"""An event loop that skips waiting: 45 minutes of an outage take a second, and everything else is real.

Rules. Time runs as it does, and where nothing is left to do but to wait for a timer, it jumps to that timer. What
works outside of the loop is waited for: threads, the store's writer, programs whose end somebody waits for. A program
that stays alive may speak at any time, so while there is one the loop jumps only after QUIET_S of silence.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

QUIET_S: Final = 0.25
POLL_S: Final = 0.002
LONG_S: Final = 1.0
"""A jump over more than this is looked at twice."""
HOUR_S: Final = 3_600


class _Patient(selectors.DefaultSelector):
    """Asks the loop whether time may jump."""

    loop: Skipping

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; where nothing is and nobody works, the time until the next timer is skipped."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            return super().select(None)
        waited = 0.0
        while not ready and waited < timeout and waited < self.loop.patience():
            step = min(POLL_S if not self.loop.children() else QUIET_S, timeout - waited)
            began = time.monotonic()
            ready = super().select(step)
            waited += time.monotonic() - began
        # A large body is on its way through the kernel for a moment in which neither end is ready.
        while not ready and timeout - waited > LONG_S and waited < 2 * POLL_S:
            began = time.monotonic()
            ready = super().select(POLL_S)
            waited += time.monotonic() - began
        if not ready:
            self.loop.skip(max(0.0, timeout - waited))
        return ready


class Skipping(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._threads = 0
        self._programs: list[asyncio.BaseTransport] = []
        self._busy: list[Callable[[], bool]] = []
        self._ends: set[int] = set()
        selector = _Patient()
        selector.loop = self
        super().__init__(selector)
        # The same distance from an hour's end each time: what a clock hour may cost is not cut in two.
        self._epoch = time.time() // HOUR_S * HOUR_S - super().time()

    def time(self) -> float:
        """Seconds, with those that were skipped."""
        return super().time() + self._skipped

    def now(self) -> float:
        """Seconds since the epoch by this clock."""
        return self._epoch + self.time()

    def skip(self, seconds: float) -> None:
        """Let so much time have passed."""
        self._skipped += seconds

    def watch(self, busy: Callable[[], bool]) -> None:
        """Time stands while `busy` says so."""
        self._busy.append(busy)

    def unwatch(self, busy: Callable[[], bool]) -> None:
        """It is closed."""
        self._busy.remove(busy)

    @contextmanager
    def still(self, *, forget: bool = False) -> Generator[None]:
        """Time runs as it does. `forget`: what is started meanwhile is not listened to afterwards."""
        busy = lambda: True  # noqa: E731 -- the same object is taken back
        known = list(self._programs)
        self.watch(busy)
        try:
            yield
        finally:
            self.unwatch(busy)
            self._programs = known if forget else self._programs

    def children(self) -> bool:
        """Whether a program lives that may speak at any time."""
        self._programs = [each for each in self._programs if _lives(each)]
        return bool(self._programs)

    def patience(self) -> float:
        """Seconds of silence before time may jump."""
        if self._threads or self._ends or any(busy() for busy in self._busy):
            return float("inf")
        return QUIET_S if self.children() else 0.0

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]  # noqa: ANN401 -- asyncio's own
        """As every loop; where it is a program's end, that is waited for."""
        super().add_reader(fd, callback, *args)
        if isinstance(fd, int) and _is_end(fd):
            self._ends.add(fd)

    def remove_reader(self, fd: Any) -> bool:  # noqa: ANN401 -- asyncio's own
        """As every loop."""
        self._ends.discard(fd)
        return super().remove_reader(fd)

    def run_in_executor(self, *args: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 -- asyncio's own
        """As every loop; the thread is waited for."""
        future = super().run_in_executor(*args)
        self._threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._threads -= 1

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- asyncio's own
        """As every loop; the program is listened to."""
        transport, protocol = await super().subprocess_exec(*args, **kwargs)
        self._programs.append(transport)
        return transport, protocol


def _lives(transport: asyncio.BaseTransport) -> bool:
    return isinstance(transport, asyncio.SubprocessTransport) and transport.get_returncode() is None


def _is_end(fd: int) -> bool:
    """Whether it tells when a process ends (`pidfd`)."""
    try:
        return "pidfd" in str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return False
