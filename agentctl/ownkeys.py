"""agentctl's own keys: what it was given in the environment for itself, kept from everything that it runs.

A tool of the task's may be a function in this process, a program, a server or an editor: all of them would inherit the
keys of providers. So the program takes them out of its environment before it runs anything, wipes them from the block
of memory that `/proc/PID/environ` shows, and lets no other process of the same user look into its memory, its
environment or a dump of it. Who is root can.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

PR_SET_DUMPABLE = 4
ENV_START, ENV_END = 47, 48
"""Fields of `/proc/self/stat`, counted behind the name of the program."""


class _Own:
    """What this process keeps to itself."""

    def __init__(self) -> None:
        self.on = False
        self.shut = False
        self.taken: dict[str, str] = {}
        self.other: set[str] = set()


_own = _Own()


def guard() -> None:
    """From now on `withhold` takes keys away. Called by the program itself: a library must not empty its host's."""
    _own.on = True


def get(name: str) -> str | None:
    """A variable of the environment, also where it was withheld."""
    return os.environ.get(name, _own.taken.get(name))


def withhold(names: Iterable[str]) -> None:
    """Take these out of the environment; `get` still knows them. Does nothing unless this process is guarded."""
    if not _own.on:
        return
    for name in names:
        value = os.environ.get(name)
        if value is not None:
            _own.taken[name] = value
            _wipe(name, value)
            del os.environ[name]
    if not _own.shut:
        _own.shut = True
        _shut()


def remember(value: str) -> None:
    """A key that came another way, to be masked wherever the environment's are."""
    _own.other.add(value)


def values() -> set[str]:
    """All that this process has of its own, to be masked."""
    return {value for value in (*_own.taken.values(), *_own.other) if value}


def environment() -> dict[str, str]:
    """The environment as it was, for this very program in another process."""
    return {**os.environ, **_own.taken}


def _wipe(name: str, value: str) -> None:
    """Write zeros over a value, where it stands in the block that the kernel shows as this process's environment."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[ENV_START]), int(fields[ENV_END])
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_void_p
        at: int | None = libc.getenv(os.fsencode(name))
    except (OSError, ValueError, IndexError, AttributeError):
        return
    size = len(os.fsencode(value))
    if at is not None and start <= at and at + size <= end:  # elsewhere the C library owns it
        ctypes.memset(at, 0, size)


def _shut() -> None:
    """No dump, and nobody but root may trace this process or read its memory and environment."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    try:
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return
