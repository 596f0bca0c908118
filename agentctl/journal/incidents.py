"""Incidents, shared by all processes of a store: opened once, told by whoever claims the telling, closed, kept.

Everything here is a transaction of the caller. Writers follow one another, on a server too, so that of two processes
that find the same thing at once one opens and claims it, and the other one finds it there.

Who claims an incident tells it, and says so, or says that nobody heard: then the next one who looks claims it again. A
claim whose process died is void after CLAIM_S.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from agentctl.core import clock
from agentctl.core.alerts import Baseline, Finding
from agentctl.core.incidents import Incident, over
from agentctl.journal.tx import Tx

CLAIM_S: Final = 120.0
"""Longer than any message is waited for."""
KEPT_S: Final = 90 * 86_400
"""How long a closed incident stays."""
_COLUMNS = "id, rule, subject, rehearsed, value, most, usual, usual_of, factor, run_id, opened, seen, closed, told"


def found(
    tx: Tx, findings: Iterable[Finding], now: float, *, rehearsed: bool = False, stale_s: float = math.inf
) -> None:
    """Open an incident for each finding that has none, and renew the others.

    `stale_s`: an incident that nobody has seen for so long is over, and this is another one. For who does not look
    regularly: nobody else might close them.
    """
    for each in findings:
        if math.isfinite(stale_s):
            tx.execute(
                "UPDATE incidents SET closed = seen + ? WHERE rule = ? AND subject = ? AND rehearsed = ?"
                " AND closed IS NULL AND seen <= ?",
                (stale_s, each.rule, each.subject, int(rehearsed), now - stale_s),
            )
        base = each.baseline
        usual = (None, 0, None) if base is None else (base.value, base.count, base.factor)
        measured = (each.value, each.limit, *usual, each.run_id)
        tx.execute(
            "INSERT INTO incidents(rule, subject, rehearsed, value, most, usual, usual_of, factor, run_id, opened,"
            " seen) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (each.rule, each.subject, int(rehearsed), *measured, now, now),
        )
        tx.execute(
            "UPDATE incidents SET value = ?, most = ?, usual = ?, usual_of = ?, factor = ?, run_id = ?, seen = ?"
            " WHERE rule = ? AND subject = ? AND rehearsed = ? AND closed IS NULL AND (seen <= ? OR seen > ?)",
            (*measured, now, each.rule, each.subject, int(rehearsed), now, now + clock.SKEW_S),
        )


def close(tx: Tx, still: Iterable[Finding], now: float, hold_s: float, *, rehearsed: bool = False) -> list[Incident]:
    """Close what was not found for a whole window, and forget what was closed long ago; what has closed now."""
    there = {(each.rule, each.subject) for each in still}
    ended = [
        each
        for each in listing(tx, only_open=True, rehearsed=rehearsed)
        if each.key not in there and over(each.seen, now, hold_s)
    ]
    tx.executemany("UPDATE incidents SET closed = ? WHERE id = ?", [(now, each.number) for each in ended])
    tx.execute("DELETE FROM incidents WHERE closed < ?", (now - KEPT_S,))
    return ended


def claim(
    tx: Tx, now: float, *, only: Sequence[tuple[str, str]] | None = None, rehearsed: bool = False
) -> list[Incident]:
    """The open incidents that nobody was told of, and nobody is telling: the caller's to tell.

    `only`: of these rules and subjects.
    """
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM incidents WHERE closed IS NULL AND told IS NULL AND rehearsed = ?"  # noqa: S608  # constants
        " AND (claimed IS NULL OR claimed < ? OR claimed > ?) ORDER BY opened, id",
        (int(rehearsed), now - CLAIM_S, now + CLAIM_S),
    )
    ours = [_incident(row) for row in rows.fetchall()]
    ours = [each for each in ours if only is None or each.key in only]
    tx.executemany("UPDATE incidents SET claimed = ? WHERE id = ?", [(now, each.number) for each in ours])
    return ours


def told(tx: Tx, ours: Iterable[Incident], now: float, *, heard: bool) -> None:
    """What came of a claim: somebody heard, or it is free again."""
    done = (now, None) if heard else (None, None)
    tx.executemany("UPDATE incidents SET told = ?, claimed = ? WHERE id = ?", [(*done, each.number) for each in ours])


def listing(
    tx: Tx, *, only_open: bool = False, rehearsed: bool | None = None, since: float = 0.0, limit: int = 100_000
) -> list[Incident]:
    """The open ones first, each kind newest first; `rehearsed=None`: both kinds; `since`: opened then or later."""
    tests = ["opened >= ?"]
    if only_open:
        tests.append("closed IS NULL")
    if rehearsed is not None:
        tests.append(f"rehearsed = {int(rehearsed)}")
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM incidents WHERE {' AND '.join(tests)}"  # noqa: S608  # constants
        " ORDER BY CASE WHEN closed IS NULL THEN 0 ELSE 1 END, opened DESC, id DESC LIMIT ?",
        (since, limit),
    )
    return [_incident(row) for row in rows.fetchall()]


def _incident(row: Sequence[Any]) -> Incident:
    number, rule, subject, rehearsed, value, limit, usual, count, factor, run_id, opened, seen, closed, told = row
    base = None if usual is None else Baseline(usual, count, factor)
    return Incident(
        number, rule, subject, bool(rehearsed), value, limit, base, run_id, opened, seen, closed or 0.0, told or 0.0
    )
