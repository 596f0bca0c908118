"""What follows from other rows, worked out anew: a run's row and its tool calls from its events, holds' sums."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from agentctl.core.events import Completed, Event, Forked, RunStarted, ToolFinished, ToolStarted
from agentctl.journal import bodies, codec
from agentctl.journal.codec import TAGS
from agentctl.journal.tx import Tx

COLUMNS = "call_id, state, tool, effect, attempt, idem_key, timeout_s, epoch, started_seq, started"
Row = tuple[object, ...]
REPAIRED: Final = "repaired"
"""The reason of a run whose end was lost: its row stands by itself, since its last events are gone."""


def row_that_differs(tx: Tx, folder: Path | None, run_id: str) -> dict[str, object]:
    """What the row of a run should say where it says something else, as far as events that are whole tell."""
    wanted = _row(tx, folder, run_id)
    if not wanted:
        return {}
    there = tx.execute(f"SELECT {', '.join(wanted)}, reason FROM runs WHERE run_id = ?", (run_id,)).fetchone()  # noqa: S608  # constants
    *values, reason = there
    found = {name: should for (name, should), value in zip(wanted.items(), values, strict=True) if value != should}
    for name in ("status", "reason") if reason == REPAIRED else ():
        found.pop(name, None)
    return found


def _row(tx: Tx, folder: Path | None, run_id: str) -> dict[str, object]:
    (last, epoch, session) = tx.execute(
        "SELECT max(seq), max(epoch), min(session_id) FROM events WHERE run_id = ?", (run_id,)
    ).fetchone()
    if last is None:
        return {}
    (now_epoch,) = tx.execute("SELECT epoch FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    found: dict[str, object] = {"session_id": session, "epoch": max(epoch, now_epoch)}
    begun, ended, forked = _event(tx, folder, run_id, 1), _event(tx, folder, run_id, last), _fork(tx, folder, run_id)
    if isinstance(begun, RunStarted):
        user = begun.user if forked is None else forked.by
        found |= {"user_id": user, "tenant_id": begun.tenant, "rehearsed": int(begun.rehearsed)}
    if isinstance(begun, RunStarted) and forked is None:  # the task of a fork is that of its file by then
        found["task"] = begun.task
    if isinstance(ended, Completed):
        found |= {"status": ended.status, "reason": ended.reason}
    return found


def _fork(tx: Tx, folder: Path | None, run_id: str) -> Forked | None:
    (seq,) = tx.execute(
        "SELECT max(seq) FROM events WHERE run_id = ? AND type = ?", (run_id, TAGS[Forked])
    ).fetchone()  # fmt: skip
    found = None if seq is None else _event(tx, folder, run_id, seq)
    return found if isinstance(found, Forked) else None


def _event(tx: Tx, folder: Path | None, run_id: str, seq: int) -> Event | None:
    rows = tx.execute("SELECT type, v, form, data FROM events WHERE run_id = ? AND seq = ?", (run_id, seq))
    for tag, version, form, data in rows.fetchall():
        return codec.decode(tag, version, bodies.unpack(folder, form, data), where=f"{run_id} seq {seq}")
    return None


def rebuild_row(tx: Tx, folder: Path | None, run_id: str) -> list[str]:
    """Make the row of a run say what its events do; which columns did not."""
    wrong = row_that_differs(tx, folder, run_id)
    for name, should in wrong.items():
        tx.execute(f"UPDATE runs SET {name} = ? WHERE run_id = ?", (should, run_id))  # noqa: S608  # constants
    return sorted(wrong)


def calls(tx: Tx, folder: Path | None, run_id: str) -> dict[str, Row]:
    """The rows of `tool_calls` that the events of a run make, by call. What a fork has copied makes none."""
    rows = tx.execute(
        "SELECT seq, epoch, ts, type, v, form, data FROM events WHERE run_id = ? AND type IN (?, ?) AND epoch > 0"
        " ORDER BY seq",
        (run_id, TAGS[ToolStarted], TAGS[ToolFinished]),
    )
    found: dict[str, Row] = {}
    for seq, epoch, ts, tag, version, form, data in rows:
        match codec.decode(tag, version, bodies.unpack(folder, form, data), where=f"{run_id} seq {seq}"):
            case ToolStarted() as event:
                found[event.call_id] = (
                    event.call_id, "started", event.tool, int(event.effect), event.attempt,
                    event.idempotency_key, float(event.timeout_s), epoch, seq, ts,
                )  # fmt: skip
            case ToolFinished() as event:
                state = "finished" if event.final else "retrying"
                _, _, *rest = found.get(event.call_id, (event.call_id, "", event.tool, 0, 0, "", 0.0, epoch, 0, 0.0))
                rest[5] = epoch
                found[event.call_id] = (event.call_id, state, *rest)
            case _:
                pass
    return found


def calls_that_differ(tx: Tx, folder: Path | None, run_id: str) -> list[str]:
    """The calls whose row is not the one that the events make."""
    rows = tx.execute(f"SELECT {COLUMNS} FROM tool_calls WHERE run_id = ?", (run_id,)).fetchall()  # noqa: S608  # constants
    there = {str(row[0]): tuple(row) for row in rows}
    wanted = calls(tx, folder, run_id)
    return sorted(call for call in there.keys() | wanted.keys() if there.get(call) != wanted.get(call))


def rebuild_calls(tx: Tx, folder: Path | None, run_id: str) -> None:
    """Make the rows of a run anew."""
    tx.execute("DELETE FROM tool_calls WHERE run_id = ?", (run_id,))
    tx.executemany(
        f"INSERT INTO tool_calls(run_id, {COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # constants
        [(run_id, *row) for row in calls(tx, folder, run_id).values()],
    )


def held(tx: Tx) -> dict[tuple[str, int], tuple[int, int]]:
    """By budget: what it says is held, and what its open holds add up to. Where both are nothing, it is left out."""
    sums: dict[tuple[str, int], int] = {}
    for amount, text in tx.execute("SELECT amount, scopes FROM holds WHERE state = 'open'").fetchall():
        for scope, start in _scopes(text) or ():
            sums[scope, start] = sums.get((scope, start), 0) + amount
    rows = tx.execute("SELECT scope, window_start, held FROM budgets WHERE held <> 0").fetchall()
    there = {(scope, start): amount for scope, start, amount in rows}
    return {at: (there.get(at, 0), sums.get(at, 0)) for at in sorted(there.keys() | sums.keys())}


def unreadable_holds(tx: Tx) -> list[str]:
    """Open holds that name their budgets in no readable form: nothing could ever settle them."""
    rows = tx.execute("SELECT hold_id, scopes FROM holds WHERE state = 'open'").fetchall()
    return [str(hold_id) for hold_id, text in rows if _scopes(text) is None]


def _scopes(text: str) -> list[tuple[str, int]] | None:
    try:
        return [(str(scope), int(start)) for scope, start, *_ in json.loads(text)]
    except (ValueError, TypeError):
        return None


def rebuild_held(tx: Tx) -> None:
    """Make every budget hold what its open holds add up to; an unreadable hold counts in none."""
    tx.executemany("UPDATE holds SET scopes = '[]' WHERE hold_id = ?", [(each,) for each in unreadable_holds(tx)])
    for (scope, start), (is_held, should) in held(tx).items():
        if is_held != should:
            tx.execute(
                "INSERT INTO budgets(scope, window_start, held) VALUES(?, ?, ?)"
                " ON CONFLICT(scope, window_start) DO UPDATE SET held = excluded.held",
                (scope, start, should),
            )
