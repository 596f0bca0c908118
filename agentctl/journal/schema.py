"""The tables, as numbered migrations, and what every connection is told. SQL no newer than SQLite 3.37.

`PRAGMA user_version` says how many migrations a store has seen; `application_id` says that it is ours. A migration
that has been released is never edited: another one follows it.

- The text that a run was started with stands in `specs`: every append rewrites the run's row, which must stay small.
- Events are append-only by trigger. They leave only with their run (`ON DELETE CASCADE`, parent first).
- `tool_calls` is derived from events, in the same transaction: a row in state `started` is in doubt.
- Amounts are whole micro-dollars. Budgets, holds and what is known of MCP servers outlive their runs.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Final

APPLICATION_ID: Final = 0x61676374
"""`agct`."""

_FIRST = """
CREATE TABLE runs(
  run_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, user_id TEXT NOT NULL, tenant_id TEXT NOT NULL,
  task TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
  next_seq INTEGER NOT NULL DEFAULT 1, epoch INTEGER NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '', lease_since REAL NOT NULL DEFAULT 0, lease_until REAL NOT NULL DEFAULT 0,
  cost_micro INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0,
  rehearsed INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, updated REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_age ON runs(created);
CREATE INDEX runs_by_status ON runs(status, created);
CREATE INDEX runs_by_session ON runs(session_id, created);

CREATE TABLE specs(
  run_id TEXT PRIMARY KEY REFERENCES runs ON DELETE CASCADE, spec TEXT NOT NULL
) STRICT;

CREATE TABLE events(
  run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL, ts REAL NOT NULL, session_id TEXT NOT NULL, step INTEGER NOT NULL,
  type TEXT NOT NULL, v INTEGER NOT NULL, form INTEGER NOT NULL, data ANY NOT NULL,
  PRIMARY KEY(run_id, seq)
) STRICT;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_leave_with_their_run BEFORE DELETE ON events
WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = OLD.run_id)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE tool_calls(
  run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, call_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('started', 'retrying', 'finished')),
  tool TEXT NOT NULL, effect INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0,
  idem_key TEXT NOT NULL DEFAULT '', timeout_s REAL NOT NULL DEFAULT 0, epoch INTEGER NOT NULL,
  started_seq INTEGER NOT NULL DEFAULT 0, started REAL NOT NULL DEFAULT 0,
  PRIMARY KEY(run_id, call_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs(digest TEXT PRIMARY KEY, size INTEGER NOT NULL, created REAL NOT NULL)
STRICT, WITHOUT ROWID;

CREATE TABLE sealed(
  run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, digest TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(run_id, digest)
) STRICT;

CREATE TABLE inbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('approve', 'deny', 'stop', 'pause', 'cancel')),
  call_id TEXT NOT NULL, asked_seq INTEGER NOT NULL, payload TEXT NOT NULL, sender TEXT NOT NULL,
  created REAL NOT NULL, taken REAL
) STRICT;
CREATE INDEX inbox_by_run ON inbox(run_id, taken);
CREATE UNIQUE INDEX inbox_one_answer ON inbox(run_id, call_id, asked_seq)
WHERE kind IN ('approve', 'deny');

