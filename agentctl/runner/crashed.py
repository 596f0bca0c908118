"""Runs whose driver died, offered to whoever starts the next one. E36"""

from __future__ import annotations

from agentctl.journal import lease
from agentctl.journal.store import Store

MOST = 100
"""Runs that are looked at: this is said before every run."""


def offer(journal: Store, user: str, *, rehearsed: bool) -> str:
    """One line about the user's crashed runs, newest first; empty: there is none."""
    now = journal.clock()
    rows = journal.runs(status="crashed", user=user, rehearsed=rehearsed, limit=MOST)
    crashed = [row for row in rows if row.begun and lease.crashed(row, now)]
    if not crashed:
        return ""
    row, others = crashed[0], len(crashed) - 1
    more = f", and {others} more (agentctl runs --status crashed)" if others else ""
    return f"{row.run_id} ({row.task}) crashed{more}; go on with it: agentctl resume {row.run_id}"
