"""`runs prune`: old runs leave the store, and what they alone needed leaves with them.

- A run that is driven never leaves. One that somebody may go on with leaves only where everything was asked for.
- A session leaves as a whole: limits per session count the calls of all its runs.
- What was spent stays in the budgets that others share. What a dead driver still held is settled in full first.
- The space that they took is given back by each kind of store in its own way: `Upkeep.give_back`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from agentctl.journal import ledger, rehearsed, runs
from agentctl.journal.inbox import OVER
from agentctl.journal.mending import is_driven
from agentctl.journal.runs import DRIVEN, RunRow
from agentctl.journal.store import Store
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

AT_ONCE: Final = 50
"""Runs that leave in one transaction: others want to write, too."""
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
        return "crashed" if row.status in DRIVEN else row.status
    return ""


def prune(store: Store, chosen: Sequence[RunRow], before: float) -> int:
    """Delete these runs, unless somebody has gone on with one or its session meanwhile; how many there were."""
    gone = 0
    for first in range(0, len(chosen), AT_ONCE):
        work = partial(_delete, batch=chosen[first : first + AT_ONCE], before=before, now=store.clock())
        gone += store.write(work, durable=True)
    return gone


def _goes_on(tx: Tx, row: RunRow, before: float) -> bool:
    """Whether somebody has gone on with the run, or with its session, since it was chosen."""
    rows = tx.execute("SELECT 1 FROM runs WHERE session_id = ? AND updated >= ? LIMIT 1", (row.session_id, before))
    return rows.fetchone() is not None


def _delete(tx: Tx, batch: Sequence[RunRow], before: float, now: float) -> int:
    gone = 0
    for row in batch:
        there = tx.execute("SELECT 1 FROM runs WHERE run_id = ?", (row.run_id,)).fetchone()
        current = runs.find(tx, row.run_id) if there else None
        if current is None or is_driven(current, now) or _goes_on(tx, current, before):
            continue
        run_id = row.run_id
        ledger.settle_orphans(tx, run_id)
        tx.execute("DELETE FROM holds WHERE hold_id >= ? AND hold_id < ?", (f"{run_id}:", f"{run_id};"))
        names = (f"run_usd:{run_id}", f"run_usd:{rehearsed.PREFIX}{run_id}")
        tx.execute("DELETE FROM budgets WHERE scope IN (?, ?)", names)
        rehearsed.forget(tx, run_id)
        tx.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        gone += 1
    return gone
