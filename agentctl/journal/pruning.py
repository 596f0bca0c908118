"""`runs prune`: old runs leave the store, and what they alone needed leaves with them.

- A run that is driven never leaves. One that somebody may go on with leaves only where everything was asked for.
- A session leaves as a whole: limits per session count the calls of all its runs.
- What was spent stays in the budgets that others share. What a dead driver still held is settled in full first.
- Large texts that no event names any more are deleted under the same lock as events that name them are written.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

from agentctl.journal import bodies, ledger, opening, rehearsed, runs, schema
from agentctl.journal.faults import unusable
from agentctl.journal.inbox import OVER
from agentctl.journal.mending import BUSY_MS, is_driven
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.journal.turnstile import Turnstile
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

AT_ONCE: Final = 50
"""Runs that leave in one transaction: others want to write, too."""
OLD_PART_S: Final = 86_400.0
"""A file that somebody began to write so long ago is nobody's."""
FINISHED: Final = (*OVER, "stopped")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of the runs that are old enough leave, and how many stay, by why."""

    leave: tuple[RunRow, ...]
    stay: dict[str, int]


def choose(tx: Tx, before: float, now: float, *, everything: bool) -> Chosen:
    """The runs that were last written to before a moment."""
    rows = runs.listing(tx, limit=1_000_000)
    why = {row.run_id: _stays(row, before, now, everything=everything) for row in rows}
    kept = {row.session_id for row in rows if why[row.run_id]}
    leave: list[RunRow] = []
    stay: dict[str, int] = {}
    for row in rows:
        reason = why[row.run_id] or ("in a session that goes on" if row.session_id in kept else "")
        if not reason:
            leave.append(row)
        elif reason != "young":
            stay[reason] = stay.get(reason, 0) + 1
    return Chosen(tuple(leave), stay)


def _stays(row: RunRow, before: float, now: float, *, everything: bool) -> str:
    if row.updated >= before:
        return "young"
    if is_driven(row, now):
        return "driven"
    if row.status not in FINISHED and not everything:
        return "crashed" if row.status == "running" else row.status
    return ""


def prune(store: Store, chosen: Sequence[RunRow], before: float) -> int:
    """Delete these runs, unless somebody has gone on with one meanwhile; how many there were."""
    gone = 0
    for first in range(0, len(chosen), AT_ONCE):
        work = partial(_delete, batch=chosen[first : first + AT_ONCE], before=before, now=store.clock())
        gone += store.write(work, durable=True)
    return gone


def _delete(tx: Tx, batch: Sequence[RunRow], before: float, now: float) -> int:
    gone = 0
    for row in batch:
        there = tx.execute("SELECT 1 FROM runs WHERE run_id = ?", (row.run_id,)).fetchone()
        current = runs.find(tx, row.run_id) if there else None
        if current is None or current.updated >= before or is_driven(current, now):
            continue
        run_id = row.run_id
        ledger.settle_orphans(tx, run_id, ())
        tx.execute("DELETE FROM holds WHERE hold_id >= ? AND hold_id < ?", (f"{run_id}:", f"{run_id};"))
        names = (f"run_usd:{run_id}", f"run_usd:{rehearsed.PREFIX}{run_id}")
        tx.execute("DELETE FROM budgets WHERE scope IN (?, ?)", names)
        rehearsed.forget(tx, run_id)
        tx.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        gone += 1
    return gone


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


def shrink(path: Path) -> None:
    """Give the space that is free in the file back to the disk. Others wait meanwhile: nobody should be driving.

    Raises:
        StoreUnusable: the disk has no room for a second copy, or the file is locked. Nothing is lost.
    """
    turn = Turnstile(path, BUSY_MS / 1000)
    turn.enter()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)) as tx:
            schema.prepare_writer(tx, BUSY_MS)
            tx.execute("VACUUM")
            tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        raise unusable(error, path) from error
    finally:
        turn.leave()
        turn.close()


def size(path: Path) -> int:
    """Bytes of a store with its log and its large texts."""
    found = 0
    files = [path, path.with_name(f"{path.name}-wal"), *(path.parent / "blobs").glob("??/*")]
    for file in files:
        with suppress(OSError):
            found += file.stat().st_size
    return found


def anybody_drives(path: Path, now: float) -> bool:
    """Whether a run of the store is driven."""
    with closing(opening.connect_reader(path, BUSY_MS / 1000)) as tx:
        return any(is_driven(row, now) for row in runs.listing(tx, limit=1_000_000) if row.owner)
