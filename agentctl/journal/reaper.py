"""Holds whose driver died, in runs that nobody resumes: settled in full, so that nothing is held by nobody.

Whoever starts or resumes a run, or looks at budgets, does this first. The journal of the run is not touched: should it
be resumed after all, its next owner records the lost call at the amount that was charged here (`runner/recall.py`),
and the ledger moves no more.

A driver that lives is left alone, also where it slept through its lease; one elsewhere that comes back after its lease
settles its hold again, at what the call really cost.
"""

from __future__ import annotations

from agentctl.journal import lease, ledger
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Orphan:
    """An open hold that nobody alive will settle."""

    hold_id: str
    run_id: str
    amount: int
    """Micro-dollars."""
    rehearsed: bool


def orphans(tx: Tx, now: float) -> list[Orphan]:
    """All of them. One query over the open holds, which are as many as model calls are under way."""
    rows = tx.execute(
        "SELECT holds.hold_id, holds.run_id, holds.amount, COALESCE(runs.rehearsed, 0),"
        " COALESCE(runs.owner, ''), COALESCE(runs.lease_until, 0)"
        " FROM holds INDEXED BY holds_open LEFT JOIN runs ON runs.run_id = holds.run_id"
        " WHERE holds.state = 'open' ORDER BY holds.run_id, holds.hold_id"
    )
    return [
        Orphan(str(hold_id), str(run_id), int(amount), bool(rehearsed))
        for hold_id, run_id, amount, rehearsed, owner, until in rows.fetchall()
        if lease.abandoned(owner, until, now)
    ]


def reap(tx: Tx, now: float) -> list[Orphan]:
    """Settle them all in full, in every budget that they were held in."""
    found = orphans(tx, now)
    for orphan in found:
        ledger.reap(tx, orphan.hold_id)
    return found
