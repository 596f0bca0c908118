"""`store check --repair`: what can't be kept is cut off, and what can be worked out is made anew, in one transaction.

- A run loses its events from the first one that is wrong, never one before it. What its lost events did is not known:
  unless it was over, it is cancelled, so that no resume does anything twice.
- Nobody may drive a run meanwhile. A copy of all of it is kept first, as `files.py` and
  `postgres/upkeep.py` say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from agentctl.core.events import RunStarted
from agentctl.errors import Forbidden
from agentctl.journal import bodies, checking, codec, derived, lease, runs, sealed
from agentctl.journal.checking import Finding
from agentctl.journal.derived import REPAIRED
from agentctl.journal.inbox import OVER
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

STAYS: Final = "events_leave_with_their_run"
"""The trigger that keeps the events of a run that is there."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What a repair could not keep."""

    run_id: str
    """Empty: no run's."""
    first: int
    last: int
    """The events that are gone, both included; 0: none."""
    said: str


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done."""

    copy: Path
    """The store as it was."""
    lost: tuple[Lost, ...]
    rebuilt: tuple[str, ...]


def moment(now: float) -> str:
    """What the copy of a store that was repaired then is named by."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def nobody_drives(tx: Tx, now: float) -> None:
    """Raise Forbidden where a run of the store is driven."""
    driven = next((row for row in runs.listing(tx, limit=1_000_000) if is_driven(row, now)), None)
    if driven is not None:
        raise Forbidden(
            f"{driven.run_id} is driven by {lease.describe(driven.owner)}: nothing was changed",
            hint="Wait for it, or stop that process; then try again.",
        )


def is_driven(row: runs.RunRow, now: float) -> bool:
    """Whether somebody who may be alive has the run."""
    return not lease.abandoned(row.owner, row.lease_until, now)


def mend(
    tx: Tx, folder: Path | None, unguarded: Callable[[Tx], AbstractContextManager[None]]
) -> tuple[list[Lost], list[str]]:
    """What was lost, and what was made anew. The look is repeated: what was found before may have been salvaged.

    `unguarded`: takes the trigger STAYS off for a while.
    """
    rebuilt = _adopt(tx, folder) + _reach(tx)
    lost: list[Lost] = []
    cut: dict[str, Finding] = {}
    for finding in checking.look(tx, folder):
        if finding.mend == "cut":
            first = cut.setdefault(finding.run_id, finding)
            cut[finding.run_id] = min(first, finding, key=lambda each: each.seq)
    if cut:
        with unguarded(tx):
            lost = [_cut(tx, finding) for finding in cut.values()]
    for (run_id,) in tx.execute("SELECT run_id FROM runs").fetchall():
        if derived.calls_that_differ(tx, folder, run_id):
            derived.rebuild_calls(tx, folder, run_id)
            rebuilt.append(f"the tool calls of {run_id}")
        if columns := derived.rebuild_row(tx, folder, run_id):
            rebuilt.append(f"the row of {run_id}: {', '.join(columns)}")
    if derived.unreadable_holds(tx) or any(is_held != should for is_held, should in derived.held(tx).values()):
        derived.rebuild_held(tx)
        rebuilt.append("what budgets hold")
    if folder is not None:
        _list_blobs(tx)
    return lost, rebuilt


def _cut(tx: Tx, fault: Finding) -> Lost:
    run_id, first = fault.run_id, fault.seq
    (next_seq, status, reason) = tx.execute(
        "SELECT next_seq, status, reason FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    (last,) = tx.execute("SELECT max(seq) FROM events WHERE run_id = ?", (run_id,)).fetchone()
    tx.execute("DELETE FROM events WHERE run_id = ? AND seq >= ?", (run_id, first))
    tx.execute(
        "UPDATE runs SET next_seq = ?, owner = '', lease_until = 0, epoch = epoch + 1 WHERE run_id = ?", (first, run_id)
    )
    if status not in OVER or reason == "providers":  # that failure is one that a resume goes on after
        status = "cancelled"
    tx.execute("UPDATE runs SET status = ?, reason = ? WHERE run_id = ?", (status, REPAIRED, run_id))
    sealed.destroy(tx, run_id)
    return Lost(run_id, first, max(next_seq - 1, last or 0), fault.said)


def _adopt(tx: Tx, folder: Path | None) -> list[str]:
    """Events whose run's row is gone get one again; other rows of no run are dropped."""
    said: list[str] = []
    gone = checking.of_no_run("events")
    for (run_id,) in tx.execute(f"SELECT DISTINCT run_id FROM events WHERE {gone}").fetchall():  # noqa: S608  # constant
        _row_again(tx, folder, run_id)
        said.append(f"the row of {run_id}, which is cancelled now")
    for table in checking.OF_RUNS:
        tx.execute(f"DELETE FROM {table} WHERE {checking.of_no_run(table)}")  # noqa: S608  # constants
    return said


def _reach(tx: Tx) -> list[str]:
    """A row that stops short of its run's events is not a reason to lose them: what does not belong is cut later."""
    short = tx.execute(
        "SELECT run_id, last FROM (SELECT run_id, max(seq) AS last FROM events GROUP BY run_id) AS ends"
        " WHERE last >= (SELECT next_seq FROM runs WHERE runs.run_id = ends.run_id)"
    ).fetchall()
    tx.executemany("UPDATE runs SET next_seq = ? WHERE run_id = ?", [(last + 1, run_id) for run_id, last in short])
    return [f"the row of {run_id}: next_seq" for run_id, _ in short]


def _row_again(tx: Tx, folder: Path | None, run_id: str) -> None:
    row = tx.execute(
        "SELECT session_id, ts, type, v, form, data FROM events WHERE run_id = ? ORDER BY seq LIMIT 1", (run_id,)
    ).fetchone()
    session, ts, tag, version, form, data = row
    (last, updated, epoch) = tx.execute(
        "SELECT max(seq), max(ts), max(epoch) FROM events WHERE run_id = ?", (run_id,)
    ).fetchone()
    try:
        event = codec.decode(tag, version, bodies.unpack(folder, form, data))
    except Exception:  # noqa: BLE001 -- whatever is wrong with it is found, and cut, afterwards
        event = None
    task, user, tenant = (event.task, event.user, event.tenant) if isinstance(event, RunStarted) else ("", "", "")
    rehearsed = int(isinstance(event, RunStarted) and event.rehearsed)
    tx.execute(
        "INSERT INTO runs(run_id, session_id, user_id, tenant_id, task, status, reason, next_seq, epoch, rehearsed,"
        " created, updated) VALUES(?, ?, ?, ?, ?, 'cancelled', ?, ?, ?, ?, ?, ?)",
        (run_id, session, user, tenant, task, REPAIRED, last + 1, epoch, rehearsed, ts, updated),
    )
    tx.execute(
        "INSERT INTO specs(run_id, spec) VALUES(?, ?) ON CONFLICT DO NOTHING",
        (run_id, '{"task": "", "policy": null, "max_usd": null}'),
    )


def _list_blobs(tx: Tx) -> None:
    tx.execute(
        "INSERT INTO blobs SELECT data, 0, min(ts) FROM events WHERE form = ? GROUP BY data ON CONFLICT DO NOTHING",
        (bodies.FILED,),
    )
