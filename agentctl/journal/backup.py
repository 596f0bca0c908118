"""Copies of a store: files that are made under another name, and take their own once they are whole and on the disk.

A copy is a store: it can be opened, checked and exported from. The key that seals originals is not in it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal import bodies
from agentctl.journal.faults import unusable
from agentctl.records import dataclass

COMPANIONS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds."""

    runs: int
    events: int
    blobs: int
    size: int
    """Bytes of the file alone."""


@contextmanager
def making(target: Path) -> Generator[Path]:
    """Where a new file is made, for its owner's eyes; it is there under its own name when nothing failed.

    Raises:
        Forbidden: there is a file of that name.
        StoreUnusable: it can't be written.
    """
    if target.exists():
        raise Forbidden(f"{target} is there already: nothing was written", hint="Name another file, or remove it.")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        yield part
        bodies.sync_file(part)
        part.rename(target)
        bodies.sync_folder(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise unusable(error, target) from error
    finally:
        for end in ("", *COMPANIONS):
            with suppress(OSError):
                part.with_name(part.name + end).unlink()


def copy_blobs(source: Path, target: Path, digests: list[str]) -> None:
    """Copy large texts: files that never change, so that those which are there already are kept.

    Raises:
        StoreUnusable: one is gone.
    """
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
        bodies.sync_file(part)
        part.rename(new)
        bodies.sync_folder(new.parent)
