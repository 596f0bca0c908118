"""Which store a command works on, and what it may make of it where there is none.

A run makes the file of a store that somebody named, never its folder: that would hide a slip in the path. Whoever only
reads makes nothing: a named store that is not there is an error, the default one an empty store.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from typing import TYPE_CHECKING

from agentctl.config import paths
from agentctl.errors import StoreMissing
from agentctl.journal import faults, opening
from agentctl.journal.tx import Tx

if TYPE_CHECKING:
    from agentctl.journal.store import Store

LOCK_S = 30.0
"""Seconds that another process may hold the store while it is migrated."""


def open_journal(flag: str | None) -> Store:
    """The store to run in: what the flag, the environment or the default names, made where there is none.

    Raises:
        StoreUnusable: it can't be made or opened.
    """
    from agentctl.journal.store import open_store

    make: opening.Make = "file" if paths.is_named(flag) else "all"
    return open_store(paths.store_url(flag), seal_dir=paths.data_dir(), make=make)


def existing(flag: str | None) -> Store:
    """The store to read from, and to leave a decision in.

    Raises:
        StoreMissing: there is none where one was named.
        StoreUnusable: it can't be opened.
    """
    from agentctl.journal.store import empty_store, open_store

    url = paths.store_url(flag)
    try:
        return open_store(url, seal_dir=paths.data_dir(), make="nothing")
    except StoreMissing:
        if paths.is_named(flag):
            raise
        return empty_store(url, seal_dir=paths.data_dir())


@contextlib.contextmanager
def tables(flag: str | None) -> Generator[Tx]:
    """The tables of `existing` alone, for what has to be quick: no events, no seals, no writer."""
    url = paths.store_url(flag)
    path = opening.path_of(url)
    try:
        with contextlib.closing(_connected(flag, url)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise faults.unusable(error, path) from error


def _connected(flag: str | None, url: str) -> sqlite3.Connection:
    try:
        path = opening.prepared(url, LOCK_S, make="nothing")
    except StoreMissing:
        if paths.is_named(flag):
            raise
        return opening.connect_nowhere()
    return opening.connect_reader(path, LOCK_S)
