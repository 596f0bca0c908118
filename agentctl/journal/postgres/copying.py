"""A server's store as one in a SQLite file: every table of `schema.py`, row by row, as one transaction sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from agentctl.errors import StoreUnusable
from agentctl.journal import backup, bodies, files, salvaging, schema
from agentctl.journal.backup import Copied
from agentctl.journal.tx import Tx

PIECE: Final = 200
"""Rows that are fetched at once; any of them may have megabytes."""


def copy(tx: Tx, target: Path) -> Copied:
    """Copy it to a file that is not there yet.

    Raises:
        Forbidden: that file is there.
        StoreUnusable: it can't be written, or does not hold afterwards what the server does.
    """
    with backup.making(target) as part, closing(sqlite3.connect(part, isolation_level=None)) as new:
        schema.make(new)
        new.execute("BEGIN")
        counts = {table: _table(tx, new, table) for table in salvaging.tables(new)}
        new.execute("COMMIT")
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        _compare(tx, new, counts, target)
    return Copied(counts["runs"], counts["events"], 0, target.stat().st_size)


def _table(tx: Tx, new: Tx, table: str) -> int:
    columns = [str(row[1]) for row in new.execute(f"PRAGMA table_info({table})").fetchall()]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    rows = _rows(tx, table, names)
    put = f"INSERT INTO {table}({names}) VALUES({marks})"  # the schema's own names
    count = 0
    for row in _events(rows, columns) if table == "events" else rows:
        count += new.execute(put, row).rowcount
    return count


def _rows(tx: Tx, table: str, names: str) -> Iterator[tuple[object, ...]]:
    """Piece by piece: a statement's rows would all be here at once."""
    tx.execute(f"DECLARE all_{table} NO SCROLL CURSOR FOR SELECT {names} FROM {table}")  # noqa: S608  # the schema's own names
    while piece := tx.execute(f"FETCH {PIECE} FROM all_{table}").fetchall():
        yield from piece
    tx.execute(f"CLOSE all_{table}")


def _events(rows: Iterator[tuple[object, ...]], columns: list[str]) -> Iterator[tuple[object, ...]]:
    """Short texts as a file keeps them, where SQLite's JSON functions read them; what is no text stays as it is."""
    form, data = columns.index("form"), columns.index("data")
    for row in rows:
        kept = row[data]
        if row[form] == bodies.PLAIN and isinstance(kept, bytes):
            with suppress(UnicodeDecodeError):
                kept = kept.decode()
        yield (*row[:data], kept, *row[data + 1 :])


def _compare(tx: Tx, new: Tx, counts: dict[str, int], target: Path) -> None:
    wrong = list(files.damage(new))
    for table, count in counts.items():
        (there,) = tx.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  # the schema's own names
        (here,) = new.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  # the schema's own names
        if not there == here == count:
            wrong.append(f"{there:,} rows of {table} are {here:,} in it")
    if wrong:
        raise StoreUnusable(f"{target}: the copy is not whole ({wrong[0]}); it was removed", hint="Check the disk.")
