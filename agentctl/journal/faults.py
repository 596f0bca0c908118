"""What SQLite and the operating system say, as one line for a person: the path, what was expected, the way out."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from agentctl.errors import StoreUnusable

FULL = (
    "the disk is full or its quota is used up",
    "Free some space, then `agentctl resume` continues; everything acknowledged is kept.",
)
READ_ONLY = (
    "it can't be written: the file or its folder is read-only",
    "Make both writable for this user (`chmod u+w`), or name another store with --store.",
)
LOCKED = (
    "it is locked by another process",
    "Let that process finish or end it (`fuser` names it), then try again.",
)
CORRUPT = (
    "it is damaged or no agentctl store (a SQLite database was expected)",
    "`agentctl store check` says what is damaged, its --repair keeps what can be read; else restore it from a copy.",
)
FOREIGN = (CORRUPT[0], "Restore it from a copy, or name another store with --store.")
"""No SQLite file, or a text in it that is none: a check can't say more."""
CANT_OPEN = (
    "it can't be opened (a readable file in a writable folder was expected)",
    "Check the path and its permissions, or name another store with --store.",
)
IO_ERROR = (
    "the disk refused a read or a write",
    "Check the disk, its quota and `ulimit -f`; everything acknowledged is kept.",
)

_BY_SQLITE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_AUTH: READ_ONLY,
    sqlite3.SQLITE_IOERR: IO_ERROR,
    sqlite3.SQLITE_CORRUPT: CORRUPT,
    sqlite3.SQLITE_NOTADB: FOREIGN,
    sqlite3.SQLITE_FORMAT: CORRUPT,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CANTOPEN: CANT_OPEN,
}
_BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.EIO: IO_ERROR,
    errno.EFBIG: IO_ERROR,
}


def unusable(error: Exception, path: Path | str) -> Exception:
    """The error for a person; a broken statement or constraint is a defect of ours and stays what it is."""
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        found: tuple[str, str] | None = FOREIGN
    elif isinstance(error, sqlite3.Error):
        found = _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    elif isinstance(error, OSError):
        found = _BY_ERRNO.get(error.errno or 0, CANT_OPEN)
    else:
        return error
    return refused(path, found, str(error)) if found else error


def refused(path: Path | str, fault: tuple[str, str], detail: str = "") -> StoreUnusable:
    """One line about this store."""
    said = f" ({detail})" if detail else ""
    return StoreUnusable(f"store {path}: {fault[0]}{said}", hint=fault[1])
