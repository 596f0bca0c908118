"""A copy of a store while runs go on: what was committed at one moment, and the large texts that it names.

The copy is a store: it can be opened, checked and exported from. The key that seals originals is not in it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal import bodies, opening
from agentctl.journal.faults import unusable
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

LOCK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds."""

    runs: int
    events: int
    blobs: int
    size: int
    """Bytes of the file alone."""


def backup(source: Path, target: Path) -> Copied:
    """Copy a store to a file that is not there yet; its large texts into `blobs` beside that.

    Raises:
        Forbidden: the file is there.
        StoreUnusable: one of them can't be read or written.
    """
    if target.exists():
        raise Forbidden(f"{target} is there already: nothing was written", hint="Name another file, or remove it.")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        with closing(opening.connect_reader(source, LOCK_S)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
            copied = _counted(new)
            digests = new.execute("SELECT DISTINCT data FROM events WHERE form = ?", (bodies.FILED,)).fetchall()
        _blobs(source.parent / "blobs", target.parent / "blobs", [str(digest) for (digest,) in digests])
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
        bodies.sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise unusable(error, target) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return Copied(*copied, len(digests), target.stat().st_size)


def _counted(tx: Tx) -> tuple[int, int]:
    (runs,) = tx.execute("SELECT count(*) FROM runs").fetchone()
    (events,) = tx.execute("SELECT count(*) FROM events").fetchone()
    return runs, events


def _blobs(source: Path, target: Path, digests: list[str]) -> None:
    """Files that never change: those that are there already are kept."""
    for digest in digests:
        old, new = bodies.path_of(source, digest), bodies.path_of(target, digest)
        if new.exists():
            continue
        for each in (target, new.parent):
            each.mkdir(mode=0o700, exist_ok=True)
        part = new.with_name(f".{new.name}.{os.getpid()}")
        try:
            shutil.copyfile(old, part)
        except FileNotFoundError as error:
            raise StoreUnusable(
                f"{old}: it was removed meanwhile, or is lost", hint="Try again; else `agentctl store check`."
            ) from error
        part.chmod(0o600)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(new)
        bodies.sync_folder(new.parent)
