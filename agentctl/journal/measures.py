"""What alerts are judged by, read from the runs of a store: one statement each, over a window or over 7 days.

Runs are told apart by whether they were rehearsed; what a fork has copied counts for the run that it was copied from.
A run's seconds are those of its last drive: while it waited for a person it was not slow. An event that can't be read
counts for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agentctl.core.alerts import Calls, Ran, Usual
from agentctl.core.events import ApprovalDecided, ApprovalRequested, InjectionSuspected, ToolFinished
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.journal import bodies, lease, runs
from agentctl.journal.codec import TAGS
from agentctl.journal.runs import RunRow
from agentctl.journal.tx import Tx

MOST_RUNS: Final = 100_000
SAMPLE: Final = 1_000
"""Completed runs of a store that a driver looks at for those of its task."""
_SINCE = "CASE WHEN lease_since > 0 THEN lease_since ELSE created END"


def calls(tx: Tx, folder: Path | None, since: float, *, rehearsed: bool) -> list[Calls]:
    """How the calls of each tool that ended since then came out: retried attempts and calls that never ran aside."""
    rows = tx.execute(
        "SELECT e.run_id, e.form,"  # noqa: S608  # constants
        " CASE WHEN e.form = 0 AND json_valid(e.data) THEN json_remove(e.data, '$.result') ELSE e.data END"
        " FROM runs r JOIN events e ON e.run_id = r.run_id"
        f" WHERE r.updated >= ? AND r.rehearsed = ? AND e.type = '{TAGS[ToolFinished]}' AND e.ts >= ? AND e.epoch > 0"
        " ORDER BY e.ts",
        (since, int(rehearsed), since),
    )
    found: dict[str, Calls] = {}
    for run_id, form, data in rows:
        told = _told(folder, form, data)
        if told.get("ran", True) and told.get("final", True) and not told.get("shared_with"):
            tool, failed = str(told.get("tool", "")), told.get("status") == "error"
            so_far = found.get(tool, Calls(tool, 0, 0, ""))
            last = run_id if failed else so_far.run_id
            found[tool] = Calls(tool, so_far.made + 1, so_far.failed + failed, last)
    return list(found.values())


def _told(folder: Path | None, form: int, data: str | bytes) -> JsonObject:
    """What an event says; where it can't be read, what counts for nothing: the alerts of the others must go on."""
    try:
        told: Json = json.loads(data if form == bodies.PLAIN else bodies.unpack(folder, form, data))
    except bodies.UNREADABLE:
        told = None
    return told if is_object(told) else {"ran": False}


def injections(tx: Tx, since: float, until: float, *, rehearsed: bool) -> tuple[int, str]:
    """Suspected injections from then until then, and the run of the last one."""
    rows = tx.execute(
        f"SELECT e.run_id FROM events e JOIN runs r ON r.run_id = e.run_id WHERE e.type = '{TAGS[InjectionSuspected]}'"  # noqa: S608  # constants
        " AND e.ts >= ? AND e.ts < ? AND e.epoch > 0 AND r.rehearsed = ? ORDER BY e.ts",
        (since, until, int(rehearsed)),
    ).fetchall()
    return len(rows), str(rows[-1][0]) if rows else ""


def oldest(tx: Tx, since: float, *, rehearsed: bool) -> float | None:
    """When the first run since then was made."""
    (found,) = tx.execute(
        "SELECT min(created) FROM runs WHERE created >= ? AND rehearsed = ?", (since, int(rehearsed))
    ).fetchone()
    return None if found is None else float(found)


def lately(tx: Tx, folder: Path | None, since: float, now: float, *, rehearsed: bool) -> list[Ran]:
    """The runs that are driven, that wait for a person, or whose last drive ended since then; the newest first."""
    listed = runs.listing(tx, rehearsed=rehearsed, limit=MOST_RUNS)
    return [_ran(tx, folder, row, now) for row in listed if row.begun and (row.updated >= since or _open(row, now))]


def _open(row: RunRow, now: float) -> bool:
    return row.status == "parked" or (row.status in runs.DRIVEN and not lease.crashed(row, now))


def _ran(tx: Tx, folder: Path | None, row: RunRow, now: float) -> Ran:
    crashed = lease.crashed(row, now)
    driven = row.status in runs.DRIVEN and not crashed
    begun = row.lease_since or row.created
    reason = row.reason if row.status == "failed" else runs.CRASHED if crashed else ""
    waits = now - _asked(tx, folder, row) if (row.status, row.reason) == ("parked", "approval") else 0.0
    seconds = 0.0 if row.status == "parked" else max(0.0, (now if driven else row.updated) - begun)
    return Ran(row.run_id, row.task, seconds, row.cost_micro / 1e6, reason, max(0.0, waits))


def _asked(tx: Tx, folder: Path | None, row: RunRow) -> float:
    """Since when a parked run waits: as its driver counted, from the ask, and not from the end of the prompt."""
    rows = tx.execute(
        "SELECT type, ts, step, form, data FROM events WHERE run_id = ? AND type IN (?, ?) AND epoch > 0 ORDER BY seq",
        (row.run_id, TAGS[ApprovalRequested], TAGS[ApprovalDecided]),
    ).fetchall()
    waiting: dict[str, float] = {}
    for tag, ts, step, form, data in rows:
        if step != rows[-1][2]:
            continue
        call = str(_told(folder, form, data).get("call_id", ""))
        if tag == TAGS[ApprovalRequested]:
            waiting.setdefault(call, float(ts))
        else:
            waiting.pop(call, None)
    return min(waiting.values(), default=row.updated)


def usual(tx: Tx, since: float, *, rehearsed: bool, task: str = "") -> Mapping[str, Usual]:
    """By task, what its runs took that were made since then and have completed; forks did not do all of it.

    `task`: of this one alone, among the store's last SAMPLE.
    """
    rows = tx.execute(
        "SELECT task, run_id, seconds, cost_micro FROM (SELECT run_id, task, cost_micro,"  # noqa: S608  # constants
        f" updated - {_SINCE} AS seconds FROM runs WHERE status = 'completed' AND created >= ? AND rehearsed = ?"
        f" AND {runs.WHOLE}"
        " ORDER BY created DESC LIMIT ?) AS done WHERE ? = '' OR task = ?",
        (since, int(rehearsed), SAMPLE if task else MOST_RUNS, task, task),
    )
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, run_id, took, micro in rows.fetchall():
        found.setdefault(name, {})[run_id] = (round(took, 3), micro / 1e6)
    return {name: Usual.of(taken) for name, taken in found.items()}
