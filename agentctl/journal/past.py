"""What earlier runs of a task came to, from their rows alone: quick enough to be asked before each run."""

from __future__ import annotations

from agentctl.core.expectation import COUNTED, MOST, Past
from agentctl.journal.runs import WHOLE
from agentctl.journal.tx import Tx


def past(tx: Tx, task: str, policy: str, since: float, *, rehearsed: bool) -> list[Past]:
    """The latest runs that count, at most MOST; an empty policy: under any. Rows that do not say theirs are left out.

    So are forks: what they take begins in the middle of the task.
    A run that somebody drives again after its end counts once it is over. A clock that was set back makes it short, not
    negative.
    """
    rows = tx.execute(
        "SELECT cost_micro, steps, updated - created FROM runs"  # noqa: S608  # constants
        f" WHERE task = ?{' AND policy = ?' if policy else ''} AND created >= ? AND rehearsed = ?"
        f" AND status IN ({', '.join('?' for _ in COUNTED)}) AND {WHOLE} ORDER BY created DESC LIMIT ?",
        (task, *((policy,) if policy else ()), since, int(rehearsed), *COUNTED, MOST),
    )
    return [Past(int(cost), int(steps), max(0.0, float(seconds))) for cost, steps, seconds in rows.fetchall()]
