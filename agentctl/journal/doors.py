"""Which kind of store a URL names, and the ways in: to all of it, or to its tables alone.

What PostgreSQL needs is loaded where a URL names one: it is an extra, and costs 100 ms.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path

from agentctl.errors import StoreUnusable
from agentctl.journal import opening
from agentctl.journal.engine import Engine
from agentctl.journal.faults import unusable
from agentctl.journal.opening import Make, Readers
from agentctl.journal.sqlite import Sqlite
from agentctl.journal.tx import Tx

SERVER = ("postgresql://", "postgres://")


def is_server(url: str) -> bool:
    """Whether the store is on a PostgreSQL server."""
    return url.startswith(SERVER)


def blobs_of(url: str) -> Path | None:
    """Where long texts are kept beside the store; None: in it."""
    return None if is_server(url) else opening.path_of(url).parent / "blobs"


def engine(url: str, lock_timeout_s: float, make: Make) -> Engine:
    """The store that is there, is ours and is up to date; an older one is migrated.

    Raises:
        StoreMissing: there is none, and `make` forbids to make it.
        StoreUnusable: it can't be read, or can't be made.
    """
    if is_server(url):
        with driver():
            from agentctl.journal.postgres.engine import opened
        return opened(url, lock_timeout_s, make)
    path = opening.prepared(url, lock_timeout_s, make)
    readers = Readers(lambda: opening.connect_reader(path, lock_timeout_s))
    return Sqlite(path, readers, lock_timeout_s=lock_timeout_s)


def nowhere(url: str) -> Engine:
    """A file that is not there, as an empty store that can't be written."""
    return Sqlite(opening.path_of(url), Readers(opening.connect_nowhere), lock_timeout_s=0.0)


@contextlib.contextmanager
def tables(url: str, lock_timeout_s: float) -> Generator[Tx]:
    """A connection that reads what is there.

    Raises:
        StoreMissing: there is no store.
        StoreUnusable: it can't be read.
    """
    if is_server(url):
        with driver():
            from agentctl.journal.postgres import engine as postgres
        with postgres.tables(url, lock_timeout_s) as tx:
            yield tx
        return
    path = opening.prepared(url, lock_timeout_s, make="nothing")
    try:
        with contextlib.closing(opening.connect_reader(path, lock_timeout_s)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise unusable(error, path) from error


def size(url: str, tx: Tx) -> int:
    """Bytes of a store: its tables on a server; its file, log and large texts else."""
    if not is_server(url):
        return opening.size(opening.path_of(url))
    (found,) = tx.execute(
        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_catalog.pg_class"
        " WHERE relnamespace = to_regnamespace('agentctl') AND relkind = 'r'"
    ).fetchone()
    return int(found)


@contextlib.contextmanager
def driver() -> Generator[None]:
    """Say what to install where the driver of a server is missing, or the library under it."""
    try:
        yield
    except ImportError as error:
        raise StoreUnusable(
            f"a PostgreSQL store needs a driver that is not here ({str(error).partition(chr(10))[0]})",
            hint="pip install 'agentctl[postgres]'",
        ) from error
