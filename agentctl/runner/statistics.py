"""What `stats` tells, gathered from the store."""

from __future__ import annotations

import time
from collections.abc import Callable

from agentctl.config import paths
from agentctl.core.expectation import Expectation
from agentctl.core.stats import KINDS, Ran, Stats
from agentctl.journal import doors, lease
from agentctl.journal.histories import History, Which, count, histories
from agentctl.runner import expecting, stores


def gathered(which: Which, store: str | None, far: Callable[[int, int], None]) -> Stats:
    """The sums of all these runs. `far` is told after each run how many of how many are read.

    Raises:
        StoreUnusable: the store can't be read. StoreMissing: the one that was named is not there.
    """
    stats, now = Stats(), time.time()
    folder = doors.blobs_of(paths.store_url(store))
    with stores.tables(store) as tx:
        total = count(tx, which)
        for number, history in enumerate(histories(tx, folder, which, KINDS), 1):
            stats.add(_ran(history, now), history.events)
            stats.unreadable += history.unreadable
            far(number, total)
    return stats


def expected(which: Which, store: str | None) -> Expectation | None:
    """What a run of the task that was asked for will take; None: none was."""
    if not which.task:
        return None
    (found,) = expecting.asked([(which.task, which.policy)], store, rehearsed=which.rehearsed)
    return found


def _ran(history: History, now: float) -> Ran:
    row = history.row
    status = "crashed" if lease.crashed(row, now) else row.status
    return Ran(
        row.run_id, row.session_id, row.user_id, row.tenant_id, row.task, history.policy, row.rehearsed, status,
        row.reason, row.created, row.updated - row.created, row.cost_micro, row.steps,
        history.whole,
    )  # fmt: skip
