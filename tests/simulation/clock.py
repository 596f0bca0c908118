"""Time that costs nothing: an event loop whose clock jumps to the next timer as soon as nothing is left to do.

The store's writer stays a real thread, but it works only while the loop stands still, so that a seed always gives the
same order of things. A commit may take virtual time. Several processes live in one loop, told apart by a context
variable: one that is frozen does nothing until it wakes, one that died lets nothing out any more.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any

NOBODY: contextvars.Context = contextvars.Context()
"""What the world outside does in is no process."""
EPOCH = 1_700_000_000.0
MOST_CALLBACKS = 3_000_000


class Died(BaseException):
    """The process is gone: raised out of whatever it was doing."""


class Process:
    """A driver: everything that was begun in its context."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.froze = False
        """It was frozen at some time."""
        self.turns = 0
        self.dies_at_turn = 0
        self.points: dict[str, int] = {}
        self.task: asyncio.Task[Any] | None = None
        self.interrupt: Any = None
        self.keeps: Callable[[Process], None] | None = None
        """Before it dies: what it has queued is committed."""
        self.run: Any = None
        self._asleep: list[tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...]]] = []

    def __repr__(self) -> str:
        return f"<{self.name}{' dead' * self.dead}{' frozen' * self.frozen}>"

    def call(self, work: Callable[..., Any], *args: Any) -> None:
        """One turn of the loop for this process."""
        if self.frozen:
            self._asleep.append((contextvars.copy_context(), work, args))
            return
        self.turns += 1
        if self.turns == self.dies_at_turn:
            self.die()
        work(*args)

    def die(self) -> None:
        """As by kill -9: what it still does, to unwind, nobody sees."""
        self._last_words()
        self.dead = True
        self.wake()
        if self.task is not None:
            self.task.cancel()

    def pass_point(self, name: str) -> None:
        """A named failpoint; the process dies where its fate says so."""
        left = self.points.get(name, 0)
        if left:
            self.points[name] = left - 1
            if left == 1:
                self._last_words()
                self.dead = True
                raise Died

    def _last_words(self) -> None:
        if self.keeps is not None:
            self.keeps(self)

    def freeze(self) -> None:
        """As a laptop that is closed."""
        self.frozen = self.froze = not self.dead

    def wake(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Everything that came due meanwhile happens now."""
        self.frozen = False
        asleep, self._asleep = self._asleep, []
        for context, work, args in asleep:
            context.run((loop or asyncio.get_running_loop()).call_soon, work, *args)


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("PROCESS", default=None)


def here() -> Process | None:
    """Whose turn it is."""
    return PROCESS.get()


def still_alive() -> None:
    """Before anything that others could see."""
    if (process := here()) is not None and process.dead:
        raise Died


class Desk:
    """In the place of the writer's queue: what is put there is handed over when the loop says so."""

    def __init__(self, latency: Callable[[], float]) -> None:
        self.loop: VirtualLoop | None = None
        self._latency = latency
        self._waiting: deque[tuple[float, Process | None, Any]] = deque()
        self._given: deque[Any] = deque()
        self._idle = True
        self._turn = threading.Condition()

    # On the loop's thread.

    def put(self, job: Any) -> None:
        """A piece of work; None: the writer is to end."""
        process = here()
        if job is None:
            self.turn(float("inf"))
            self._hand([None], wait=False)
        elif process is not None and process.dead:
            if job.loop is not None:
                job.waiter.set_exception(Died())
        else:
            now = self.loop.time() if self.loop is not None else 0.0
            due = max(now + self._latency(), self._waiting[-1][0] if self._waiting else 0.0)
            self._waiting.append((due, process, job))

    def due(self) -> float | None:
        """When the next piece of work is to be committed."""
        return self._waiting[0][0] if self._waiting else None

    def turn(self, now: float) -> None:
        """Let the writer do what is due, and wait for it. What a dead process had not yet handed over is lost."""
        jobs: list[Any] = []
        while self._waiting and self._waiting[0][0] <= now:
            _, process, job = self._waiting.popleft()
            if process is None or not process.dead:
                jobs.append(job)
        if jobs:
            self._hand(jobs, wait=True)

    def settle(self, process: Process) -> None:
        """What this process has queued is committed before it dies, and it does not learn of it."""
        self.turn(max((due for due, owner, _ in self._waiting if owner is process), default=-1.0))

    def _hand(self, jobs: list[Any], *, wait: bool) -> None:
        with self._turn:
            self._given.extend(jobs)
            self._idle = False
            self._turn.notify_all()
            if wait and not self._turn.wait_for(lambda: self._idle, timeout=60):
                raise AssertionError("the writer hangs")

    # On the writer's thread.

    def get(self, timeout: float | None = None) -> Any:
        """The next piece of work, whenever it comes: no time passes while nobody works."""
        del timeout
        with self._turn:
            if not self._given:
                self._idle = True
                self._turn.notify_all()
                self._turn.wait_for(lambda: bool(self._given))
            return self._given.popleft()

    def get_nowait(self) -> Any:
        """Another one for the same commit."""
        with self._turn:
            if not self._given:
                raise Empty
            return self._given.popleft()


class Stands(selectors.DefaultSelector):
    """Nothing is ever waited for: either something is ready, or time moves on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        """Let the writer work; then, if still nothing is ready, go to the next timer or commit."""
        if timeout is None or timeout > 0:
            self.loop.pass_time(timeout)
        else:
            self.loop.desk.turn(self.loop.time())
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, desk: Desk) -> None:
        self._now = 0.0
        self.offset = 0.0
        """What the wall clock is ahead by: NTP moves it, timers do not notice."""
        self.callbacks = 0
        self.desk = desk
        selector = Stands()
        selector.loop = self
        super().__init__(selector)
        desk.loop = self

    def time(self) -> float:
        """Virtual seconds since the beginning; never goes back."""
        return self._now

    def wall(self) -> float:
        """Seconds since the epoch, as the machine believes."""
        return EPOCH + self._now + self.offset

    def pass_time(self, timeout: float | None) -> None:
        """The writer's turn, or the next moment at which something happens."""
        waiting = self.desk.due()
        if waiting is not None and waiting <= self._now:
            self.desk.turn(self._now)
            return
        moments = [at for at in (waiting, None if timeout is None else self._now + timeout) if at is not None]
        if not moments:
            raise AssertionError(f"everything waits and nothing will come, at {self._now:.3f} s")
        self._now = min(moments)
        self.desk.turn(self._now)

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        """As every loop, through the process that it is for."""
        callback, args = self._owned(callback, args, context)
        return super().call_soon(callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        """As every loop, through the process that it is for."""
        callback, args = self._owned(callback, args, context)
        return super().call_at(when, callback, *args, context=context)

    def _owned(
        self, callback: Any, args: tuple[Any, ...], context: contextvars.Context | None
    ) -> tuple[Any, tuple[Any, ...]]:
        self.callbacks += 1
        if self.callbacks > MOST_CALLBACKS:
            raise AssertionError(f"no end: {MOST_CALLBACKS} callbacks in {self._now:.0f} virtual seconds")
        process = PROCESS.get() if context is None else context.get(PROCESS)
        return (callback, args) if process is None else (process.call, (callback, *args))
