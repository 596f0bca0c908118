"""What the runs of one session know of each other: what was said. What was called: `events.py`.

A session is one tenant's and one user's: the same id under another tenant or user is another session. Rehearsed runs
know rehearsed ones, real ones real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agentctl.core.events import Completed, Event, Forked, ModelReplied, RunStarted
from agentctl.journal import events
from agentctl.journal.codec import TAGS
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

MOST: Final = 20
"""Exchanges that a run is told of: the latest."""
LOOKED_AT: Final = 5 * MOST
"""Runs that are looked at for them: one that a limit stopped may have had no answer."""
_END: Final = 8
"""Events at the end of a run among which its last answer stands."""


@dataclass(frozen=True, slots=True)
class Session:
    """Whose conversation, and whether it is a rehearsal."""

    tenant: str
    user: str
    name: str
    rehearsed: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What a run was asked and what it answered, scrubbed, and the labels of what it had met."""

    run_id: str
    asked: str
    answer: str
    labels: tuple[str, ...]


def said(tx: Tx, folder: Path | None, of: Session) -> tuple[list[Said], bool]:
    """What its runs that came to an answer have said by now, the oldest first; and whether there was more before.

    A last answer that a limit made a run give is one, too. Bound: MOST, the latest to end.
    """
    found: list[Said] = []
    rows = _over(tx, of)
    for run_id, status, next_seq in rows[:LOOKED_AT]:
        one = _said(tx, folder, run_id, status, next_seq)
        if one is not None and len(found) == MOST:
            return found[::-1], True
        if one is not None:
            found.append(one)
    return found[::-1], len(rows) > LOOKED_AT


def _over(tx: Tx, of: Session) -> list[tuple[str, str, int]]:
    """Its runs that are over, the latest first."""
    rows = tx.execute(
        "SELECT run_id, status, next_seq FROM runs WHERE session_id = ? AND user_id = ? AND tenant_id = ?"
        " AND rehearsed = ? AND status IN ('completed', 'stopped') ORDER BY updated DESC, run_id LIMIT ?",
        (of.name, of.user, of.tenant, int(of.rehearsed), LOOKED_AT + 1),
    )
    return [(str(run_id), str(status), int(next_seq)) for run_id, status, next_seq in rows.fetchall()]


def _said(tx: Tx, folder: Path | None, run_id: str, status: str, next_seq: int) -> Said | None:
    """None: it came to no answer."""
    end = list(_events(tx, folder, run_id, max(0, next_seq - 1 - (1 if status == "completed" else _END))))
    done = end[-1] if end else None
    if not isinstance(done, Completed) or not done.answer.strip():
        return None
    if status == "stopped" and not any(_is_landing(event) for event in end):
        return None
    started = next(_events(tx, folder, run_id, 0, 1), None)
    if not isinstance(started, RunStarted):
        return None
    asked = (_goal_of_a_fork(tx, folder, run_id) or started.goal).strip()
    return Said(run_id, asked, done.answer.strip(), done.labels) if asked else None


def _goal_of_a_fork(tx: Tx, folder: Path | None, run_id: str) -> str:
    """What a fork was asked in its parent's stead; empty: nothing else."""
    rows = tx.execute(
        "SELECT seq FROM events WHERE run_id = ? AND type = ? ORDER BY seq DESC", (run_id, TAGS[Forked])
    ).fetchall()
    forks = (next(_events(tx, folder, run_id, seq - 1, 1), None) for (seq,) in rows)
    return next((fork.goal for fork in forks if isinstance(fork, Forked) and fork.goal), "")


def _is_landing(event: Event) -> bool:
    return isinstance(event, ModelReplied) and event.purpose == "landing" and not event.withheld


def _events(tx: Tx, folder: Path | None, run_id: str, after: int, limit: int = _END) -> Iterator[Event]:
    return (stamped.event for stamped in events.read(tx, folder, run_id, after, limit)[0])
