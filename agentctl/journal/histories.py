"""The runs of a store with those of their events that somebody wants: page by page, for statistics over all of them.

A page is AT_ONCE runs, the newest first, and one statement for their events: memory is bounded by what they hold, and
nothing is sorted by the database. Bodies of tool results are left out before they are parsed. Events that a fork copied
are another run's, and left out.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

from agentctl.core.events import Event, RunStarted, Stamped
from agentctl.errors import StoreUnusable
from agentctl.journal import bodies, codec, runs
from agentctl.journal.codec import TAGS
from agentctl.journal.runs import RunRow
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

AT_ONCE: Final = 200
"""Runs of one page."""
HEAD_BYTES: Final = 4_096
"""Of a first event: its policy's name stands at its beginning."""
BODY, BEHIND = ',"result":', ',"tokens":'
"""What stands before and behind the body of a tool result, as it is written."""
policy_name = re.compile(r'^\{"task":"(?:[^"\\]|\\.)*","policy":("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Which:
    """Whose runs. Empty: all."""

    since: float = 0.0
    """Begun then or later, in seconds since the epoch."""
    user: str = ""
    tenant: str = ""
    task: str = ""
    policy: str = ""
    rehearsed: bool = False
    """Rehearsals too."""


@dataclass(frozen=True, slots=True)
class History:
    """One run."""

    row: RunRow
    policy: str
    """That it was begun under; empty where nobody knows."""
    events: Sequence[Stamped]
    unreadable: int
    """Events that are wanted and can't be read."""
    whole: bool = True
    """False: a fork, which did the end of a task alone."""


def count(tx: Tx, which: Which) -> int:
    """How many runs may be looked at."""
    where, values = _where(which)
    (found,) = tx.execute(f"SELECT count(*) FROM runs WHERE {where}", values).fetchone()  # noqa: S608  # constants
    return int(found)


def histories(tx: Tx, folder: Path | None, which: Which, kinds: Sequence[type[Event]]) -> Iterator[History]:
    """Each run with its events of these kinds, in their order; the newest runs first."""
    where, values = _where(which)
    after: tuple[object, ...] = ()
    while True:
        behind = " AND (created < ? OR (created = ? AND run_id > ?))" if after else ""
        rows = tx.execute(
            f"SELECT {runs.COLUMNS} FROM runs WHERE {where}{behind} ORDER BY created DESC, run_id LIMIT ?",  # noqa: S608  # constants
            (*values, *after, AT_ONCE),
        ).fetchall()
        page = [runs.row_of(row) for row in rows]
        yield from _page(tx, folder, page, which.policy, kinds)
        if len(page) < AT_ONCE:
            return
        after = (page[-1].created, page[-1].created, page[-1].run_id)


def _where(which: Which) -> tuple[str, tuple[object, ...]]:
    wanted = {"user_id": which.user, "tenant_id": which.tenant, "task": which.task}
    tests = ["created >= ?", *(f"{column} = ?" for column, value in wanted.items() if value)]
    values: list[object] = [which.since, *(value for value in wanted.values() if value)]
    if which.policy:  # rows of before do not say theirs
        tests.append("policy IN (?, '')")
        values.append(which.policy)
    if not which.rehearsed:
        tests.append("rehearsed = 0")
    return " AND ".join(tests), tuple(values)


def _page(
    tx: Tx, folder: Path | None, page: Sequence[RunRow], policy: str, kinds: Sequence[type[Event]]
) -> Iterator[History]:
    policies = {row.run_id: row.policy or _policy(tx, folder, row.run_id) for row in page}
    wanted = [row for row in page if policy in {"", policies[row.run_id]}]
    if not wanted:
        return
    found = {run_id: list(group) for run_id, group in groupby(_events(tx, folder, wanted, kinds), attrgetter("run_id"))}
    ids = [row.run_id for row in wanted]
    marked = f"SELECT run_id FROM runs WHERE run_id IN ({_marks(ids)}) AND {runs.WHOLE}"  # noqa: S608  # question marks
    whole = {run_id for (run_id,) in tx.execute(marked, ids).fetchall()}
    for row in wanted:
        read = found.get(row.run_id, [])
        events = [each for each in read if isinstance(each, Stamped)]
        yield History(row, policies[row.run_id], events, len(read) - len(events), row.run_id in whole)


@dataclass(frozen=True, slots=True)
class _Unreadable:
    run_id: str


def _events(
    tx: Tx, folder: Path | None, page: Sequence[RunRow], kinds: Sequence[type[Event]]
) -> Iterator[Stamped | _Unreadable]:
    ids, tags = [row.run_id for row in page], [TAGS[kind] for kind in kinds]
    rows = tx.execute(
        "SELECT run_id, seq, ts, session_id, step, type, v, form, data FROM events"  # noqa: S608  # question marks
        f" WHERE run_id IN ({_marks(ids)}) AND epoch > 0 AND type IN ({_marks(tags)}) ORDER BY run_id, seq",
        (*ids, *tags),
    )
    for run_id, seq, ts, session, step, tag, version, form, data in rows:
        try:
            event = codec.decode(tag, version, _short(tag, bodies.unpack(folder, form, data)))
        except (StoreUnusable, zlib.error, UnicodeDecodeError):
            yield _Unreadable(run_id)  # one bad event does not take the figures of all the others away
            continue
        if event is not None:
            yield Stamped(run_id, seq, session, step, ts, event)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


_RESULT: Final = "tool_result"


def _short(tag: str, text: str) -> str:
    """The text without the body of a tool result, which may be long. In a text it would stand escaped."""
    if tag != _RESULT:
        return text
    head, tail = text.find(BODY), text.rfind(BEHIND)
    return f"{text[: head + len(BODY)]}{{}}{text[tail:]}" if 0 < head < tail else text


def _policy(tx: Tx, folder: Path | None, run_id: str) -> str:
    """The policy of a run whose row does not say it, from the beginning of its first event; empty: it has none."""
    row = tx.execute(
        "SELECT form, CASE form WHEN ? THEN data ELSE substr(data, 1, ?) END FROM events"
        " WHERE run_id = ? AND seq = 1 AND type = ?",
        (bodies.FILED, HEAD_BYTES, run_id, TAGS[RunStarted]),
    ).fetchone()
    if row is None:
        return ""
    form, data = row
    try:
        if form == bodies.PACKED:
            text = zlib.decompressobj().decompress(data, HEAD_BYTES).decode(errors="replace")
        else:
            text = bodies.unpack(folder, form, data)
        found = policy_name.match(text)
        return str(json.loads(found[1])) if found else ""
    except (StoreUnusable, zlib.error, ValueError):
        return ""
