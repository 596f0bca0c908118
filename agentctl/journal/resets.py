"""Budgets that a person set back: what was spent in a window is forgiven, and who did so stays on record."""

from __future__ import annotations

from agentctl.journal import ledger
from agentctl.journal.ledger import Scope
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Reset:
    """What was forgiven in one window."""

    spent: int
    """Micro-dollars, of all resets together."""
    sender: str
    """Who did the last one."""
    at: float


def reset(tx: Tx, scope: str, window_start: int, sender: str, now: float) -> int:
    """Forgive what is spent, in micro-dollars; what is held stays held. 0: nothing was spent, nothing is written."""
    spent, _ = ledger.standing(tx, Scope(scope, window_start, None))
    if not spent:
        return 0
    tx.execute("UPDATE budgets SET spent = 0 WHERE scope = ? AND window_start = ?", (scope, window_start))
    ledger.forgiven(tx, scope, window_start)
    tx.execute("INSERT INTO resets VALUES(?, ?, ?, ?, ?)", (scope, window_start, spent, sender, now))
    return spent


def listing(tx: Tx) -> dict[tuple[str, int], Reset]:
    """By scope and window. They are few: people make them."""
    found: dict[tuple[str, int], Reset] = {}
    for scope, start, spent, sender, at in tx.execute(
        "SELECT scope, window_start, spent, sender, at FROM resets ORDER BY at"
    ).fetchall():
        before = found.get((scope, start))
        found[scope, start] = Reset(spent + (before.spent if before else 0), sender, at)
    return found
