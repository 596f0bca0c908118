"""What PostgreSQL says, as one line for a person: the server, what is wrong, the way out. Never a password."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import psycopg

from agentctl.journal import faults
from agentctl.journal.faults import FULL, refused

KEPT: Final = "everything acknowledged is kept, and `agentctl resume` continues"
LOST = (
    "it can't be connected to",
    f"Check that the server runs, the URL and the user (PGPASSWORD and ~/.pgpass are read); {KEPT}.",
)
LOCKED = ("it is locked by another process", "Let it finish, or end its session (`pg_stat_activity` names it).")
READ_ONLY = ("it can't be written: the server is a standby or read-only", "Name the primary with --store.")
FORBIDDEN = (
    "this user may not do that there",
    "The user needs CREATE on the database for the first run, else ownership of the schema `agentctl`.",
)
DAMAGED = ("the database is damaged", "Restore it from a backup.")
UNSEEN = (
    "its tables are gone, or its session forgot where they are",
    "Connect to the server itself, or to a pooler in session mode: others change sessions between two statements.",
)
RESOURCES = ("the server is short of something", f"See its log; {KEPT}.")

_BY_STATE = {
    "53100": FULL,
    "55P03": LOCKED,
    "25006": READ_ONLY,
    "25P03": LOST,
    "42501": FORBIDDEN,
    # A table, a prepared statement that is not there, and one that is there already: another session than before.
    "42P01": UNSEEN,
    "26000": UNSEEN,
    "42P05": UNSEEN,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}
_BY_CLASS = {"08": LOST, "53": RESOURCES, "57": LOST, "58": RESOURCES}
AGAIN: Final = ("40001", "40P01")
"""Another transaction was preferred: nothing was done."""


def unusable(error: Exception, name: str) -> Exception:
    """The error for a person; a broken statement or constraint is a defect of ours and stays what it is."""
    if not isinstance(error, psycopg.Error):
        return faults.unusable(error, name)
    state = error.sqlstate or ""
    found = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    if found is None and not state and isinstance(error, psycopg.OperationalError):
        found = LOST
    return refused(name, found, _first_line(error)) if found else error


def shown(url: str) -> str:
    """The URL without password and options."""
    try:
        parts = urlsplit(url)
        user, port = f"{parts.username}@" if parts.username else "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "postgresql://…"
    return f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
