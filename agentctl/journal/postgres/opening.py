"""Finding a store in a database, making it where there is none, and connections to it."""

from __future__ import annotations

import contextlib
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict

from agentctl.errors import Invalid, StoreMissing, StoreUnusable
from agentctl.journal import schema
from agentctl.journal.failpoints import failpoint
from agentctl.journal.faults import refused
from agentctl.journal.opening import Make
from agentctl.journal.postgres import dialect
from agentctl.journal.postgres.faults import shown, unusable

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

STALLED_S: Final = 10
"""A third of a lease: whoever stops in the middle of a transaction holds up all the others."""
SESSIONS: Final = 5
"""That may be lost one after the other while a store is opened."""
OLDEST: Final = 130_000
# A host that is gone without a word is noticed within a lease.
REACH: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
    "application_name": "agentctl",
}
LOCK: Final = f"SELECT pg_advisory_xact_lock({schema.APPLICATION_ID});"

_FIRST: Final = """
CREATE TABLE store(application BIGINT NOT NULL, version BIGINT NOT NULL);
CREATE TABLE commits(writer TEXT PRIMARY KEY, batch BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now());
INSERT INTO store VALUES (0, 0);
"""
_LOOK: Final = """
SELECT current_setting('server_encoding'), to_regnamespace('agentctl') IS NOT NULL,
  to_regclass('agentctl.store') IS NOT NULL,
  EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace('agentctl'))
"""


def checked(url: str) -> str:
    """The URL, which libpq understands. Raises Invalid; its words are not shown, a password may be among them."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise Invalid(
            "this is no PostgreSQL store: `postgresql://user@host:port/database` was expected",
            hint="Signs such as `@` and `/` in a password are written as %40 and %2F; PGPASSWORD needs no such care.",
        ) from None
    return url


def connect(url: str, lock_timeout_s: float, *, reads: bool) -> Connection:
    """A session as all of them are."""
    connection = _session(url)
    try:
        _prepare(connection, lock_timeout_s, reads=reads)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _session(url: str) -> Connection:
    """What the URL says of the network goes first."""
    given = conninfo_to_dict(url)
    more = {key: value for key, value in REACH.items() if key not in given}
    return psycopg.connect(url, autocommit=True, **more)


def _prepare(connection: Connection, lock_timeout_s: float, *, reads: bool) -> None:
    connection.execute(
        "SET search_path TO agentctl; SET client_encoding TO 'UTF8'; SET TIME ZONE 'UTC';"
        " SET default_transaction_isolation TO 'read committed';"
        f" SET lock_timeout TO {int(lock_timeout_s * 1000)};"
        f" SET idle_in_transaction_session_timeout TO '{STALLED_S}s';"
        f" SET default_transaction_read_only TO {'on' if reads else 'off'}".encode()
    )


def prepared(url: str, lock_timeout_s: float, make: Make) -> None:
    """Be sure that a store is there, is ours and is up to date; an older one is migrated.

    A server that can't be reached is told at once; a session that is lost on the way is followed by another.

    Raises:
        StoreMissing: there is none, and `make` forbids to make it.
        StoreUnusable: it can't be read, or can't be made.
    """
    first(url, lock_timeout_s, make).close()


def first(url: str, lock_timeout_s: float, make: Make) -> Connection:
    """The session in which `prepared` looked."""
    name = shown(url)
    try:
        for _ in range(SESSIONS - 1):
            with contextlib.suppress(_Lost):
                return _looked(url, lock_timeout_s, name, make)
        return _looked(url, lock_timeout_s, name, make)
    except psycopg.Error as error:
        raise unusable(error, name) from error


class _Lost(psycopg.OperationalError):
    """There was a session, and is no more."""


def _looked(url: str, lock_timeout_s: float, name: str, make: Make) -> Connection:
    connection = _session(url)
    try:
        _prepare(connection, lock_timeout_s, reads=False)
        _found(connection, name, make)
    except psycopg.Error as error:
        if connection.closed:
            raise _Lost(*error.args) from error
        connection.close()
        raise
    except BaseException:  # whatever it is, it goes on; the session would stay open
        connection.close()
        raise
    return connection


def _found(connection: Connection, name: str, make: Make) -> None:
    version = _version(connection, name)
    if version == schema.VERSION:
        return
    if not version and make == "nothing":
        raise StoreMissing(
            f"store {name}: there is none (one that a run has made was expected)",
            hint="Check --store and AGENTCTL_STORE; `agentctl run` makes a store.",
        )
    _make(connection, name)


def _version(connection: Connection, name: str) -> int:
    """How many migrations it has seen, 0: it is not there. StoreUnusable: it is not ours, or from a later program."""
    if connection.info.server_version < OLDEST:
        found = connection.info.server_version // 10_000
        raise refused(name, (f"the server is PostgreSQL {found} (13 or later was expected)", "Upgrade the server."))
    row = connection.execute(_LOOK).fetchone()
    encoding, there, ours, filled = row or ("", False, False, False)
    if encoding != "UTF8":
        raise refused(
            name, (f"its encoding is {encoding} (UTF8 was expected)", "createdb --encoding=UTF8 --template=template0")
        )
    if not there or not filled:
        return 0
    marks = connection.execute("SELECT application, version FROM agentctl.store").fetchall() if ours else []
    if [application for application, _ in marks] != [schema.APPLICATION_ID]:
        raise refused(name, ("its schema `agentctl` is another program's", "Name another database with --store."))
    version = int(marks[0][1])
    if version > schema.VERSION:
        raise StoreUnusable(
            f"store {name}: it was written by a newer agentctl (store version {version}, this"
            f" program reads up to {schema.VERSION})",
            hint="Upgrade agentctl, or name another store with --store.",
        )
    return version


def _make(connection: Connection, name: str) -> None:
    """Make or migrate the tables in one transaction, all or nothing; whoever comes second finds it done."""
    with connection.transaction():
        connection.execute(LOCK.encode())
        version = _version(connection, name)
        if not version:
            row = connection.execute("SELECT to_regnamespace('agentctl') IS NULL").fetchone()
            if row and row[0]:
                connection.execute("CREATE SCHEMA agentctl")
            connection.execute(_FIRST.encode())
        for migration in schema.MIGRATIONS[version:]:
            connection.execute(dialect.script(migration).encode())
        connection.execute(
            f"UPDATE store SET application = {schema.APPLICATION_ID}, version = {schema.VERSION}".encode()  # noqa: S608  # constants
        )
        failpoint("tables-before-commit")
