"""Runs as rows: made once, found by id or its beginning, listed newest first."""

from __future__ import annotations

from typing import Final

from agentctl.errors import Forbidden
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is known of a run before its first event."""

    run_id: str
    session_id: str
    user_id: str
    task: str
    spec: str
    """What `resume` needs to build it again, as the runner wrote it."""
    created: float
    tenant_id: str = ""
    rehearsed: bool = False
    status: str = "queued"
    policy: str = ""
    """Its name."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the store lists it. Its status is what its driver last said: see `lease.crashed`."""

    run_id: str
    session_id: str
    user_id: str
    tenant_id: str
    task: str
    status: str
    reason: str
    next_seq: int
    epoch: int
    owner: str
    lease_since: float
    lease_until: float
    cost_micro: int
    steps: int
    rehearsed: bool
    created: float
    updated: float
    policy: str = ""
    """That it was begun under; empty in rows of before."""

    @property
    def begun(self) -> bool:
        """Whether anything was recorded of it: else there is nothing to go on with."""
        return self.next_seq > 1


COLUMNS = (
    "run_id, session_id, user_id, tenant_id, task, status, reason, next_seq, epoch, owner,"
    " lease_since, lease_until, cost_micro, steps, rehearsed, created, updated, policy"
)
WHOLE: Final = (
    "NOT EXISTS (SELECT 1 FROM events AS first WHERE first.run_id = runs.run_id AND first.seq = 1 AND first.epoch = 0)"
)
"""Of a row: it did its task from the beginning. A fork did the end of one, and tells little of what a task takes."""
DRIVEN: Final = ("queued", "running")
"""What a run says while somebody drives it, and still says when it has crashed: see `lease.crashed`."""
CRASHED: Final = "crashed"
STATUSES: Final = (*DRIVEN, "parked", "paused", "stopped", "completed", "failed", "cancelled", CRASHED)
_SHOWN = 5
_MOST_LISTED = 1_000_000
_SHORTEST = 3
"""Digits of an id that are enough to mean one run, and not whichever there is."""


def create(tx: Tx, run: NewRun) -> None:
    """Make the row; its events follow."""
    tx.execute(
        "INSERT INTO runs(run_id, session_id, user_id, tenant_id, task, status, rehearsed, created,"
        " updated, policy) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.run_id, run.session_id, run.user_id, run.tenant_id, run.task, run.status,
            int(run.rehearsed), run.created, run.created, run.policy,
        ),
    )  # fmt: skip
    tx.execute("INSERT INTO specs(run_id, spec) VALUES(?, ?)", (run.run_id, run.spec))


def find(tx: Tx, name: str) -> RunRow:
    """The run with this id, or the only one whose id begins with it (`r_` may be left out)."""
    short = len(name.removeprefix("r_")) < _SHORTEST
    if not name.isascii():
        raise Forbidden(f"there is no run {name!a}", hint="`agentctl runs` lists them.")
    for start in (name, f"r_{name}"):
        rows = tx.execute(
            f"SELECT {COLUMNS} FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT ?",  # noqa: S608  # constants
            (start, start + "\U0010ffff", _SHOWN + 1),
        ).fetchall()
        if rows and (rows[0][0] == start or (len(rows) == 1 and not short)):
            return row_of(rows[0])
        if len(rows) == 1:
            raise Forbidden(f"{name!a} names no run", hint=f"Write at least {_SHORTEST} digits of its id.")
        if rows:
            names = ", ".join(row[0] for row in rows[:_SHOWN])
            more = ", …" if len(rows) > _SHOWN else ""
            raise Forbidden(
                f"several runs begin with {start}: {names}{more}",
                hint="Write enough of the id that only one is meant.",
            )
    raise Forbidden(f"there is no run {name}", hint="`agentctl runs` lists them.")


def spec(tx: Tx, run_id: str) -> str:
    """What the run was started with."""
    row = tx.execute("SELECT spec FROM specs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise Forbidden(f"there is no run {run_id}", hint="`agentctl runs` lists them.")
    return str(row[0])


def listing(
    tx: Tx,
    *,
    status: str = "",
    user: str = "",
    task: str = "",
    session: str = "",
    since: float = 0.0,
    limit: int = 1000,
    rehearsed: bool | None = None,
) -> list[RunRow]:
    """Newest first. An empty filter lets everything through; `rehearsed=None` both kinds.

    No row says that its run crashed: the status `crashed` finds all that may have.
    """
    wanted = {"status": "" if status == CRASHED else status, "user_id": user, "task": task, "session_id": session}
    tests = [f"{column} = ?" for column, value in wanted.items() if value]
    values: list[object] = [value for value in wanted.values() if value]
    if status == CRASHED:
        tests.append("status IN ({})".format(", ".join(f"'{each}'" for each in DRIVEN)))
    if rehearsed is not None:
        tests.append("rehearsed = ?")
        values.append(int(rehearsed))
    where = " AND ".join(["created >= ?", *tests])
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM runs WHERE {where} ORDER BY created DESC, run_id LIMIT ?",  # noqa: S608  # constants
        (since, *values, min(limit, _MOST_LISTED)),
    )
    return [row_of(row) for row in rows.fetchall()]


def updated(tx: Tx, since: float, limit: int) -> list[RunRow]:
    """The runs that were written to since then, the latest first."""
    rows = tx.execute(
        f"SELECT {COLUMNS} FROM runs WHERE updated >= ? ORDER BY updated DESC, run_id LIMIT ?",  # noqa: S608  # constants
        (since, limit),
    )
    return [row_of(row) for row in rows.fetchall()]


def row_of(row: tuple[object, ...]) -> RunRow:
    """Of these columns."""
    values: list[object] = list(row)
    values[14] = bool(values[14])
    return RunRow(*values)  # type: ignore[arg-type]  # the table is STRICT
