"""The upkeep of the store that a command names: which file it is, and what may be done with one that is damaged."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from agentctl.config import paths
from agentctl.errors import StoreMissing, StoreUnusable
from agentctl.journal import checking, opening
from agentctl.journal.checking import Finding, Report
from agentctl.runner.stores import LOCK_S

DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


def file_of(flag: str | None) -> Path | None:
    """The store's file, migrated; None: it is the default one, and no run has made it yet.

    Raises:
        StoreMissing: there is none where one was named.
        StoreUnusable: it can't be opened.
    """
    try:
        return opening.prepared(paths.store_url(flag), LOCK_S, make="nothing")
    except StoreMissing:
        if paths.is_named(flag):
            raise
        return None


def look(flag: str | None) -> tuple[Path | None, Report]:
    """Check a store. One that is ours and that SQLite can't read is no error here: that is what was asked.

    Raises:
        StoreMissing: there is none where one was named.
        StoreUnusable: it is none of ours, newer, locked, or forbidden to us.
    """
    try:
        path = file_of(flag)
    except StoreUnusable as error:
        if not _is_damage(error):
            raise
        said = str(error.__cause__)
        return opening.path_of(paths.store_url(flag)), Report((Finding("file", said, "salvage"),))
    if path is None:
        return None, Report(())
    return path, again(path)


def again(path: Path) -> Report:
    """Check a store whose file is known."""
    with contextlib.suppress(sqlite3.DatabaseError), closing(opening.connect_reader(path, LOCK_S)) as tx:
        return checking.check(tx, path.parent / "blobs")
    return Report((Finding("file", "it can't be opened", "salvage"),))


def _is_damage(error: StoreUnusable) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in DAMAGED
