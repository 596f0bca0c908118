"""The engine of a PostgreSQL store: see the package for its rules.

A lost connection. A read is asked again. A batch of work is done again, unless its commit was under way: then the
next transaction, which waits for the lock and so for the end of the lost one, looks whether its number is there.
Nobody is told anything before that is known; after `lock_timeout_s` without a server all are told that it is gone.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from agentctl.journal.failpoints import failpoint
from agentctl.journal.opening import Make, Readers
from agentctl.journal.postgres import dialect
from agentctl.journal.postgres.faults import AGAIN, shown, unusable
from agentctl.journal.postgres.listening import CHANNEL, ticks
from agentctl.journal.postgres.opening import LOCK, Connection, checked, connect, first, prepared
from agentctl.journal.tx import Rows, Tx

T = TypeVar("T")

HINT_S: Final = 0.2
"""A run's followers are told at most so often: to notify with every event would divide the rate by 4.7."""
READ_S: Final = 5.0
"""For so long a reader looks for a lost server: it may hold up an event loop."""
PATIENT: Final = "SET LOCAL idle_in_transaction_session_timeout TO '10min'"
"""For upkeep, which is long at work between two statements."""
PAUSES: Final = (0.0, 0.05, 0.1, 0.2, 0.5)
"""Between tries; the last one again and again."""


def opened(url: str, lock_timeout_s: float, make: Make) -> Postgres:
    """The store that is there, is ours and is up to date.

    Raises:
        Invalid: the URL is none.
        StoreMissing: there is no store, and `make` forbids to make it.
        StoreUnusable: it can't be read, or can't be made.
    """
    prepared(checked(url), lock_timeout_s, make)
    return Postgres(url, lock_timeout_s)


@contextlib.contextmanager
def tables(url: str, lock_timeout_s: float) -> Generator[Tx]:
    """A connection that reads what is there; what it raises is as `opened` says."""
    try:
        with contextlib.closing(first(checked(url), lock_timeout_s, "nothing")) as connection:
            connection.execute("SET default_transaction_read_only TO on")
            yield Speaking(connection)
    except psycopg.Error as error:
        raise unusable(error, shown(url)) from error


