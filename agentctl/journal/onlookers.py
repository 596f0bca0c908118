"""Who watches a run right now, and the reply that is being written to it: for eyes on other terminals and machines.

Lossy on purpose. A reply becomes an event when it is whole; until then its end stands here, scrubbed, overwritten a few
times a second, and only while somebody watches. Nothing is read from it but by screens.
"""

from __future__ import annotations

from typing import Final

from agentctl.journal.tx import Tx
from agentctl.records import dataclass

WATCHED_S: Final = 10.0
"""For how long a watcher counts after it was heard of."""
LONGEST: Final = 4_000
"""Characters of a reply's end that are kept."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A reply on its way."""

    text: str
    """Its end, scrubbed; empty: none is being written."""
    at: float
    """When it was left, in seconds since the epoch."""


NOTHING: Final = Writing("", 0.0)


def watch(tx: Tx, run_id: str, now: float) -> None:
    """Somebody looks at this run; to be said again before WATCHED_S are over."""
    tx.execute(
        "INSERT INTO onlookers(run_id, until) VALUES(?, ?) ON CONFLICT(run_id) DO UPDATE SET until = excluded.until",
        (run_id, now + WATCHED_S),
    )


def watched(tx: Tx, run_id: str, now: float) -> bool:
    """Whether anybody looks."""
    row = tx.execute("SELECT until FROM onlookers WHERE run_id = ?", (run_id,)).fetchone()
    return row is not None and now < row[0] <= now + 2 * WATCHED_S


def write(tx: Tx, run_id: str, text: str, now: float) -> None:
    """Leave the end of what is being written; nothing for nobody."""
    tx.execute("UPDATE onlookers SET text = ?, at = ? WHERE run_id = ?", (text[-LONGEST:], now, run_id))


def read(tx: Tx, run_id: str) -> Writing:
    """What is being written."""
    row = tx.execute("SELECT text, at FROM onlookers WHERE run_id = ?", (run_id,)).fetchone()
    return Writing(str(row[0]), float(row[1])) if row and row[0] else NOTHING
