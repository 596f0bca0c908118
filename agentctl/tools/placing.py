"""A file put in its place beneath a folder: whole or not at all, through descriptors and never through a link.

Writing goes by the walk alone, component by component: where no link is followed, the names that were asked for are
the names that are, and can be judged as names. The new file is written beside the old one and renamed over it. So
whatever is swapped in between is replaced, never written through; a hard link to the old file keeps the old content.
A crash can leave a `.agentctl-….tmp` behind, never half a file. ACLs and extended attributes stay with the old one.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agentctl.records import dataclass

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
PERMISSIONS = 0o777


class Outside(OSError):
    """The path leads out of its folder."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EXDEV, os.strerror(errno.EXDEV), path)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is or could be: the nearest folder that is there, and what is missing on the way to it."""

    folder: int
    """A descriptor; whoever asked for the place closes it."""
    missing: tuple[str, ...]
    name: str
    root: Path
    parts: tuple[str, ...]
    """The path below the root, as it is: no links, no dots."""

    def found(self) -> os.stat_result | None:
        """What stands there now, itself and not what it links to."""
        if self.missing:
            return None
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except OSError:  # what can't be seen can't be replaced either; trying to will tell
            return None

    def opened(self) -> int:
        """A descriptor of the file, for reading."""
        return os.open(self.name, FILE, dir_fd=self.folder)


def reach(root: Path, inner: str) -> Place:
    """Walk to the folder of a file as far as there is one.

    Raises:
        Outside: `..` leads out. OSError: what stands there is no folder, or a link. ValueError: it is no path at all.
    """
    *folders, name = _resolved(inner)
    at = os.open(root, FOLDER & ~os.O_NOFOLLOW)
    try:
        for number, each in enumerate(folders):
            below = _below(at, each)
            if below is None:
                return Place(os.dup(at), tuple(folders[number:]), name, root, (*folders, name))
            os.close(at)
            at = below
        return Place(os.dup(at), (), name, root, (*folders, name))
    finally:
        os.close(at)


def _resolved(path: str) -> list[str]:
    if b"\0" in os.fsencode(path):
        raise ValueError("embedded null byte")
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise Outside(path)
            names.pop()
        elif name not in {"", "."}:
            names.append(name)
    if not names:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return names


def _below(folder: int, name: str) -> int | None:
    try:
        return os.open(name, FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        # A link to a folder is "not a directory" to O_DIRECTORY | O_NOFOLLOW.
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise


def with_folders(place: Place) -> Place:
    """The same place with the missing folders made. Who swaps a link in between is not followed."""
    at = os.dup(place.folder)
    try:
        for name in place.missing:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=at)
            below = os.open(name, FOLDER, dir_fd=at)
            os.close(at)
            at = below
        return Place(os.dup(at), (), place.name, place.root, place.parts)
    finally:
        os.close(at)


def put(place: Place, data: bytes, before: os.stat_result | None, still_wanted: Callable[[], bool]) -> bool:
    """Write the file: all of it, on the disk, in one moment. False: it was not wanted any more.

    It has the permissions of the one `before`, and its owner where that may be given.
    """
    temporary = f".agentctl-{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o666 if before is None else 0o600, dir_fd=place.folder)
    try:
        with os.fdopen(file, "wb") as open_file:
            open_file.write(data)
            open_file.flush()
            if before is not None:
                _made_alike(file, before)
            os.fsync(file)
        if not still_wanted():
            os.unlink(temporary, dir_fd=place.folder)
            return False
        os.replace(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except BaseException:  # whatever it was, half a file is not left behind
        with suppress(OSError):
            os.unlink(temporary, dir_fd=place.folder)
        raise
    with suppress(OSError):  # the file is there; some file systems can't sync a folder
        os.fsync(place.folder)
    return True


def _made_alike(file: int, before: os.stat_result) -> None:
    now = os.fstat(file)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):  # a file of somebody else becomes ours, as an editor's does
            os.fchown(file, before.st_uid, before.st_gid)
    os.fchmod(file, stat.S_IMODE(before.st_mode) & PERMISSIONS)
