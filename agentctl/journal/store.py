"""The door to a store: one writer, and one reader per thread, of a SQLite file or a PostgreSQL database.

    store = open_store("sqlite:////home/ada/.local/share/agentctl/agentctl.db", seal_dir=folder)
    store = open_store("postgresql://agents@db.internal/agents", seal_dir=folder)

- Writes are queued to one thread (`writer.py`) and awaited; `post` and `append_soon` do not wait. A store belongs to
  the process that opened it: open it after a fork, close it before the process ends (leaving does so too).
- Reads happen on the caller's thread in transactions of one statement: a reader that stays would keep the log from
  being folded back. They take tens of microseconds (PostgreSQL: a round trip) and may be made on an event loop.
- asyncio is imported by whoever waits on a loop: commands that only read start 20 ms sooner without it.
- Whatever is wrong with the store comes out as one `StoreUnusable` line, never as the database's own error.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from agentctl.core.events import Stamped
from agentctl.journal import doors, events, inbox, lease, runs, sealed
from agentctl.journal.engine import Engine
from agentctl.journal.events import Change, Draft, InDoubt
from agentctl.journal.opening import Make
from agentctl.journal.runs import NewRun, RunRow
from agentctl.journal.tx import Tx
from agentctl.journal.writer import Job, Writer

T = TypeVar("T")

POLL_S: Final = 0.025
PAGE: Final = 500
NO_CHANGE: Final = Change()


def open_store(
    url: str,
    *,
    seal_dir: Path,
    lock_timeout_s: float = 30.0,
    clock: Callable[[], float] = time.time,
    make: Make = "all",
) -> Store:
    """The store at `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user@host/database`.

    Raises:
        StoreMissing: there is none, and `make` forbids to make it.
        StoreUnusable: it can't be read, or can't be made.
    """
    return Store(doors.engine(url, lock_timeout_s, make), seal_dir=seal_dir, clock=clock)


def empty_store(url: str, *, seal_dir: Path) -> Store:
    """A store without runs, for who reads where there is none: nothing is made, and nothing can be written."""
    return Store(doors.nowhere(url), seal_dir=seal_dir, clock=time.time)


class Store:
    """Made by `open_store` and `empty_store`."""

    def __init__(self, engine: Engine, *, seal_dir: Path, clock: Callable[[], float]) -> None:
        self.path = engine.path
        """Its file; None: it has none."""
        self.clock = clock
        self.blobs = engine.path and engine.path.parent / "blobs"
        """Where large texts lie; None: in the store."""
        self._seal_dir = seal_dir if engine.path else None
        self._seal_guard = threading.Lock()
        self._writer = Writer(engine)
        self._engine = engine
        atexit.register(self._writer.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is queued, then let the store go. Raises what befell posted work that nobody was told of."""
        atexit.unregister(self._writer.close)
        error = self._writer.close()
        self._engine.close()
        if error is not None:
            raise error

    # --- writing ---

    @property
    def busy(self) -> bool:
        """Whether the writer is at work, as far as one thread puts work."""
        return self._writer.busy

    async def submit(
        self,
        work: Callable[[Tx], T],
        *,
        durable: bool = False,
        run_id: str = "",
        before: Callable[[], None] | None = None,
    ) -> T:
        """Do the work in a transaction; its value once that is committed. `durable`: and on the disk."""
        import asyncio

        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._writer.put(Job(work, durable, run_id, before, waiter, loop))
        return await waiter

    def write(
        self,
        work: Callable[[Tx], T],
        *,
        durable: bool = False,
        run_id: str = "",
        before: Callable[[], None] | None = None,
    ) -> T:
        """`submit` for a caller without an event loop."""
        import concurrent.futures

        waiter: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._writer.put(Job(work, durable, run_id, before, waiter))
        return waiter.result()

    def post(
        self,
        work: Callable[[Tx], Any],
        *,
        run_id: str,
        durable: bool = False,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Queue the work and go on. Should it fail, the next `submit` of this run raises why."""
        self._writer.put(Job(work, durable, run_id, before))

    async def create_run(self, run: NewRun) -> None:
        """Make the row of a run."""
        await self.submit(lambda tx: runs.create(tx, run))

    async def append(
        self,
        epoch: int,
        stamped: Sequence[Stamped],
        change: Change = NO_CHANGE,
        *,
        durable: bool = False,
    ) -> float:
        """Append consecutive events of one run under the fence; until when the lease holds."""
        work, before = self._append(epoch, stamped, change)
        run_id = stamped[0].run_id
        return await self.submit(work, durable=durable, run_id=run_id, before=before)

    def append_soon(
        self, epoch: int, stamped: Sequence[Stamped], change: Change = NO_CHANGE, *, durable: bool = False
    ) -> None:
        """`append` without waiting: for what no effect depends on. Order is kept."""
        work, before = self._append(epoch, stamped, change)
        self.post(work, run_id=stamped[0].run_id, durable=durable, before=before)

    def packer(self, draft: Draft) -> Callable[[], None]:
        """What has to happen to a draft before the transaction that appends it."""
        return lambda: draft.pack(self.blobs)

    def packed(self, stamped: Sequence[Stamped]) -> Draft:
        """A draft that can be appended at once: for the rare one that is decided inside a transaction."""
        draft = Draft.of(stamped)
        draft.pack(self.blobs)
        return draft

    def _append(
        self, epoch: int, stamped: Sequence[Stamped], change: Change
    ) -> tuple[Callable[[Tx], float], Callable[[], None]]:
        draft = Draft.of(stamped)

        def work(tx: Tx) -> float:
            return events.append(tx, epoch, draft, change, self.clock())

        return work, lambda: draft.pack(self.blobs)

    # --- the lease ---

    async def take(self, run_id: str, owner: str) -> int:
        """Become the driver of a run: the epoch to append under."""
        return await self.submit(lambda tx: lease.take(tx, run_id, owner, self.clock()))

    async def take_open(self, run_id: str, owner: str) -> int:
        """The same, of one that is not over."""
        return await self.submit(lambda tx: lease.take_open(tx, run_id, owner, self.clock()))

    async def keep(self, run_id: str, epoch: int, every_s: float = lease.RENEW_S) -> None:
        """The heartbeat, for as long as it is awaited; ends only with LeaseLost or StoreUnusable."""
        import asyncio

        while True:
            await asyncio.sleep(every_s)
            await self.submit(lambda tx: lease.renew(tx, run_id, epoch, self.clock()))

    async def release(self, run_id: str, epoch: int) -> None:
        """Stop being the driver."""
        await self.submit(lambda tx: lease.release(tx, run_id, epoch))

    # --- reading ---

    def read(self, query: Callable[[Tx], T]) -> T:
        """Ask something on this thread's reading connection."""
        return self._engine.read(query)

    def look(self, query: Callable[[Tx], T]) -> T:
        """`read` of one moment, for what takes several statements. It may be asked again from its start."""
        return self._engine.look(query)

    def run(self, name: str) -> RunRow:
        """The run with this id, or the only one whose id begins with it."""
        return self.read(lambda tx: runs.find(tx, name))

    def spec(self, run_id: str) -> str:
        """What the run was started with."""
        return self.read(lambda tx: runs.spec(tx, run_id))

    def runs(
        self,
        *,
        status: str = "",
        user: str = "",
        task: str = "",
        session: str = "",
        since: float = 0.0,
        limit: int = 1000,
        rehearsed: bool | None = None,
    ) -> list[RunRow]:
        """Newest first; empty filters let everything through."""
        return self.read(
            lambda tx: runs.listing(
                tx,
                status=status,
                user=user,
                task=task,
                session=session,
                since=since,
                limit=limit,
                rehearsed=rehearsed,
            )
        )

    def events(self, run_id: str, after: int = 0, limit: int = 1_000_000) -> list[Stamped]:
        """The events above `after`, in order."""
        found: list[Stamped] = []
        while len(found) < limit:
            asked = min(PAGE, limit - len(found))
            page, last = self._page(run_id, after, asked)
            found += page
            if last < after + asked:
                break
            after = last
        return found

    async def follow(self, run_id: str, after: int = 0, poll_s: float = POLL_S) -> AsyncIterator[Stamped]:
        """Every event above `after` and every later one as it is committed; whoever follows decides when to stop."""
        async with aclosing(self._engine.ticks(run_id, poll_s)) as ticks:
            async for _ in ticks:
                last = -1
                while last != after:
                    after = max(after, last)
                    page, last = self._page(run_id, after, PAGE)
                    for stamped in page:
                        yield stamped

    def _page(self, run_id: str, after: int, limit: int) -> tuple[list[Stamped], int]:
        return self.read(lambda tx: events.read(tx, self.blobs, run_id, after, limit))

    def in_doubt(self, run_id: str) -> list[InDoubt]:
        """The tool calls that were started and not seen to finish."""
        return self.read(lambda tx: events.in_doubt(tx, run_id))

    def leave(
        self, run_id: str, kind: inbox.Kind, *, by: str, call_id: str = "", asked_seq: int = 0, payload: str = ""
    ) -> int:
        """Leave a letter, its words sealed: nobody has scrubbed them. Forbidden: see `inbox.put`."""
        original = self.seal.seal(run_id, payload.encode(errors="surrogatepass")) if payload else None

        def work(tx: Tx) -> int:
            if original is not None:
                sealed.put(tx, run_id, original)
            digest = "" if original is None else f"{inbox.SEALED}{original.digest}"
            return inbox.put(
                tx, run_id, kind, by=by, now=self.clock(), call_id=call_id, asked_seq=asked_seq, payload=digest
            )

        return self.write(work, durable=True, run_id=run_id)

    def letters(self, run_id: str) -> list[inbox.Letter]:
        """What waits for the driver of a run, in its own words."""
        return [self._opened(letter) for letter in self.read(lambda tx: inbox.waiting(tx, run_id))]

    def _opened(self, letter: inbox.Letter) -> inbox.Letter:
        if not letter.payload.startswith(inbox.SEALED):
            return letter
        words = self.original(letter.run_id, letter.payload.removeprefix(inbox.SEALED))
        return replace(letter, payload=words.decode(errors="surrogatepass"))

    # --- originals ---

    @cached_property
    def seal(self) -> sealed.Seal:
        """The store's key at work; made at the first need."""
        with self._seal_guard:
            return sealed.load(self._seal_dir)

    def original(self, run_id: str, digest: str) -> bytes:
        """What was sealed under this digest."""
        body = self.read(lambda tx: sealed.get(tx, run_id, digest))
        return self.seal.unseal(run_id, digest, body)
