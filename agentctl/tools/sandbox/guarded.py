"""What a program may not change in a tree that it may write: hooks, Git's settings, CI, instructions.

No mount and no Landlock rule keeps a name that is not there yet from being made, or a folder above from being
renamed. So these are looked at before the call and after it, and put back.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from agentctl.records import dataclass
from agentctl.tools.protected import FILES, FOLDERS, PAIRS

GIT = ("hooks", "config", "info", "modules")
KEPT_BYTES = 1_000_000
"""Of a file: what is put back. A longer one is only compared, by size and time."""
MOST = 2_000
"""Files that are looked at in one tree."""

Seen = dict[Path, "Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """One file, link or folder as it was."""

    mode: int
    stamp: tuple[int, int]
    """Size and time of change."""
    content: bytes | None
    """Of a link: where it leads."""

    def same(self, other: Kept) -> bool:
        """Whether nothing was changed."""
        if self.mode != other.mode:
            return False
        if stat.S_ISDIR(self.mode):
            return True
        return self.content == other.content if self.content is not None else self.stamp == other.stamp


def guarded(root: Path) -> tuple[Path, ...]:
    """What is there of them, directly in a folder."""
    return tuple(sorted(_guarded(root)))


def _guarded(root: Path) -> Iterator[Path]:
    try:
        names = [entry.name for entry in os.scandir(root)]
    except OSError:
        return
    for name in names:
        plain = name.casefold()
        if plain == ".git":
            inner = [root / name / each for each in GIT]
            yield from (path for path in inner if os.path.lexists(path))
        elif plain in FILES or plain in FOLDERS:
            yield root / name
        else:
            inner = [root / name / below for above, below in PAIRS if above == plain]
            yield from (path for path in inner if os.path.lexists(path))


def seen(roots: Sequence[Path], fixed: Sequence[Path] = ()) -> Seen:
    """All of them, and the `fixed` files in there, as they are now."""
    found: Seen = {}
    for root in roots:
        pending = [*guarded(root), *(path for path in fixed if path.is_relative_to(root))]
        while pending and len(found) < MOST:
            path = pending.pop()
            with suppress(OSError):
                kept = _kept(path)
                found[path] = kept
                if stat.S_ISDIR(kept.mode):
                    pending += sorted(path.iterdir())
    return found


def put_back(roots: Sequence[Path], before: Seen, fixed: Sequence[Path] = ()) -> tuple[str, ...]:
    """Undo what was changed, made or removed; the paths of it, for people."""
    after = seen(roots, fixed)
    wrong = {path for path in before.keys() | after.keys() if not _unchanged(before.get(path), after.get(path))}
    for path in sorted(wrong, reverse=True):
        if path not in before:
            _remove(path)
    for path in sorted(wrong):
        if path in before:
            with suppress(OSError):
                _restore(path, before[path])
    return tuple(str(path) for path in sorted(wrong))


def _unchanged(one: Kept | None, other: Kept | None) -> bool:
    return one is not None and other is not None and one.same(other)


def _kept(path: Path) -> Kept:
    info = path.lstat()
    content = None
    if stat.S_ISLNK(info.st_mode):
        content = os.fsencode(path.readlink())
    elif stat.S_ISREG(info.st_mode) and info.st_size <= KEPT_BYTES:
        content = path.read_bytes()
    return Kept(info.st_mode, (info.st_size, info.st_mtime_ns), content)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _restore(path: Path, kept: Kept) -> None:
    """Made anew, never written into: what stands there may be a link to somewhere else."""
    if stat.S_ISDIR(kept.mode):
        if path.is_symlink() or not path.is_dir():
            _remove(path)
            path.mkdir(parents=True)
        path.chmod(stat.S_IMODE(kept.mode))
        return
    if kept.content is None:
        return
    _remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(kept.mode):
        path.symlink_to(os.fsdecode(kept.content))
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(kept.content)
        os.fchmod(file.fileno(), stat.S_IMODE(kept.mode))
