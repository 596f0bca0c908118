"""Where the text of an event is kept: in its row as it is, in its row compressed, or in a file named by its content.

A file is on the disk, whole and under its final name, before the row that names it is committed, and its folder is
synced too. A crash in between leaves a file that nobody refers to; equal texts share one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from pathlib import Path
from typing import Final

from agentctl.errors import StoreUnusable
from agentctl.journal.failpoints import failpoint

PLAIN: Final = 0
PACKED: Final = 1
FILED: Final = 2

PLAIN_MOST: Final = 1024
ROW_MOST: Final = 64 * 1024


def pack(folder: Path | None, text: str) -> tuple[int, str | bytes]:
    """The form and what the row holds. Writes the file where there is one.

    Without a folder rows hold all of it, and only bytes: PostgreSQL moves long ones out of the row by itself.
    """
    if len(text) <= PLAIN_MOST:
        return PLAIN, text if folder is not None else text.encode()
    raw = text.encode()
    if folder is None or len(raw) <= ROW_MOST:
        return PACKED, zlib.compress(raw, 1)
    digest = hashlib.sha256(raw).hexdigest()
    _file(folder, digest, zlib.compress(raw, 1))
    return FILED, digest


def path_of(folder: Path, digest: str) -> Path:
    """Where a filed text lies."""
    return folder / digest[:2] / digest


def keep(folder: Path | None, digest: str, text: str) -> None:
    """File a text that was filed before, should it be gone since."""
    if folder is not None and not path_of(folder, digest).exists():
        _file(folder, digest, zlib.compress(text.encode(), 1))


UNREADABLE: Final = (StoreUnusable, zlib.error, ValueError, TypeError)
"""What taking a damaged event apart may raise."""


def unpack(folder: Path | None, form: int, data: str | bytes) -> str:
    """The text again."""
    if isinstance(data, bytes):
        return (data if form == PLAIN else zlib.decompress(data)).decode()
    if form == PLAIN:
        return data
    if folder is None:
        raise StoreUnusable(
            f"blob {data}: it is kept in a file, and this store has none", hint="Restore it from a copy."
        )
    return _read(path_of(folder, data)).decode()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    sync_file(folder, os.O_DIRECTORY)


def sync_file(path: Path, flags: int = 0) -> None:
    """Make what is in a file survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; their names survive a power cut."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def _file(folder: Path, digest: str, body: bytes) -> None:
    path = path_of(folder, digest)
    if not path.exists():
        for each in (folder, path.parent):
            each.mkdir(mode=0o700, exist_ok=True)
        _write(path, body)
    # Also where it stood already: whoever wrote it may have died before this.
    for each in (path.parent, folder, folder.parent):
        sync_folder(each)
    failpoint("blob-after-rename")


def _write(path: Path, body: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123  # made 0600 from the start
            file.write(body)
            file.flush()
            os.fsync(fd)
        failpoint("blob-before-rename")
        part.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _read(path: Path) -> bytes:
    try:
        raw = zlib.decompress(path.read_bytes())
    except (OSError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    if hashlib.sha256(raw).hexdigest() != path.name:
        raise _damaged(path, "its content was changed")
    return raw


def _damaged(path: Path, detail: str) -> StoreUnusable:
    return StoreUnusable(
        f"blob {path}: a large event is kept here and can't be read ({detail})",
        hint="Restore the store's folder, `blobs` included, from a copy.",
    )
