"""The files beneath an opened folder, in one order, by descriptors: no link is followed, nothing else is opened."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Callable, Generator
from functools import cache

from agentctl.records import dataclass
from agentctl.tools.confine import FLAGS, proc_device

LARGEST = 2_000_000
"""Bytes of a file that is looked at."""
DEEPEST = 64
PASSED_OVER = frozenset({".git"})

Names = tuple[str, ...]
"""A path below the folder where the walk began."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and its text; None where it is too large, binary or can't be read."""

    path: str
    text: str | None


def text_files(
    folder: int, path: str, wanted: Callable[[Names], bool], enough: Callable[[], bool]
) -> Generator[Found, None, None]:
    """The wanted files beneath a folder that is called `path`, depth first, by name."""
    yield from _beneath(folder, path, (), wanted, enough)


def text_of(descriptor: int) -> str | None:
    """The text of an opened file, or None. It is closed."""
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError:
        return None
    return None if len(data) > LARGEST or b"\0" in data else data.decode("utf-8", "replace")


def fits(names: Names, glob: str) -> bool:
    """Whether a path is meant by a glob: `*.py` by its name alone, `src/**/*.py` as a whole."""
    parts = tuple(each for each in glob.split("/") if each not in {"", "."})
    if "/" not in glob:
        return fnmatch.fnmatchcase(names[-1], glob)

    @cache  # so that many `**` cost no more than few
    def rest(name: int, part: int) -> bool:
        if part == len(parts):
            return name == len(names)
        if parts[part] == "**":
            return rest(name, part + 1) or (name < len(names) and rest(name + 1, part))
        return name < len(names) and fnmatch.fnmatchcase(names[name], parts[part]) and rest(name + 1, part + 1)

    return rest(0, 0)


def _beneath(
    folder: int, path: str, names: Names, wanted: Callable[[Names], bool], enough: Callable[[], bool]
) -> Generator[Found, None, None]:
    for name in sorted(os.listdir(folder), key=os.fsencode):
        if enough():
            return
        here, below = (*names, name), f"{path.rstrip('/')}/{name}" if path else name
        kind = _kind(folder, name)
        if stat.S_ISREG(kind) and wanted(here):
            opened = _opened(folder, name, FLAGS)
            yield Found(below, None if opened is None else text_of(opened))
        elif stat.S_ISDIR(kind) and name not in PASSED_OVER:
            opened = _opened(folder, name, FLAGS | os.O_DIRECTORY) if len(here) <= DEEPEST else None
            if opened is None:
                yield Found(below, None)
                continue
            try:
                yield from _beneath(opened, below, here, wanted, enough)
            finally:
                os.close(opened)


def _kind(folder: int, name: str) -> int:
    """Asked before it is opened: opening a device can do something. 0: not to be opened."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return 0
    return 0 if info.st_dev == proc_device() else info.st_mode


def _opened(folder: int, name: str, flags: int) -> int | None:
    try:
        opened = os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return None
    info = os.fstat(opened)  # it may be another one by now
    ordinary = stat.S_ISDIR(info.st_mode) if flags & os.O_DIRECTORY else stat.S_ISREG(info.st_mode)
    if ordinary and info.st_dev != proc_device():
        return opened
    os.close(opened)
    return None