CREATE TABLE budgets(
  scope TEXT NOT NULL, window_start INTEGER NOT NULL, cap INTEGER,
  spent INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
  PRIMARY KEY(scope, window_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds(
  hold_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, amount INTEGER NOT NULL, scopes TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'settled', 'released')),
  actual INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open ON holds(run_id) WHERE state = 'open';

CREATE TABLE token_buckets(
  scope TEXT NOT NULL, bucket_start INTEGER NOT NULL, tokens INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(scope, bucket_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE circuits(
  name TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  failures TEXT NOT NULL DEFAULT '[]', opened_at REAL NOT NULL DEFAULT 0,
  probe_owner TEXT NOT NULL DEFAULT '', probe_until REAL NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
"""

_PINS = """
CREATE TABLE pins(
  server TEXT NOT NULL, tool TEXT NOT NULL, digest TEXT NOT NULL, definition TEXT NOT NULL,
  first_seen REAL NOT NULL, last_seen REAL NOT NULL,
  PRIMARY KEY(server, tool)
) STRICT, WITHOUT ROWID;
"""

_SHARED = """
DROP TABLE circuits;
CREATE TABLE circuits(name TEXT PRIMARY KEY, circuit TEXT NOT NULL, updated REAL NOT NULL) STRICT, WITHOUT ROWID;
ALTER TABLE holds ADD COLUMN pace TEXT NOT NULL DEFAULT '[]';
CREATE TABLE resets(
  scope TEXT NOT NULL, window_start INTEGER NOT NULL, spent INTEGER NOT NULL, sender TEXT NOT NULL, at REAL NOT NULL
) STRICT;
"""

_LISTINGS = """
CREATE TABLE listings(
  server TEXT PRIMARY KEY, seen REAL NOT NULL, definitions TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# A hold that was settled in full because its driver was gone: the outcome, should one come, corrects the amount.
_REAPED = """
ALTER TABLE holds ADD COLUMN reaped INTEGER NOT NULL DEFAULT 0;
CREATE INDEX holds_reaped ON holds(run_id) WHERE reaped = 1;
"""

_QUEUE = """
ALTER TABLE token_buckets ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE TABLE waiting(
  scope TEXT NOT NULL, owner TEXT NOT NULL, since REAL NOT NULL, amount INTEGER NOT NULL, seen REAL NOT NULL,
  PRIMARY KEY(scope, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_by_owner ON waiting(owner);
"""

# The limit that the last booking was held to: `budget` shows it.
_LIMITS = """
ALTER TABLE token_buckets ADD COLUMN most INTEGER;
"""

# What links an event to the one before it (`chain.py`); null in events of before. Once it is there, it stays, too.
_CHAIN = """
ALTER TABLE events ADD COLUMN link BLOB;
CREATE INDEX events_unlinked ON events(run_id) WHERE link IS NULL;
DROP TRIGGER events_stay;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
WHEN OLD.link IS NOT NULL OR NEW.link IS NULL OR (
  NEW.run_id, NEW.seq, NEW.epoch, NEW.ts, NEW.session_id, NEW.step, NEW.type, NEW.v, NEW.form, NEW.data
) IS NOT (
  OLD.run_id, OLD.seq, OLD.epoch, OLD.ts, OLD.session_id, OLD.step, OLD.type, OLD.v, OLD.form, OLD.data
)
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""

# The end of a reply that is being written, for who watches the run elsewhere.
_ONLOOKERS = """
CREATE TABLE onlookers(
  run_id TEXT PRIMARY KEY REFERENCES runs ON DELETE CASCADE, until REAL NOT NULL,
  text TEXT NOT NULL DEFAULT '', at REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
"""

# The policy that a run was begun under, and what finds the earlier runs of a task quickly; empty in rows of before.
_POLICY = """
ALTER TABLE runs ADD COLUMN policy TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_by_task ON runs(task, policy, created);
"""

# What `alerts` found (`incidents.py`): one of a kind is open at a time. They outlive the runs that they name.
_INCIDENTS = """
CREATE TABLE incidents(
  id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, subject TEXT NOT NULL,
  rehearsed INTEGER NOT NULL DEFAULT 0, value REAL NOT NULL, most REAL NOT NULL,
  usual REAL, usual_of INTEGER NOT NULL DEFAULT 0, factor REAL, run_id TEXT NOT NULL DEFAULT '',
  opened REAL NOT NULL, seen REAL NOT NULL, closed REAL, claimed REAL, told REAL
) STRICT;
CREATE UNIQUE INDEX incidents_open ON incidents(rule, subject, rehearsed) WHERE closed IS NULL;
CREATE INDEX events_injected ON events(ts) WHERE type = 'injection';
"""

MIGRATIONS: Final = (
    _FIRST, _PINS, _SHARED, _LISTINGS, _REAPED, _QUEUE, _LIMITS, _CHAIN, _ONLOOKERS, _POLICY, _INCIDENTS,
)  # fmt: skip
VERSION: Final = len(MIGRATIONS)


def describe(connection: sqlite3.Connection) -> tuple[int, int]:
    """Application id and number of migrations; (0, 0) for an empty file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever made in this database."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables


def make(connection: sqlite3.Connection) -> None:
    """Make or migrate the tables, all or nothing. The caller holds the lock and has checked whose file it is."""
    if is_empty(connection):
        connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    _, version = describe(connection)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {number}; COMMIT;"
        )


def prepare_writer(connection: sqlite3.Connection, busy_ms: int) -> None:
    """What the writing connection is told. `secure_delete`: a destroyed original leaves no bytes behind."""
    for setting in (
        f"busy_timeout = {busy_ms}",
        "foreign_keys = ON",
        "synchronous = NORMAL",
        "journal_size_limit = 67108864",
        "wal_autocheckpoint = 1000",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {setting}").fetchall()
    if sys.platform == "darwin":
        connection.execute("PRAGMA fullfsync = 1").fetchall()


def prepare_reader(connection: sqlite3.Connection, busy_ms: int) -> None:
    """What a reading connection is told."""
    connection.execute(f"PRAGMA busy_timeout = {busy_ms}").fetchall()
    connection.execute("PRAGMA query_only = ON").fetchall()
