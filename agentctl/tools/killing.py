"""Ending a program and everything that it started.

The group gets one signal, which no fork can outrun. Who left the group is found by descent and by
the environment that it inherited, as far as /proc tells; on other systems the group is all.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

MARKS = ("AGENTCTL_RUN_ID", "AGENTCTL_CALL_ID")
"""Together they name one call; whoever carries both was started by its program."""
ROUNDS = 5
"""A process may be born while the others are looked at; nobody is still left after a few rounds."""

_PROC = Path("/proc")


def kill_group(leader: int) -> None:
    """Kill whoever is in the group that `leader` made."""
    # Nobody may be left; macOS says EPERM of a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def kill_tree(leader: int, env: Mapping[str, str]) -> None:
    """Kill the group, and all that descend from it or carry its marks."""
    family = descendants(leader)  # before their parents die and init adopts them
    kill_group(leader)
    for pid in family:
        _kill(pid)
    kill_marked(env)


def kill_marked(env: Mapping[str, str]) -> int:
    """Kill all that carry these marks; how many there were. Also those of a driver that died before it could."""
    marks = [f"{name}={env[name]}".encode() for name in MARKS if env.get(name)]
    if len(marks) < len(MARKS):
        return 0
    killed: set[int] = set()
    for _ in range(ROUNDS):
        carriers = [pid for pid in _pids() if _carries(pid, marks)]
        if not carriers:
            break
        for pid in carriers:
            _kill(pid)
        killed.update(carriers)
    return len(killed)


def can_look() -> bool:
    """Whether this system shows who carries a mark."""
    return bool(_pids())


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    try:
        return [int(each.name) for each in _PROC.iterdir() if each.name.isdecimal()]
    except OSError:  # no /proc here
        return []


def descendants(leader: int) -> list[int]:
    """Whoever was started by it, and by those, as far as parents still live."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        if parent := _parent(pid):
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    pending = [leader]
    while pending:
        below = children.pop(pending.pop(), [])
        found += below
        pending += below
    return found


def _parent(pid: int) -> int:
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:  # gone by now
        return 0
    # pid (name) state ppid …, and a name may hold spaces and brackets.
    return int(text[text.rindex(b")") + 2 :].split()[1])


def _carries(pid: int, marks: list[bytes]) -> bool:
    try:
        env = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:  # gone, or somebody else's
        return False
    return set(marks) <= set(env.split(b"\0"))
