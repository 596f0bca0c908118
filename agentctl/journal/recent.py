"""What changed in a store since somebody looked: the rows of runs, and of their events only the kinds asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from agentctl.core.clock import SKEW_S
from agentctl.core.events import Stamped
from agentctl.journal import bodies, codec, runs
from agentctl.journal.runs import RunRow
from agentctl.journal.tx import Tx

MOST_RUNS: Final = 1_000
"""Runs that are listed: the newest, beside those that are not over."""
UNFINISHED: Final = ("queued", "running", "parked", "paused")


def latest(tx: Tx, limit: int = MOST_RUNS) -> list[RunRow]:
    """The newest runs, and all that are not over."""
    found = {row.run_id: row for row in runs.listing(tx, limit=limit)}
    for status in UNFINISHED:
        found.update((row.run_id, row) for row in runs.listing(tx, status=status, limit=limit))
    return list(found.values())


def changed(tx: Tx, since: float, limit: int = MOST_RUNS) -> list[RunRow]:
    """The runs whose rows were written since then, give or take what clocks may differ by."""
    return runs.updated(tx, since - SKEW_S, limit)


def count(tx: Tx) -> int:
    """All runs of the store."""
    (found,) = tx.execute("SELECT count(*) FROM runs").fetchone()
    return int(found)


def events(
    tx: Tx, folder: Path | None, run_id: str, kinds: Sequence[type[Any]], *, after: int, upto: int, limit: int
) -> list[Stamped]:
    """The last `limit` events of these kinds with `after < seq <= upto`, in order; unknown kinds are left out."""
    tags = [codec.TAGS[kind] for kind in kinds]
    marks = ", ".join("?" for _ in tags)
    rows = tx.execute(
        "SELECT seq, ts, session_id, step, type, v, form, data FROM events"  # noqa: S608  # marks are question marks
        f" WHERE run_id = ? AND seq > ? AND seq <= ? AND type IN ({marks}) ORDER BY seq DESC LIMIT ?",
        (run_id, after, upto, *tags, limit),
    ).fetchall()
    found: list[Stamped] = []
    for seq, ts, session, step, tag, version, form, data in reversed(rows):
        event = codec.decode(tag, version, bodies.unpack(folder, form, data), where=f"{run_id} seq {seq}")
        if event is not None:
            found.append(Stamped(run_id, seq, session, step, ts, event))
    return found
