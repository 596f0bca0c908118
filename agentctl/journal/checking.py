"""Whether a store is whole: each run's events, and the tables that are derived from them, on a file or a server.

Nothing is changed, and everything is read at one moment, so that runs may go on meanwhile. What is found names the run
and the event; `mending.py` does what `mend` says. Whether the file itself is whole is asked in `files.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from agentctl.journal import bodies, chain, derived, walking
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

Mend = Literal["salvage", "cut", "rebuild"]
OF_RUNS: Final = ("specs", "events", "tool_calls", "sealed", "inbox", "onlookers")
"""The tables whose rows belong to a run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: str
    """`file`, `reference`, `row`, `event`, `blob`, `tool_calls`, `ledger`, `blobs`."""
    said: str
    mend: Mend
    """`salvage`: what can be read goes into a new file. `cut`: the run ends before this event. `rebuild`: nothing is
    lost."""
    run_id: str = ""
    seq: int = 0
    """0: no single event."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a store came to."""

    findings: tuple[Finding, ...]
    runs: int = 0
    events: int = 0
    unlinked: int = 0
    """Runs of before, whose events have no links yet: an altered one can't be told."""
    note: str = ""
    """What such a store is not asked, and who can tell."""


def check(tx: Tx, folder: Path | None) -> Report:
    """Look at everything in a transaction of the caller; `folder` is that of the blobs."""
    return report(tx, look(tx, folder))


def report(tx: Tx, findings: Iterable[Finding]) -> Report:
    """These findings, and how much was looked at."""
    found = tuple(findings)
    (runs,) = tx.execute("SELECT count(*) FROM runs").fetchone()
    (events,) = tx.execute("SELECT count(*) FROM events").fetchone()
    return Report(found, runs, events, len(chain.unlinked(tx)))


def look(tx: Tx, folder: Path | None) -> Iterator[Finding]:
    """The findings of `check`, one after the other."""
    yield from _references(tx)
    for run_id, next_seq in tx.execute("SELECT run_id, next_seq FROM runs ORDER BY run_id").fetchall():
        yield from _run(tx, folder, run_id, next_seq)
    yield from _ledger(tx)
    if folder is not None:
        yield from _blobs(tx)


def _references(tx: Tx) -> Iterator[Finding]:
    for table in OF_RUNS:
        (count,) = tx.execute(
            f"SELECT count(*) FROM {table} WHERE {of_no_run(table)}"  # noqa: S608  # constants
        ).fetchone()
        if count:
            yield Finding("reference", f"{count} rows of {table} belong to no run", "rebuild")


def of_no_run(table: str) -> str:
    """The rows of a table whose run is not there; NOT IN would take a server ages."""
    return f"NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = {table}.run_id)"  # noqa: S608  # our own names


def _run(tx: Tx, folder: Path | None, run_id: str, next_seq: int) -> Iterator[Finding]:
    (last,) = tx.execute("SELECT coalesce(max(seq), 0) FROM events WHERE run_id = ?", (run_id,)).fetchone()
    faults = list(walking.faults(tx, folder, run_id, max(next_seq, last + 1)))
    if last >= next_seq and any(fault.seq == next_seq for fault in faults):
        faults = list(walking.faults(tx, folder, run_id, next_seq))
    elif last >= next_seq:  # they are linked to what is before them: it is the row that is wrong
        said = f"the run's row says that event {next_seq - 1} is the last one, and {last} is"
        yield Finding("row", said, "rebuild", run_id)
    for fault in faults:
        yield Finding("blob" if fault.blob else "event", fault.said, "cut", run_id, fault.seq)
    if not faults:  # what is derived from events that are wrong says nothing
        wrong = derived.calls_that_differ(tx, folder, run_id)
        if wrong:
            said = f"the table of tool calls does not follow from the events: {', '.join(wrong)}"
            yield Finding("tool_calls", said, "rebuild", run_id)
        if differs := sorted(derived.row_that_differs(tx, folder, run_id)):
            said = f"the run's row does not follow from its events: {', '.join(differs)}"
            yield Finding("row", said, "rebuild", run_id)


def _ledger(tx: Tx) -> Iterator[Finding]:
    for hold in derived.unreadable_holds(tx):
        yield Finding("ledger", f"the hold {hold} names its budgets in no readable form", "rebuild")
    for (scope, start), (is_held, should) in derived.held(tx).items():
        if is_held != should:
            said = f"{scope} holds ${is_held / 1e6:,.4f}, its open holds add up to ${should / 1e6:,.4f}"
            yield Finding("ledger", f"{said}{f' (window {start})' if start else ''}", "rebuild")


def _blobs(tx: Tx) -> Iterator[Finding]:
    rows = tx.execute(
        "SELECT count(DISTINCT data) FROM events WHERE form = ? AND data NOT IN (SELECT digest FROM blobs)",
        (bodies.FILED,),
    )
    (count,) = rows.fetchone()
    if count:
        yield Finding("blobs", f"{count} filed texts are not in the list of blobs", "rebuild")
