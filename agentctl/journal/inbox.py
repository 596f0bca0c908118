"""Letters to the driver of a run: how another process approves, denies, stops, pauses or cancels.

Writing a letter changes nothing but the inbox. The driver reads at its safe points and marks what it read in the very
transaction that appends what it made of it: a crash in between leaves the letter waiting, never half read.

- One answer per request. A request is a call and the seq at which it was asked; the second answer to it is refused,
  whether the first was read already or not. The same answer from the same sender again is the first one.
- `stop`, `pause` and `cancel` are wishes: while one waits, the same wish again is that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from agentctl.errors import Forbidden
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

Kind = Literal["approve", "deny", "stop", "pause", "cancel"]
ANSWERS: Final = ("approve", "deny")
SEALED: Final = "sealed:"
"""Begins a payload as it is stored: the digest of what was sealed."""
HAPPENED: Final = "happened:"
"""Begins what is said of a call that happened; arguments begin with a brace."""
REMEMBER: Final = "remember:"
"""All that is said of a call that may run again in this run; what follows it would be no such answer."""
OVER: Final = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Letter:
    """One row, as the driver reads it."""

    id: int
    run_id: str
    kind: Kind
    call_id: str
    asked_seq: int
    payload: str
    """A reason in words, edited arguments as JSON, after `HAPPENED` what a call came to, or `REMEMBER`."""
    sender: str
    created: float


_COLUMNS = "id, run_id, kind, call_id, asked_seq, payload, sender, created"


def put(
    tx: Tx,
    run_id: str,
    kind: Kind,
    *,
    by: str,
    now: float,
    call_id: str = "",
    asked_seq: int = 0,
    payload: str = "",
) -> int:
    """Leave a letter; its id. Forbidden where the run is over or the request was answered by somebody else."""
    if kind not in get_args(Kind):
        raise ValueError(f"no kind of letter: {kind}")
    _check_open(tx, run_id)
    earlier = _earlier(tx, run_id, kind, call_id, asked_seq)
    if earlier is not None:
        if kind in ANSWERS and (earlier.kind, earlier.payload, earlier.sender) != (
            kind, payload, by,
        ):  # fmt: skip
            word = {"approve": "approved", "deny": "denied"}[earlier.kind]
            raise Forbidden(
                f"{call_id} of {run_id} was already decided by {earlier.sender}: {word}",
                hint=f"`agentctl show {run_id}` shows where the run stands.",
            )
        return earlier.id
    row = tx.execute(
        "INSERT INTO inbox(run_id, kind, call_id, asked_seq, payload, sender, created)"
        " VALUES(?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (run_id, kind, call_id, asked_seq, payload, by, now),
    ).fetchone()
    return int(row[0])


def waiting(tx: Tx, run_id: str) -> list[Letter]:
    """What the driver has not read yet, oldest first."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE run_id = ? AND taken IS NULL ORDER BY id",  # noqa: S608  # constants
        (run_id,),
    )
    return [Letter(*row) for row in rows.fetchall()]


def mark_taken(tx: Tx, ids: Iterable[int], now: float) -> None:
    """These were read: part of the append of what they became."""
    tx.executemany(
        "UPDATE inbox SET taken = ? WHERE id = ? AND taken IS NULL",
        [(now, letter) for letter in ids],
    )


def take(tx: Tx, run_id: str, now: float) -> list[Letter]:
    """Read and mark in one."""
    letters = waiting(tx, run_id)
    mark_taken(tx, [letter.id for letter in letters], now)
    return letters


def _check_open(tx: Tx, run_id: str) -> None:
    row = tx.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise Forbidden(f"there is no run {run_id}", hint="`agentctl runs` lists them.")
    if row[0] in OVER:
        raise Forbidden(
            f"{run_id} is over ({row[0]}): nothing is left to decide",
            hint=f"`agentctl show {run_id}` shows what it came to.",
        )


def _earlier(tx: Tx, run_id: str, kind: Kind, call_id: str, asked_seq: int) -> Letter | None:
    if kind in ANSWERS:
        test = "kind IN ('approve', 'deny')"
        values: tuple[object, ...] = (run_id, call_id, asked_seq)
    else:
        test = "kind = ? AND taken IS NULL"
        values = (run_id, call_id, asked_seq, kind)
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE run_id = ? AND call_id = ? AND asked_seq = ? AND {test}",  # noqa: S608  # constants
        values,
    ).fetchone()
    return Letter(*row) if row else None
