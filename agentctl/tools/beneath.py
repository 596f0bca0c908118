"""Opening what lies beneath a folder, in two ways: the kernel's own, and a walk for where it has none."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

Opener: TypeAlias = Callable[[int, str, int], int]
"""(descriptor of a folder, path, flags) to a descriptor of what is beneath it.

OSError tells why there is none, EXDEV that the path leads out; ValueError that it is no path at all.
"""

OPENAT2 = 437  # on every architecture
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
RACES = 100


def open_beneath(opener: Opener, root: Path, inner: str, flags: int) -> int:
    """Open the root by its own, trusted path, and `inner` beneath it."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return opener(folder, inner, flags)
    finally:
        os.close(folder)


@cache
def best_opener() -> Opener:
    """`openat2` where the kernel has it and lets us, else the walk. Asked once in a process."""
    opener = _kernel_opener()
    if opener is None:
        return open_by_walking
    try:
        # Old seccomp filters answer EPERM for calls that they don't know.
        os.close(open_beneath(opener, Path("/"), ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError:
        return open_by_walking
    return opener


def _kernel_opener() -> Opener | None:
    if os.uname().sysname != "Linux":
        return None
    import ctypes  # 5 ms that only file tools need

    class OpenHow(ctypes.Structure):
        _fields_ = (
            ("flags", ctypes.c_uint64),
            ("mode", ctypes.c_uint64),
            ("resolve", ctypes.c_uint64),
        )

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long

    def open_by_kernel(folder: int, path: str, flags: int) -> int:
        how = OpenHow(flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
        name = os.fsencode(path)
        if b"\0" in name:
            raise ValueError("embedded null byte")
        for _ in range(RACES):
            fd: int = syscall(
                ctypes.c_long(OPENAT2),
                ctypes.c_long(folder),
                ctypes.c_char_p(name),
                ctypes.byref(how),
                ctypes.c_size_t(ctypes.sizeof(how)),
            )
            if fd >= 0:
                return fd
            # EAGAIN: something was renamed on the way, so that `..` could not be judged.
            if ctypes.get_errno() != errno.EAGAIN:
                break
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)

    return open_by_kernel


def open_by_walking(folder: int, path: str, flags: int) -> int:
    """Component by component, refusing every link; `..` is resolved in words, so it is never opened."""
    *folders, last = _resolved(path)
    step = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    at = os.dup(folder)
    try:
        for name in folders:
            below = _open_no_link(name, step, at)
            os.close(at)
            at = below
        return _open_no_link(last, flags | os.O_NOFOLLOW, at)
    finally:
        os.close(at)


def _resolved(path: str) -> list[str]:
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            names.pop()
        elif name not in {"", "."}:
            names.append(name)
    return names or ["."]


def _open_no_link(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except NotADirectoryError:
        # A link to a folder is "not a directory" to O_DIRECTORY | O_NOFOLLOW.
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise
