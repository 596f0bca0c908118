"""Money across runs and processes: reserve an upper bound before, settle the exact amount after.

Whole micro-dollars. A hold counts against all its scopes or against none, in the transaction of the caller: what is
spent and held together never passes a cap by reserving. Settling above the hold is recorded as it is, and what it
does to the cap blocks the next reservation.

- A hold is settled once. Asking again changes nothing, so that an outcome that is told twice is paid once.
- No clock expires a hold. The next owner of the run settles it in full with its outcome, which nobody saw; for runs
  that nobody resumes, `reaper.py` and `pruning.py` do.
- A reaped hold is charged and still waits for its outcome: that corrects the amount, it does not come on top. Where
  the charge was forgiven meanwhile, only what the call cost beyond it is added: what others spent since is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentctl.journal.tx import Tx
from agentctl.records import dataclass

_LAST = "\U0010ffff"
"""Sorts behind whatever a key may go on with."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One budget that a hold counts against, in the window that begins at `window_start`."""

    key: str
    """`run_usd:r_a3f7b2`, `user_daily_usd:ada`: the limit's name and whose it is."""
    window_start: int
    """Seconds since the epoch; 0 for a budget that has no window."""
    cap: int | None
    """Micro-dollars; None: counted, not limited."""
    limit: int | None = None
    """The policy's limit, for people, where the cap leaves a part of it to the landing; None: the cap."""


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
    limit: int | None
    """Micro-dollars, as whoever reserved last was limited."""
    spent: int
    held: int


def reserve(
    tx: Tx, hold_id: str, run_id: str, amount: int, scopes: Sequence[Scope], *, now: float = 0.0, beside: str = "[]"
) -> Refused | None:
    """Hold `amount` in every scope, or in none and say which had no room. What is held already stays held.

    `beside`: what the hold keeps for who settles it, as JSON.
    """
    if amount < 0:
        raise ValueError(f"a hold can't be negative: {amount}")
    refusal = _full(tx, scopes, amount)
    if refusal is not None:
        return None if _is_held(tx, hold_id, amount) else refusal
    made = tx.execute(
        "INSERT INTO holds(hold_id, run_id, amount, scopes, state, created, pace) VALUES(?, ?, ?, ?, 'open', ?, ?)"
        " ON CONFLICT DO NOTHING",
        (hold_id, run_id, amount, json.dumps([(s.key, s.window_start) for s in scopes]), now, beside),
    )
    if not made.rowcount:
        _is_held(tx, hold_id, amount)
        return None
    tx.executemany(
        "INSERT INTO budgets(scope, window_start, cap, held) VALUES(?, ?, ?, ?)"
        " ON CONFLICT(scope, window_start) DO UPDATE SET held = budgets.held + excluded.held, cap = excluded.cap",
        [(s.key, s.window_start, s.cap if s.limit is None else s.limit, amount) for s in scopes],
    )
    return None


def settle(tx: Tx, hold_id: str, actual: int) -> bool:
    """Turn the hold into what was really spent. False: that was done before."""
    return settled(tx, hold_id, actual) is not None


def settled(tx: Tx, hold_id: str, actual: int) -> str | None:
    """`settle`; what the hold kept beside, or None where it was settled before."""
    if actual < 0:
        raise ValueError(f"nobody spends less than nothing: {actual}")
    hold = _hold(tx, hold_id)
    if hold.state == "settled" and not hold.reaped:
        return None
    _move(tx, hold, actual)
    tx.execute("UPDATE holds SET state = 'settled', actual = ?, reaped = 0 WHERE hold_id = ?", (actual, hold_id))
    return hold.beside


def reap(tx: Tx, hold_id: str) -> None:
    """Settle an open hold in full; its outcome, should one come, settles it again."""
    settle(tx, hold_id, _hold(tx, hold_id).amount)
    tx.execute("UPDATE holds SET reaped = 1 WHERE hold_id = ?", (hold_id,))


def forgiven(tx: Tx, key: str, window_start: int) -> None:
    """Remember that what is spent in a scope was set to nothing, in the reaped holds that are charged there."""
    rows = tx.execute("SELECT hold_id, scopes FROM holds INDEXED BY holds_reaped WHERE reaped = 1").fetchall()
    for hold_id, text in rows:
        scopes: list[list[str | int]] = json.loads(text)
        marked = [[*scope[:2], 1] if scope[:2] == [key, window_start] else scope for scope in scopes]
        if marked != scopes:
            tx.execute("UPDATE holds SET scopes = ? WHERE hold_id = ?", (json.dumps(marked), hold_id))


