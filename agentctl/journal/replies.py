"""The model calls of all runs, and how each run began: for statistics over a store, without reading whole journals.

One statement each; a row that is kept as it is gives only the fields that are asked for, compressed ones are unpacked.
What can't be read is left out: one bad event must not silence the alerts of a whole store (`store check` names it).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from agentctl.core.events import ModelReplied, RunStarted
from agentctl.journal import bodies, codec
from agentctl.journal.codec import TAGS
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

_WANTED = "r.created >= ? AND (? = '' OR r.task IN (?, ?)) AND (? = 1 OR r.rehearsed = 0)"


@dataclass(frozen=True, slots=True)
class Which:
    """Whose calls."""

    since: float = 0.0
    """Of runs begun then or later, in seconds since the epoch."""
    task: str = ""
    """Of this task; empty: of all."""
    also: str = ""
    """And of this one."""
    rehearsed: bool = False
    """Rehearsals too."""

    @property
    def values(self) -> tuple[object, ...]:
        """What stands for the question marks."""
        return self.since, self.task, self.task, self.also or self.task, int(self.rehearsed)


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that a row is of."""

    run_id: str
    task: str
    rehearsed: bool
    created: float


def replies(tx: Tx, folder: Path | None, which: Which) -> Iterator[tuple[Origin, ModelReplied]]:
    """Every reply with its run, in the order of time. Left out: their texts and calls, and what a fork copied."""
    rows = tx.execute(
        "SELECT r.run_id, r.task, r.rehearsed, r.created, e.ts, e.v, e.form,"  # noqa: S608  # constants
        " CASE WHEN e.form = 0 AND json_valid(e.data) THEN json_remove(e.data, '$.text', '$.calls') ELSE e.data END"
        f" FROM runs r JOIN events e ON e.run_id = r.run_id WHERE {_WANTED} AND e.type = ? AND e.epoch > 0"
        " ORDER BY e.ts",
        (*which.values, TAGS[ModelReplied]),
    )
    for run_id, task, rehearsed, created, ts, version, form, data in rows:
        try:
            held = json.loads(data if form == bodies.PLAIN else bodies.unpack(folder, form, data))
            text = json.dumps(held | {"text": "", "calls": []})
            event = codec.decode(TAGS[ModelReplied], version, text, where=f"{run_id} at {ts}")
        except bodies.UNREADABLE:
            continue
        if isinstance(event, ModelReplied):
            yield Origin(run_id, task, bool(rehearsed), created), event


def starts(tx: Tx, folder: Path | None, which: Which) -> Iterator[tuple[Origin, RunStarted]]:
    """How each run began, in the order in which they did."""
    rows = tx.execute(
        "SELECT r.run_id, r.task, r.rehearsed, r.created, e.v, e.form, e.data"  # noqa: S608  # constants
        f" FROM runs r JOIN events e ON e.run_id = r.run_id AND e.seq = 1 WHERE {_WANTED} AND e.type = ?"
        " ORDER BY r.created, r.run_id",
        (*which.values, TAGS[RunStarted]),
    )
    for run_id, task, rehearsed, created, version, form, data in rows:
        try:
            event = codec.decode(TAGS[RunStarted], version, bodies.unpack(folder, form, data), where=f"{run_id} seq 1")
        except bodies.UNREADABLE:
            continue
        if isinstance(event, RunStarted):
            yield Origin(run_id, task, bool(rehearsed), created), event
