"""A damaged file read as far as it can be: each row that SQLite still gives goes into a new one, which takes its place.

Each table is read from both ends, so that one bad page costs the rows on it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from agentctl.errors import StoreUnusable
from agentctl.journal import schema
from agentctl.journal.bodies import sync_folder
from agentctl.journal.tx import Tx


def salvage(damaged: Path, path: Path) -> list[str]:
    """Make `path` anew from what can be read of `damaged`, a copy of it; which tables could not be read whole.

    Raises:
        StoreUnusable: nothing at all can be read.
    """
    fresh = path.with_name(f".{path.name}.mended")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with (
        closing(sqlite3.connect(f"{damaged.as_uri()}?mode=rw", uri=True, isolation_level=None)) as old,
        closing(sqlite3.connect(fresh, isolation_level=None)) as new,
    ):
        schema.make(new)
        new.execute("BEGIN")
        torn = [said for table, key in tables(new).items() if (said := _table(old, new, table, key))]
        (runs,) = new.execute("SELECT count(*) FROM runs").fetchone()
        (events,) = new.execute("SELECT count(*) FROM events").fetchone()
        new.execute("COMMIT")
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if not runs and not events:
        fresh.unlink()
        raise StoreUnusable(f"store {path}: nothing in it can be read", hint=f"It is as it was; a copy is {damaged}.")
    _replace(fresh, path)
    return torn


def tables(new: Tx) -> dict[str, str]:
    """Each table with the order of its rows, backwards; parents first."""
    rows = new.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    found: dict[str, str] = {}
    for (name,) in rows:
        keys = [(at, column) for _, column, *_, at in new.execute(f"PRAGMA table_info({name})").fetchall() if at]
        found[str(name)] = ", ".join(f"{column} DESC" for _, column in sorted(keys)) or "rowid DESC"
    return found


def _table(old: Tx, new: Tx, table: str, backwards: str) -> str:
    """Copy a table; what to say where it could not be read whole."""
    try:
        there = {row[1] for row in old.execute(f"PRAGMA table_info({table})").fetchall()}
    except sqlite3.DatabaseError as error:
        return f"{table}: nothing can be read ({error})"
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})").fetchall() if row[1] in there]
    if not columns:
        return ""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    put = f"INSERT OR IGNORE INTO {table}({names}) VALUES({marks})"  # the schema's own names
    whole, kept = True, 0
    for order in ("", f" ORDER BY {backwards}"):
        whole = True
        try:
            for row in _rows(old, f"SELECT {names} FROM {table}{order}"):  # noqa: S608  # the schema's own names
                with suppress(sqlite3.IntegrityError):
                    kept += new.execute(put, row).rowcount
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            whole = False
        if whole:
            return ""
    return f"{table}: {kept} rows could be read, and how many could not nobody knows"


def _rows(old: Tx, statement: str) -> Iterator[tuple[object, ...]]:
    cursor = old.execute(statement)
    while (row := cursor.fetchone()) is not None:
        yield row


def _replace(fresh: Path, path: Path) -> None:
    """The copy has what the log has: it goes before the new file comes, and must not be read into it."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    fresh.rename(path)
    for tail in ("-wal", "-shm"):
        fresh.with_name(fresh.name + tail).unlink(missing_ok=True)
    sync_folder(path.parent)
