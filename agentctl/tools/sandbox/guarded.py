"""What a program may not change in a tree that it may write: hooks, Git's settings, CI, instructions, at any depth.

Rules. No link is ever followed: it is looked at itself. A folder that Git would take for a repository is one, whatever
it is called. Folders of dependencies are left out: what is in them is run by whoever uses them anyway.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from agentctl.records import dataclass
from agentctl.tools.protected import FILES, FOLDERS, PAIRS

ENTRIES = 500_000
"""Files and folders of a tree that are looked at; about two seconds."""
GIT = frozenset({"hooks", "config", "config.worktree", "info", "commondir"})
ABOVE = frozenset(above for above, _ in PAIRS if above.startswith("."))
DEPENDENCIES = frozenset({"node_modules", "site-packages", "dist-packages", "bower_components"})

Kind = Literal["tree", "git", "modules", "worktrees"]
BELOW: Mapping[str, Kind] = {"modules": "modules", "worktrees": "worktrees"}


class TooMany(ValueError):
    """More files than can be looked at: nothing may be started."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What there is of it in a tree; the shallow before the deep."""

    paths: tuple[Path, ...]
    locked: frozenset[Path]
    """Folders that can't be looked into."""
    complete: bool
    """False: there are too many files, not all were looked at."""


def guarded(root: Path, locked: frozenset[Path] | None = None) -> Guarded:
    """Look for it. Folders that can't be read are made readable, but for those that were `locked`; None: none is."""
    found: list[Path] = []
    closed: set[Path] = set()
    pending: deque[tuple[Path, Kind]] = deque([(root, "tree")])
    left = ENTRIES
    while pending:
        folder, kind = pending.popleft()
        try:
            entries = _entries(folder, opening=locked is not None and folder not in locked)
        except OSError:  # gone, or not to be read
            closed.add(folder)
            continue
        left -= len(entries)
        if left < 0:
            return Guarded(tuple(found), frozenset(closed), complete=False)
        if kind in {"tree", "modules"} and _is_repository({each.name for each in entries}):
            kind = "git"
        above = "" if folder == root else folder.name.casefold()
        for entry in entries:
            path = folder / entry.name
            if _is_guarded(entry, above, kind):
                found.append(path)
            elif (below := _below(entry, kind)) is not None:
                pending.append((path, below))
    return Guarded(tuple(found), frozenset(closed), complete=True)


def _is_repository(names: set[str]) -> bool:
    """As Git tells: with files of its own, or with those of another."""
    return "HEAD" in names and ({"objects", "refs"} <= names or "commondir" in names)


def _is_guarded(entry: os.DirEntry[str], above: str, kind: Kind) -> bool:
    plain = entry.name.casefold()
    if kind == "git":
        return plain in GIT
    if kind != "tree":
        return False
    if plain == ".git":  # a file or a link says where the repository is
        return not entry.is_dir(follow_symlinks=False)
    if plain in FILES or plain in FOLDERS or (above, plain) in PAIRS:
        return True
    return plain in ABOVE and entry.is_symlink()


def _below(entry: os.DirEntry[str], kind: Kind) -> Kind | None:
    """What a folder is to be looked through as; None: not at all."""
    plain = entry.name.casefold()
    if not entry.is_dir(follow_symlinks=False) or (kind == "tree" and plain in DEPENDENCIES):
        return None
    if kind == "git":
        return BELOW.get(plain)
    if kind == "worktrees" or plain == ".git":
        return "git"
    return kind


def _entries(folder: Path, *, opening: bool) -> list[os.DirEntry[str]]:
    try:
        return _listed(folder)
    except PermissionError:
        if not opening:
            raise
    unlocked(folder)
    return _listed(folder)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return list(found)


def unlocked(folder: Path) -> None:
    """Let the owner into a folder. OSError: it is none, or somebody else's."""
    at = os.open(folder, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chmod(f"/proc/self/fd/{at}", stat.S_IMODE(os.fstat(at).st_mode) | 0o700)  # noqa: PTH101  # no path is safe
    finally:
        os.close(at)


def all_of(folder: Path) -> Iterator[Path]:
    """What is in a guarded folder, one level."""
    with suppress(OSError):
        yield from sorted(folder.iterdir())
