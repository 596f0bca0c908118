"""One guarded file: what it is, and how it is made so again, without ever following a link."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentctl.records import dataclass

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Kept:
    """One file, link or folder as it was."""

    mode: int
    stamp: tuple[int, int, int, int]
    """Size, times of the last change of content and of anything, and number."""
    owner: tuple[int, int]
    content: bytes | None
    """Of a link: where it leads. None: a folder, or too much to keep."""

    def same(self, other: Kept) -> bool:
        """Whether nothing was changed."""
        if self.mode != other.mode:
            return False
        if stat.S_ISDIR(self.mode):
            return True
        if self.content is None or other.content is None:
            return self.stamp == other.stamp
        return self.content == other.content


def look(path: Path, most: int) -> Kept:
    """As it is now, with up to `most` bytes. OSError: it is not there."""
    info = path.lstat()
    content = None
    if stat.S_ISLNK(info.st_mode):
        content = os.fsencode(path.readlink())
    elif stat.S_ISREG(info.st_mode) and info.st_size <= most:
        with suppress(PermissionError):  # its owner took it from himself: then its stamp has to do
            content = _read(path, most)
    stamp = (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    return Kept(info.st_mode, stamp, (info.st_uid, info.st_gid), content)


def _read(path: Path, most: int) -> bytes | None:
    with os.fdopen(os.open(path, READ), "rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None


def remove(root: Path, path: Path) -> None:
    """Take away what a program made. OSError: it can't be."""
    with _folder_of(root, path, make=False) as at:
        _away(at, path.name)


def restore(root: Path, path: Path, kept: Kept) -> None:
    """Make it anew, never write into it: what stands there may be somebody else's by another name.

    Raises:
        OSError: it can't be.
    """
    with _folder_of(root, path, make=True) as at:
        if stat.S_ISDIR(kept.mode):
            _restore_folder(at, path.name, kept)
        elif stat.S_ISLNK(kept.mode):
            _away(at, path.name)
            os.symlink(os.fsdecode(kept.content or b""), path.name, dir_fd=at)
        elif kept.content is not None:
            _away(at, path.name)
            with os.fdopen(os.open(path.name, NEW, 0o600, dir_fd=at), "wb") as file:
                file.write(kept.content)
                with suppress(PermissionError):
                    os.fchown(file.fileno(), *kept.owner)
                os.fchmod(file.fileno(), stat.S_IMODE(kept.mode))


def _restore_folder(at: int, name: str, kept: Kept) -> None:
    try:
        is_folder = stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        is_folder = False
    if not is_folder:
        _away(at, name)
        os.mkdir(name, dir_fd=at)
    _set_mode(at, name, stat.S_IMODE(kept.mode))


def _away(at: int, name: str) -> None:
    try:
        info = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(info.st_mode):
        shutil.rmtree(name, dir_fd=at)
    else:
        os.unlink(name, dir_fd=at)


@contextmanager
def _folder_of(root: Path, path: Path, *, make: bool) -> Generator[int]:
    """The folder that it is in, as a descriptor; `make`: what is in its way goes, what is missing is made."""
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.relative_to(root).parts[:-1]:
            below = _below(at, name, make=make)
            os.close(at)
            at = below
        mode = stat.S_IMODE(os.fstat(at).st_mode)
        if mode & 0o700 != 0o700:
            os.fchmod(at, mode | 0o700)
        try:
            yield at
        finally:
            if 0o700 > mode & 0o700 >= 0o500:
                os.fchmod(at, mode)
    finally:
        os.close(at)


def _below(at: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, FOLDER, dir_fd=at)
    except PermissionError:
        _set_mode(at, name, 0o700)
    except OSError:
        if not make:
            raise
        _away(at, name)
        os.mkdir(name, dir_fd=at)
    return os.open(name, FOLDER, dir_fd=at)


def _set_mode(at: int, name: str, mode: int) -> None:
    """Of a folder, also of one that can't be opened."""
    found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    try:
        os.chmod(f"/proc/self/fd/{found}", mode)  # noqa: PTH101  # no path is safe
    finally:
        os.close(found)
