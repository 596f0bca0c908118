"""The upkeep of a store in a SQLite file, and what only a file has: pages, a log, large texts beside it, free space.

- A file that SQLite can't read goes into a new one, row by row, as far as rows can be read (`salvaging.py`).
- A repair holds the turn at the store throughout. The file as it was is kept beside it.
- Large texts that no event names any more are deleted under the same lock as events that name them are written.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal import backup, bodies, checking, mending, opening, runs, salvaging, schema
from agentctl.journal.backup import Copied
from agentctl.journal.checking import Finding, Report
from agentctl.journal.faults import unusable
from agentctl.journal.mending import Lost, Mended
from agentctl.journal.store import Store
from agentctl.journal.turnstile import Turnstile
from agentctl.journal.tx import Tx

MOST_SAID: Final = 20
"""Of the file's own faults."""
OLD_PART_S: Final = 86_400.0
"""A file that somebody began to write so long ago is nobody's."""
DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
NOT_DAMAGE: Final = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY,
}  # fmt: skip


class Files:
    """See `Upkeep`."""

    def __init__(self, url: str, lock_timeout_s: float) -> None:
        self._url = url
        self._path = opening.path_of(url)
        self._blobs = self._path.parent / "blobs"
        self._patience_s = lock_timeout_s

    def ready(self) -> None:
        """See `Upkeep`."""
        opening.prepared(self._url, self._patience_s, make="nothing")

    def check(self) -> Report:
        """See `Upkeep`. A file that SQLite can't read ends the look: it says so."""
        try:
            self.ready()
        except StoreUnusable as error:
            if _code(error.__cause__) not in DAMAGED:
                raise
            return Report((Finding("file", str(error.__cause__), "salvage"),))
        found: list[Finding] = []
        try:
            with closing(opening.connect_reader(self._path, self._patience_s)) as tx:
                tx.execute("BEGIN")
                found.extend(Finding("file", said, "salvage") for said in damage(tx))
                found.extend(checking.look(tx, self._blobs))
                return checking.report(tx, found)
        except sqlite3.DatabaseError as error:
            if _code(error) in NOT_DAMAGE:
                raise unusable(error, self._path) from error
            return Report((*found, Finding("file", str(error), "salvage")))

    def repair(self, findings: Sequence[Finding], now: float) -> Mended:
        """See `Upkeep`."""
        lost: list[Lost] = []
        with self._turn():
            self._nobody_drives(now)
            copy = self._copy(now)
            if any(finding.mend == "salvage" for finding in findings):
                lost += [Lost("", 0, 0, said) for said in salvaging.salvage(copy, self._path)]
            with self._writing() as tx:
                tx.execute("PRAGMA synchronous = FULL")
                tx.execute("BEGIN IMMEDIATE")
                more, rebuilt = mending.mend(tx, self._blobs, _unguarded)
                tx.execute("COMMIT")
        return Mended(copy, (*lost, *more), tuple(rebuilt))

    def backup(self, target: Path) -> Copied:
        """See `Upkeep`. Its large texts go into `blobs` beside it."""
        self.ready()
        with backup.making(target) as part:
            with self._damage_named(), closing(self._reader()) as old, closing(sqlite3.connect(part)) as new:
                old.backup(new)
                (held,) = new.execute("SELECT count(*) FROM runs").fetchone()
                (events,) = new.execute("SELECT count(*) FROM events").fetchone()
                filed = new.execute("SELECT DISTINCT data FROM events WHERE form = ?", (bodies.FILED,)).fetchall()
            backup.copy_blobs(self._blobs, target.parent / "blobs", [str(digest) for (digest,) in filed])
        return Copied(held, events, len(filed), target.stat().st_size)

    def size(self) -> int:
        """See `Upkeep`."""
        return opening.size(self._path)

    def give_back(self, journal: Store, gone: int) -> str:
        """See `Upkeep`. Others wait while the file shrinks: nobody should be driving."""
        sweep(journal, self._blobs)
        if not gone:
            return ""
        with closing(self._reader()) as tx:
            driven = any(mending.is_driven(row, time.time()) for row in runs.listing(tx, limit=1_000_000) if row.owner)
        if driven:
            return "a run is being driven: the next prune gives the space back"
        self.shrink()
        return ""

    def shrink(self) -> None:
        """Give the space that is free in the file back to the disk.

        Raises:
            StoreUnusable: the disk has no room for a second copy, or the file is locked. Nothing is lost.
        """
        with self._turn(), self._writing() as tx:
            tx.execute("VACUUM")
            tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _reader(self) -> sqlite3.Connection:
        return opening.connect_reader(self._path, self._patience_s)

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True, isolation_level=None)) as tx:
            schema.prepare_writer(tx, int(self._patience_s * 1000))
            yield tx

    @contextmanager
    def _damage_named(self) -> Generator[None]:
        """What is damaged in a copy was so in the store."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _code(error) not in DAMAGED:
                raise
            raise unusable(error, self._path) from error

    @contextmanager
    def _turn(self) -> Generator[None]:
        turn = Turnstile(self._path, self._patience_s)
        turn.enter()
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise unusable(error, self._path) from error
        finally:
            turn.leave()
            turn.close()

    def _nobody_drives(self, now: float) -> None:
        """What can't be read is driven by nobody."""
        try:
            with closing(self._reader()) as tx:
                mending.nobody_drives(tx, now)
        except sqlite3.DatabaseError as error:
            if _code(error) in NOT_DAMAGE:
                raise

    def _copy(self, now: float) -> Path:
        copy = self._path.with_name(f"{self._path.name}.{mending.moment(now)}")
        if copy.exists():
            raise Forbidden(f"{copy}: it is there already", hint="Try again in a second.")
        for tail in ("", "-wal"):
            source, target = self._path.with_name(self._path.name + tail), copy.with_name(copy.name + tail)
            if source.exists():
                shutil.copyfile(source, target)
                target.chmod(0o600)
                bodies.sync_file(target)
        bodies.sync_folder(self._path.parent)
        return copy


