"""Money across runs and processes: reserve an upper bound before, settle the exact amount after.

Whole micro-dollars. A hold counts against all its scopes or against none, in the transaction of the caller: what is
spent and held together never passes a cap by reserving. Settling above the hold is recorded as it is, and what it
does to the cap blocks the next reservation.

- A hold is settled once. Asking again changes nothing, so that an outcome that is told twice is paid once.
- No clock expires a hold. The next owner of the run settles in full whatever may have been sent (`settle_orphans`),
  and releases only what the journal shows was never sent.
- A hold that was released and turns out to have been billed after all is still charged: money spent is never
  forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agentctl.journal.tx import Tx


@dataclass(frozen=True, slots=True)
class Scope:
    """One budget that a hold counts against, in the window that begins at `window_start`."""

    key: str
    """`run_usd:r_a3f7b2`, `user_daily_usd:ada`: the limit's name and whose it is."""
    window_start: int
    """Seconds since the epoch; 0 for a budget that has no window."""
    cap: int | None
    """Micro-dollars; None: counted, not limited."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a hold was not granted: the first scope without room, as it stands."""

    scope: Scope
    spent: int
    held: int
    cap: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A scope as it stands, for display."""

    key: str
    window_start: int
    cap: int | None
    spent: int
    held: int


def reserve(
    tx: Tx, hold_id: str, run_id: str, amount: int, scopes: Sequence[Scope], *, now: float = 0.0
) -> Refused | None:
    """Hold `amount` in every scope, or in none and say which had no room. What is held already stays held."""
    if amount < 0:
        raise ValueError(f"a hold can't be negative: {amount}")
    if _is_held(tx, hold_id, amount):
        return None
    for scope in scopes:
        refusal = _room(tx, scope, amount)
        if refusal is not None:
            return refusal
    tx.execute(
        "INSERT INTO holds(hold_id, run_id, amount, scopes, state, created) VALUES(?, ?, ?, ?, 'open', ?)",
        (hold_id, run_id, amount, json.dumps([(s.key, s.window_start) for s in scopes]), now),
    )
    tx.executemany(
        "INSERT INTO budgets(scope, window_start, cap, held) VALUES(?, ?, ?, ?) ON CONFLICT DO"
        " UPDATE SET held = held + excluded.held, cap = excluded.cap",
        [(scope.key, scope.window_start, scope.cap, amount) for scope in scopes],
    )
    return None


def settle(tx: Tx, hold_id: str, actual: int) -> bool:
    """Turn the hold into what was really spent. False: that was done before."""
    if actual < 0:
        raise ValueError(f"nobody spends less than nothing: {actual}")
    state, amount, scopes = _hold(tx, hold_id)
    if state == "settled":
        return False
    held = amount if state == "open" else 0
    tx.executemany(
        "UPDATE budgets SET held = held - ?, spent = spent + ? WHERE scope = ? AND window_start = ?",
        [(held, actual, key, start) for key, start in scopes],
    )
    tx.execute("UPDATE holds SET state = 'settled', actual = ? WHERE hold_id = ?", (actual, hold_id))
    return True


def release(tx: Tx, hold_id: str) -> bool:
    """Give the hold back: nothing was sent. False: it was not open any more."""
    state, amount, scopes = _hold(tx, hold_id)
    if state != "open":
        return False
    tx.executemany(
        "UPDATE budgets SET held = held - ? WHERE scope = ? AND window_start = ?",
        [(amount, key, start) for key, start in scopes],
    )
    tx.execute("UPDATE holds SET state = 'released' WHERE hold_id = ?", (hold_id,))
    return True


def open_holds(tx: Tx, run_id: str) -> list[tuple[str, int]]:
    """The holds of a run that nobody settled or released, with their amounts."""
    rows = tx.execute(
        "SELECT hold_id, amount FROM holds WHERE run_id = ? AND state = 'open' ORDER BY hold_id",
        (run_id,),
    )
    return [(str(hold_id), int(amount)) for hold_id, amount in rows.fetchall()]


def settle_orphans(tx: Tx, run_id: str, released: Collection[str]) -> dict[str, int]:
    """What a dead owner left open: released where named, else settled in full. What each hold came to."""
    came_to: dict[str, int] = {}
    for hold_id, amount in open_holds(tx, run_id):
        if hold_id in released:
            release(tx, hold_id)
            came_to[hold_id] = 0
        else:
            settle(tx, hold_id, amount)
            came_to[hold_id] = amount
    return came_to


def budgets(tx: Tx, *, prefix: str = "", since: int = 0) -> list[Budget]:
    """The scopes whose key begins with `prefix`, newest window first; windows before `since` are left out."""
    rows = tx.execute(
        "SELECT scope, window_start, cap, spent, held FROM budgets WHERE scope >= ? AND scope < ?"
        " AND (window_start = 0 OR window_start >= ?) ORDER BY scope, window_start DESC",
        (prefix, prefix + "\U0010ffff", since),
    )
    return [Budget(*row) for row in rows.fetchall()]


def standing(tx: Tx, scope: Scope) -> tuple[int, int]:
    """What is spent and held in a scope."""
    row = tx.execute(
        "SELECT spent, held FROM budgets WHERE scope = ? AND window_start = ?",
        (scope.key, scope.window_start),
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _is_held(tx: Tx, hold_id: str, amount: int) -> bool:
    row = tx.execute("SELECT state, amount FROM holds WHERE hold_id = ?", (hold_id,)).fetchone()
    if row is not None and tuple(row) != ("open", amount):
        raise ValueError(f"the hold {hold_id} was used before")
    return row is not None


def _room(tx: Tx, scope: Scope, amount: int) -> Refused | None:
    spent, held = standing(tx, scope)
    if scope.cap is None or spent + held + amount <= scope.cap:
        return None
    return Refused(scope, spent, held, scope.cap)


def _hold(tx: Tx, hold_id: str) -> tuple[str, int, list[tuple[str, int]]]:
    row = tx.execute("SELECT state, amount, scopes FROM holds WHERE hold_id = ?", (hold_id,)).fetchone()
    if row is None:
        raise KeyError(hold_id)
    return row[0], row[1], json.loads(row[2])
