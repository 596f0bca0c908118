"""Finding a store's file, making it where there is none, and the connections that read it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from agentctl.errors import Invalid, StoreMissing, StoreUnusable
from agentctl.journal import schema
from agentctl.journal.bodies import make_folder, sync_file, sync_folder
from agentctl.journal.failpoints import failpoint
from agentctl.journal.faults import CANT_OPEN, FOREIGN, refused, unusable
from agentctl.journal.turnstile import Turnstile

SCHEME: Final = "sqlite:///"
MAGIC: Final = b"SQLite format 3\0"
Make: TypeAlias = Literal["all", "file", "nothing"]
"""What may be made where there is no store: folder and file, the file alone, nothing."""


def prepared(url: str, lock_timeout_s: float, make: Make = "all") -> Path:
    """The absolute path of a store that is there, is ours and is up to date; an older one is migrated.

    Raises:
        StoreMissing: there is none, and `make` forbids to make it.
        StoreUnusable: it can't be read, or can't be made.
    """
    path = path_of(url)
    try:
        version = _version(path, lock_timeout_s) if _has_content(path) else 0
        if version == schema.VERSION:
            return path
        if not version:
            _allowed(path, make)
        _make(path, lock_timeout_s)
    except (sqlite3.Error, OSError) as error:
        raise unusable(error, path) from error
    return path


def path_of(url: str) -> Path:
    """The file that a URL names."""
    if url.startswith(("postgresql://", "postgres://")):
        raise Invalid(
            "a PostgreSQL store has no file (`sqlite:///path` was expected here)",
            hint="Use a file: --store sqlite:////path/to/agentctl.db",
        )
    rest = url.removeprefix(SCHEME)
    if rest == url or not rest or "\0" in rest:
        raise Invalid(
            f"{url!r} is no store: `sqlite:///path` or `postgresql://…` was expected",
            hint="An absolute path has four slashes: sqlite:////var/lib/agentctl.db",
        )
    return Path(os.path.abspath(Path(rest).expanduser()))  # noqa: PTH100  # resolve() would follow the file's own link


def _has_content(path: Path) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise refused(path, (f"it is {kind} (a SQLite file was expected)", CANT_OPEN[1]))
    if not status.st_size:
        return False
    with path.open("rb") as file:
        # SQLite takes a few bytes of anything for an empty database and writes over them.
        if file.read(len(MAGIC)) != MAGIC:
            raise refused(path, FOREIGN)
    return True


def _version(path: Path, lock_timeout_s: float) -> int:
    """How many migrations it has seen, 0: it is empty; StoreUnusable where it is not ours or from a later program."""
    connection = connect_reader(path, lock_timeout_s)
    try:
        # Both looks are at one moment: another process may be making it. The close ends the transaction.
        connection.execute("BEGIN")
        application, version = schema.describe(connection)
        if application != schema.APPLICATION_ID and not schema.is_empty(connection):
            raise refused(path, ("it is another program's database", FOREIGN[1]))
    finally:
        connection.close()
    if version > schema.VERSION:
        raise StoreUnusable(
            f"store {path}: it was written by a newer agentctl (store version {version}, this"
            f" program reads up to {schema.VERSION})",
            hint="Upgrade agentctl, or name another store with --store.",
        )
    return version


def _allowed(path: Path, make: Make) -> None:
    """Raise where nothing may be made."""
    if make == "nothing":
        raise StoreMissing(
            f"store {path}: there is none (one that a run has made was expected)",
            hint="Check --store and AGENTCTL_STORE; `agentctl run` makes a store.",
        )
    if make == "file" and not path.parent.exists():
        way_out = f"mkdir -p {quote(str(path.parent))}"
        raise StoreMissing(f"store {path}: there is no folder {path.parent}", hint=way_out)


def _make(path: Path, lock_timeout_s: float) -> None:
    make_folder(path.parent)
    turn = Turnstile(path, lock_timeout_s)
    turn.enter()
    try:
        if _has_content(path):
            _migrate(path, lock_timeout_s)
        else:
            _make_anew(Path(os.path.realpath(path)), lock_timeout_s)
    finally:
        turn.leave()
        turn.close()


def _make_anew(path: Path, lock_timeout_s: float) -> None:
    """Under another name first: a store that is there is whole, whenever the power goes."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    for stem in (part, path):  # what lies beside no store belongs to none
        _unlink_companions(stem)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    failpoint("store-empty")
    _migrate(part, lock_timeout_s, fold=True)
    _unlink_companions(part)
    sync_file(part)
    part.rename(path)
    failpoint("store-made")
    sync_folder(path.parent)


def _unlink_companions(path: Path) -> None:
    for end in ("-journal", "-wal", "-shm"):
        path.with_name(f"{path.name}{end}").unlink(missing_ok=True)


def _migrate(path: Path, lock_timeout_s: float, *, fold: bool = False) -> None:
    """`fold`: until the file alone holds everything."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        schema.prepare_writer(connection, int(lock_timeout_s * 1000))
        schema.make(connection)
        if fold:  # a close that can't do it says nothing
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def connect_reader(path: Path, lock_timeout_s: float) -> sqlite3.Connection:
    """A connection that can't write; without locks where folder and file are read-only and nothing can change."""
    mode = "ro"
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        mode = "ro&immutable=1"
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        schema.prepare_reader(connection, int(lock_timeout_s * 1000))
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def size(path: Path) -> int:
    """Bytes of a store with its log and its large texts."""
    found = 0
    with suppress(FileNotFoundError):
        found = path.stat().st_size
        found += path.with_name(f"{path.name}-wal").stat().st_size
    with suppress(FileNotFoundError), os.scandir(path.parent / "blobs") as folders:
        found += sum(each.stat().st_size for folder in folders for each in os.scandir(folder))
    return found


def connect_nowhere() -> sqlite3.Connection:
    """A connection to an empty store in memory that can't be written: what is read where there is no store."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    schema.make(connection)
    schema.prepare_reader(connection, 0)
    return connection


class Closes(Protocol):
    """A connection."""

    def close(self) -> object:
        """End it."""
        ...


C = TypeVar("C", bound=Closes)


class Readers(Generic[C]):
    """A reading connection for each thread that asks."""

    def __init__(self, connect: Callable[[], C]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._guard = threading.Lock()
        self._all: list[C] = []

    def mine(self) -> C:
        """This thread's."""
        found: C | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._connect()
            self._local.connection = found
            with self._guard:
                self._all.append(found)
        return found

    def has(self) -> bool:
        """Whether this thread has one."""
        return getattr(self._local, "connection", None) is not None

    def drop(self) -> None:
        """Close this thread's: it is good for nothing any more."""
        found: C | None = getattr(self._local, "connection", None)
        if found is not None:
            self._local.connection = None
            with self._guard:
                self._all.remove(found)
            found.close()

    def close(self) -> None:
        """Close them all; no thread may be reading."""
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all.clear()