def damage(tx: Tx) -> Iterator[str]:
    """What SQLite finds wrong with its file."""
    for (said,) in tx.execute(f"PRAGMA integrity_check({MOST_SAID})").fetchall():
        yield from [] if said == "ok" else str(said).splitlines()


def sweep(store: Store, folder: Path) -> int:
    """Delete the large texts that no event names; how many there were."""

    def known(tx: Tx) -> tuple[int, set[str]]:
        (last,) = tx.execute("SELECT coalesce(max(rowid), 0) FROM events").fetchone()
        rows = tx.execute("SELECT DISTINCT data FROM events WHERE form = ? AND rowid <= ?", (bodies.FILED, last))
        return int(last), {str(digest) for (digest,) in rows.fetchall()}

    last, named = store.read(known)
    files = [path for path in folder.glob("??/*") if path.name not in named]

    def work(tx: Tx) -> int:
        rows = tx.execute("SELECT data FROM events WHERE rowid > ? AND form = ?", (last, bodies.FILED)).fetchall()
        since = {str(digest) for (digest,) in rows}
        return sum(_remove(tx, path) for path in files if path.name not in since)

    return store.write(work) if files else 0


def _remove(tx: Tx, path: Path) -> bool:
    with suppress(OSError):
        if path.name.startswith(".") and time.time() - path.stat().st_mtime < OLD_PART_S:
            return False
        path.unlink()
        tx.execute("DELETE FROM blobs WHERE digest = ?", (path.name,))
        return True
    return False


@contextmanager
def _unguarded(tx: Tx) -> Generator[None]:
    (trigger,) = tx.execute("SELECT sql FROM sqlite_master WHERE name = ?", (mending.STAYS,)).fetchone()
    tx.execute(f"DROP TRIGGER {mending.STAYS}")
    yield
    tx.execute(trigger)


def _code(error: BaseException | None) -> int:
    """SQLite's, without its details; 0: it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
