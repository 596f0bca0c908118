"""The one thread of this process that writes to a store, and how it commits.

Work is queued from any thread or event loop. Whatever is queued when the thread wakes is committed together: one
turn, one transaction, where there are several a savepoint for each, so that one that fails spoils nothing for the
others. Nobody is told of success before the commit.

- A commit that holds at least one durable piece of work is durable as a whole: a killed process loses nothing
  acknowledged, a power cut nothing durable.
- What was queued is written, in order, whether or not somebody still waits for it. A cancelled wait is no rollback.
- Posted work has nobody waiting. When it fails, nothing more of that run is written until a `submit` of the same run
  has been told why: its events stay without gaps, and other runs do not notice.
- `before` is done on this thread ahead of the turn: what is slow and needs no lock (compression, blob files).
- How a transaction is made is the engine's (`sqlite.py`, `postgres/`), which may do the work of a batch again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from agentctl.journal.engine import Engine
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

MOST_AT_ONCE: Final = 256
IDLE_S: Final = 2.0
"""After so long without work the engine may tidy up."""

Waiter: TypeAlias = "asyncio.Future[Any] | concurrent.futures.Future[Any]"


@dataclass(slots=True)
class Job:
    """A piece of work, and afterwards what came of it."""

    work: Callable[[Tx], Any]
    durable: bool = False
    run_id: str = ""
    before: Callable[[], None] | None = None
    waiter: Waiter | None = None
    """None: posted."""
    loop: asyncio.AbstractEventLoop | None = None
    value: Any = None
    error: Exception | None = None

    def do(self, tx: Tx) -> None:
        """Do it, in a transaction."""
        self.value = self.work(tx)


class Writer:
    """Started by the first piece of work. `close` does what is queued and ends the thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._dirty = False
        self._taken = 0
        self._done = 0
        self._told_nobody: dict[str, Exception] = {}

    def put(self, job: Job) -> None:
        """Queue a piece of work."""
        if self._thread is None:
            self._start()
        if self._closed:
            raise RuntimeError(f"{self._engine.name} is closed")
        self._taken += 1
        self._jobs.put(job)

    @property
    def busy(self) -> bool:
        """Whether something is queued that nobody has been told of; exact for a caller that alone puts work."""
        return self._taken != self._done

    def close(self) -> Exception | None:
        """Finish what is queued. Returns the error of posted work that nobody was told of."""
        with self._starting:
            self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
        _, error = self._told_nobody.popitem() if self._told_nobody else ("", None)
        self._told_nobody.clear()
        return error

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._serve, daemon=True, name="agentctl-journal")
                self._thread.start()

    # --- on the thread ---

    def _serve(self) -> None:
        going = True
        while going:
            try:
                first = self._jobs.get(timeout=IDLE_S if self._dirty else None)
            except Empty:
                self._dirty = False
                self._engine.idle()
                continue
            batch: list[Job] = []
            while first is not None:
                batch.append(first)
                if len(batch) >= MOST_AT_ONCE:
                    break
                try:
                    first = self._jobs.get_nowait()
                except Empty:
                    break
            going = first is not None
            if batch:
                self._write(batch)
                self._done += len(batch)
        self._engine.let_go()

    def _write(self, batch: list[Job]) -> None:
        for job in batch:
            self._prepare(job)
        live = [job for job in batch if job.error is None]
        if live:
            self._try(live, lambda: self._transact(live))
        self._tell(batch)

    def _prepare(self, job: Job) -> None:
        if job.before is not None:
            self._try([job], job.before)

    def _try(self, jobs: list[Job], work: Callable[[], object]) -> None:
        """Whatever breaks it is told to all who wait for it: this thread goes on for the others."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- the work is anybody's
            told = self._engine.told(error)
            for job in jobs:
                if job.error is None:
                    self._fail(job, told)

    def _fail(self, job: Job, error: Exception) -> None:
        job.error = error
        if job.waiter is None:
            self._told_nobody.setdefault(job.run_id, error)

    def _transact(self, jobs: list[Job]) -> None:
        durable = any(job.durable for job in jobs)
        told = dict(self._told_nobody)

        def work(tx: Tx) -> None:
            # What an attempt that came to nothing has left here is forgotten.
            self._told_nobody = dict(told)
            for job in jobs:
                job.error = None
            for job in jobs:
                self._apply(tx, job, alone=len(jobs) == 1)

        self._engine.transact(work, durable=durable, runs={job.run_id for job in jobs if job.run_id})
        self._dirty = True

    def _apply(self, tx: Tx, job: Job, *, alone: bool) -> None:
        if job.run_id and (earlier := self._told_nobody.get(job.run_id)):
            job.error = earlier
            if job.waiter is not None:
                del self._told_nobody[job.run_id]
            return
        if alone:
            job.do(tx)
            return
        tx.execute("SAVEPOINT job")
        self._try([job], lambda: job.do(tx))
        if job.error is not None:
            if not self._engine.is_open():
                raise job.error
            tx.execute("ROLLBACK TO job")
        tx.execute("RELEASE job")

    # --- telling ---

    def _tell(self, batch: list[Job]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        for job in batch:
            if job.loop is not None:
                loops.setdefault(job.loop, []).append(job)
            elif job.waiter is not None:
                _settle(job)
        for loop, jobs in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, jobs)


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        _settle(job)


def _settle(job: Job) -> None:
    waiter = job.waiter
    if waiter is None or waiter.done():
        return
    if job.error is None:
        waiter.set_result(job.value)
    else:
        waiter.set_exception(job.error)