def open_holds(tx: Tx, run_id: str) -> list[tuple[str, int]]:
    """The holds of a run whose outcome nobody told, reaped ones too, with their amounts."""
    rows = tx.execute(
        "SELECT hold_id, amount FROM holds WHERE run_id = ? AND state = 'open' UNION ALL"
        " SELECT hold_id, amount FROM holds WHERE run_id = ? AND reaped = 1 ORDER BY hold_id",
        (run_id, run_id),
    )
    return [(str(hold_id), int(amount)) for hold_id, amount in rows.fetchall()]


def settle_orphans(tx: Tx, run_id: str) -> None:
    """Settle in full what a dead owner left open: all of it may have been billed."""
    for hold_id, amount in open_holds(tx, run_id):
        settle(tx, hold_id, amount)


def budgets(tx: Tx, *, prefix: str = "", besides: str = "-", since: int = 0, limit: int = 1000) -> list[Budget]:
    """The scopes whose key begins with `prefix` and not with `besides`, the fullest first.

    Windows that began before `since` are left out.
    """
    rows = tx.execute(
        "SELECT scope, window_start, cap, spent, held FROM budgets WHERE scope >= ? AND scope < ?"
        " AND NOT (scope >= ? AND scope < ?) AND (window_start = 0 OR window_start >= ?)"
        " ORDER BY spent + held DESC, scope, window_start DESC LIMIT ?",
        (prefix, prefix + _LAST, besides, besides + _LAST, since, limit),
    )
    return [Budget(*row) for row in rows.fetchall()]


def budget(tx: Tx, key: str, window_start: int) -> Budget:
    """One scope, also where nothing was ever reserved in it."""
    row = tx.execute(
        "SELECT cap, spent, held FROM budgets WHERE scope = ? AND window_start = ?", (key, window_start)
    ).fetchone()
    return Budget(key, window_start, None, 0, 0) if row is None else Budget(key, window_start, *row)


def standing(tx: Tx, scope: Scope) -> tuple[int, int]:
    """What is spent and held in a scope."""
    found = budget(tx, scope.key, scope.window_start)
    return found.spent, found.held


def _is_held(tx: Tx, hold_id: str, amount: int) -> bool:
    row = tx.execute("SELECT state, amount FROM holds WHERE hold_id = ?", (hold_id,)).fetchone()
    if row is not None and tuple(row) != ("open", amount):
        raise ValueError(f"the hold {hold_id} was used before")
    return row is not None


def _full(tx: Tx, scopes: Sequence[Scope], amount: int) -> Refused | None:
    """The first scope without room."""
    capped = [scope for scope in scopes if scope.cap is not None]
    if not capped:
        return None
    named = " OR ".join(["scope = ? AND window_start = ?"] * len(capped))  # IN (VALUES …) would read every row
    rows = tx.execute(
        f"SELECT scope, window_start, spent, held FROM budgets WHERE {named}",  # noqa: S608  # marks
        [value for scope in capped for value in (scope.key, scope.window_start)],
    )
    found = {(key, start): (spent, held) for key, start, spent, held in rows}
    for scope in capped:
        spent, held = found.get((scope.key, scope.window_start), (0, 0))
        if scope.cap is not None and spent + held + amount > scope.cap:
            return Refused(scope, spent, held, scope.cap)
    return None


@dataclass(frozen=True, slots=True)
class _Hold:
    state: str
    amount: int
    actual: int
    reaped: bool
    scopes: list[tuple[str, int, bool]]
    """Keys and windows, and whether a reaper's charge was forgiven there."""
    beside: str


def _hold(tx: Tx, hold_id: str) -> _Hold:
    row = tx.execute(
        "SELECT state, amount, actual, reaped, scopes, pace FROM holds WHERE hold_id = ?", (hold_id,)
    ).fetchone()
    if row is None:
        raise KeyError(hold_id)
    scopes = [(key, start, bool(marks)) for key, start, *marks in json.loads(row[4])]
    return _Hold(row[0], row[1], row[2], bool(row[3]), scopes, row[5])


def _move(tx: Tx, hold: _Hold, actual: int) -> None:
    """Nothing of it is held any more, and `actual` is spent, instead of what a reaper took for spent."""
    held = hold.amount if hold.state == "open" else 0
    more = actual - hold.actual if hold.reaped else actual
    # `max`: a store of before may have forgiven without a mark.
    tx.executemany(
        "UPDATE budgets SET held = held - ?, spent = max(0, spent + ?) WHERE scope = ? AND window_start = ?",
        [(held, max(0, more) if waived else more, key, start) for key, start, waived in hold.scopes],
    )
