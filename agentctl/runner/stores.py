"""Which store a command works on, and what it may make of it where there is none.

A run makes the file of a store that somebody named, never its folder: that would hide a slip in the path; in a database
it makes the tables. Whoever only
reads makes nothing: a named store that is not there is an error, the default one an empty store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from agentctl.config import paths
from agentctl.errors import StoreMissing, StoreUnusable
from agentctl.journal import doors, opening
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
    url = paths.store_url(flag)
    store = open_store(url, seal_dir=paths.data_dir(), make=make)
    if doors.is_server(url):
        _sealing(store)
    return store


def _sealing(store: Store) -> None:
    """A key that nobody makes: whether it was given is told before the run begins."""
    try:
        _ = store.seal
    except StoreUnusable:
        store.close()
        raise


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
    with contextlib.ExitStack() as stack:
        try:
            tx = stack.enter_context(doors.tables(paths.store_url(flag), LOCK_S))
        except StoreMissing:
            if paths.is_named(flag):
                raise
            tx = stack.enter_context(contextlib.closing(opening.connect_nowhere()))
        yield tx