class Speaking:
    """A connection that takes SQLite's statements."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """See `Tx`."""
        return self.connection.execute(dialect.statement(sql), parameters, binary=True)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        """See `Tx`."""
        cursor = self.connection.cursor()
        cursor.executemany(dialect.statement(sql), parameters)
        return cursor

    @property
    def lost(self) -> bool:
        """Whether it is good for nothing any more."""
        return self.connection.closed or self.connection.info.transaction_status == TransactionStatus.UNKNOWN

    def close(self) -> None:
        """End the session."""
        self.connection.close()


class Postgres:
    """One database. See the module."""

    path: Path | None = None

    def __init__(self, url: str, lock_timeout_s: float) -> None:
        self.name = shown(url)
        self._url = url
        self._patience_s = lock_timeout_s
        self._readers = Readers(lambda: Speaking(connect(url, lock_timeout_s, reads=True)))
        self._writer = secrets.token_hex(8)
        self._batch = 0
        self._tx: Speaking | None = None
        self._hinted: dict[str, float] = {}

    def read(self, query: Callable[[Tx], T]) -> T:
        """See `Engine`."""
        for last in _tries(READ_S):
            try:
                return query(self._readers.mine())
            except psycopg.Error as error:
                lost = not self._readers.has() or self._readers.mine().lost
                if lost:
                    self._readers.drop()
                if last or not lost:
                    raise unusable(error, self.name) from error
        raise AssertionError("a try is the last one")

    def look(self, query: Callable[[Tx], T]) -> T:
        """See `Engine`. Who looks holds up nobody, and may think for long between two statements."""

        def at_one_moment(tx: Tx) -> T:
            tx.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                tx.execute(PATIENT)
                return query(tx)
            finally:
                with contextlib.suppress(psycopg.Error):  # lost: then nothing is open
                    tx.execute("ROLLBACK")

        return self.read(at_one_moment)

    def ticks(self, run_id: str, poll_s: float) -> AsyncGenerator[None]:
        """See `Engine`: told by the server, and looking now and then."""
        return ticks(lambda: connect(self._url, self._patience_s, reads=True), run_id, poll_s)

    def told(self, error: Exception) -> Exception:
        """See `Engine`."""
        return unusable(error, self.name)

    def close(self) -> None:
        """See `Engine`."""
        self._readers.close()

    # --- the writer's ---

    def transact(self, work: Callable[[Tx], None], *, durable: bool, runs: Collection[str]) -> None:
        """See `Engine`."""
        self._batch += 1
        in_doubt = False
        for last in _tries(self._patience_s):
            try:
                tx = self._begin(durable=durable)
                if in_doubt and self._came_through(tx):
                    self._roll_back()
                    return
                in_doubt = False
                self._mark(tx)
                work(tx)
                self._hint(tx, runs)
                failpoint("server-before-commit")
                in_doubt = True
                _commit(tx.connection)
                failpoint("server-after-commit")
            except Exception as error:  # the work is anybody's, and nothing of it may stay half done
                again = self._roll_back() or getattr(error, "sqlstate", None) in AGAIN
                if last or not again:
                    raise
            else:
                return

    def is_open(self) -> bool:
        """See `Engine`."""
        return self._tx is not None and not self._tx.lost

    def idle(self) -> None:
        """See `Engine`: the server tidies up by itself."""

    def let_go(self) -> None:
        """See `Engine`."""
        if self._tx is not None:
            with contextlib.suppress(psycopg.Error):
                self._tx.execute(
                    "DELETE FROM commits WHERE writer = ? OR at < now() - INTERVAL '7 days'", (self._writer,)
                )
            self._tx.close()
            self._tx = None

    def _begin(self, *, durable: bool) -> Speaking:
        """A transaction that has its turn."""
        if self._tx is None:
            self._tx = Speaking(connect(self._url, self._patience_s, reads=False))
        level = "on" if durable else "off"
        begin = f"BEGIN READ WRITE; SET LOCAL synchronous_commit TO {level}; {LOCK}"
        self._tx.connection.execute(begin.encode())
        return self._tx

    def _mark(self, tx: Tx) -> None:
        tx.execute(
            "INSERT INTO commits(writer, batch) VALUES(?, ?)"
            " ON CONFLICT(writer) DO UPDATE SET batch = excluded.batch, at = now()",
            (self._writer, self._batch),
        )

    def _came_through(self, tx: Tx) -> bool:
        """Whether the lost transaction of this batch was committed: this one has its turn, so that one is over."""
        row = tx.execute("SELECT batch FROM commits WHERE writer = ?", (self._writer,)).fetchone()
        return row is not None and int(row[0]) == self._batch

    def _roll_back(self) -> bool:
        """Nothing of it stays. Whether the connection was lost: one that takes nothing back is as good as that."""
        if self._tx is None:
            return True
        if not self._tx.lost:
            with contextlib.suppress(psycopg.Error):
                self._tx.connection.execute("ROLLBACK")
                return False
        self._tx.close()
        self._tx = None
        return True

    def _hint(self, tx: Tx, runs: Collection[str]) -> None:
        """Tell the followers of these runs, where they were not told just now."""
        now = time.monotonic()
        self._hinted = {run_id: at for run_id, at in self._hinted.items() if now - at < HINT_S}
        for run_id in runs - self._hinted.keys():
            tx.execute("SELECT pg_notify(?, ?)", (CHANNEL, run_id))
            self._hinted[run_id] = now


def _commit(connection: Connection) -> None:
    done = connection.execute("COMMIT").statusmessage
    if done != "COMMIT":  # a statement had failed, and somebody went on
        raise RuntimeError(f"a broken transaction was committed: the server answered {done}")


def _tries(seconds: float) -> Iterator[bool]:
    """Go on for so long, with pauses; whether it is the last time."""
    deadline = time.monotonic() + seconds
    for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
        time.sleep(pause)
        last = time.monotonic() + PAUSES[-1] >= deadline
        yield last
        if last:
            return
