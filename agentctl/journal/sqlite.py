"""A store in a SQLite file: one connection writes, in turn with other processes; each thread that reads has its own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection
from pathlib import Path
from typing import TypeVar

from agentctl.journal import schema
from agentctl.journal.failpoints import failpoint
from agentctl.journal.faults import unusable
from agentctl.journal.opening import Readers
from agentctl.journal.turnstile import Turnstile
from agentctl.journal.tx import Tx

T = TypeVar("T")


class Sqlite:
    """One file. `synchronous` is NORMAL, and FULL for a durable commit.

    An I/O error may end SQLite's transaction by itself: it is asked before anything is rolled back.
    """

    def __init__(self, path: Path, readers: Readers[sqlite3.Connection], *, lock_timeout_s: float) -> None:
        self.path: Path | None = path
        self.name = str(path)
        self._path = path
        self._readers = readers
        self._busy_ms = int(lock_timeout_s * 1000)
        self._turn = Turnstile(path, lock_timeout_s)
        self._tx: sqlite3.Connection | None = None
        self._full = False

    def read(self, query: Callable[[Tx], T]) -> T:
        """See `Engine`."""
        try:
            return query(self._readers.mine())
        except (sqlite3.Error, OSError) as error:
            raise unusable(error, self._path) from error

    def look(self, query: Callable[[Tx], T]) -> T:
        """See `Engine`."""

        def at_one_moment(tx: Tx) -> T:
            tx.execute("BEGIN")
            try:
                return query(tx)
            finally:
                with contextlib.suppress(sqlite3.Error):  # an I/O error may have ended it
                    tx.execute("ROLLBACK")

        return self.read(at_one_moment)

    async def ticks(self, run_id: str, poll_s: float) -> AsyncGenerator[None]:  # noqa: ARG002  # the file is asked
        """See `Engine`: whenever anybody has committed anything."""
        import asyncio

        version = -1
        while True:
            (seen,) = self.read(lambda tx: tx.execute("PRAGMA data_version").fetchone())
            if seen == version:
                await asyncio.sleep(poll_s)
                continue
            version = seen
            yield

    def told(self, error: Exception) -> Exception:
        """See `Engine`."""
        return unusable(error, self._path)

    def close(self) -> None:
        """See `Engine`."""
        self._readers.close()

    # --- the writer's ---

    def transact(self, work: Callable[[Tx], None], *, durable: bool, runs: Collection[str]) -> None:  # noqa: ARG002  # followers look by themselves
        """See `Engine`."""
        tx = self._tx or self._connect()
        self._set_level(tx, full=durable)
        self._turn.enter()
        try:
            tx.execute("BEGIN IMMEDIATE")
            work(tx)
            failpoint("writer-before-commit")
            tx.execute("COMMIT")
            failpoint("writer-after-commit")
        except BaseException:  # whatever it was, nothing of this batch may stay half done
            if tx.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    tx.execute("ROLLBACK")
            raise
        finally:
            self._turn.leave()

    def is_open(self) -> bool:
        """See `Engine`: an I/O error may have ended it, and taken back what the others of a batch did, too."""
        return self._tx is not None and self._tx.in_transaction

    def idle(self) -> None:
        """Fold the log back into the database, if nobody reads."""
        if self._tx is None or not self._turn.try_enter():
            return
        try:
            self._tx.execute("PRAGMA busy_timeout = 0").fetchall()
            self._tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            pass  # housekeeping: the next commit meets whatever is wrong and tells it
        finally:
            self._tx.execute(f"PRAGMA busy_timeout = {self._busy_ms}").fetchall()
            self._turn.leave()

    def let_go(self) -> None:
        """See `Engine`."""
        if self._tx is not None:
            self._tx.close()
        self._turn.close()

    def _set_level(self, tx: sqlite3.Connection, *, full: bool) -> None:
        if full != self._full:
            tx.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full = full

    def _connect(self) -> sqlite3.Connection:
        tx = sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True, isolation_level=None, cached_statements=256)
        try:
            schema.prepare_writer(tx, self._busy_ms)
        except sqlite3.Error:
            tx.close()
            raise
        self._tx = tx
        self._full = False
        return tx
