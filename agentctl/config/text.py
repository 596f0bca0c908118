"""Reading a file that may be anything: a folder, a pipe, fifty megabytes, a picture."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agentctl.config.problems import invalid, nearest
from agentctl.errors import Invalid, Problem

LIMIT = 1_000_000
"""Bytes; what a person wrote is smaller."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read(path: Path, shown: str = "") -> str:
    """The text of a file without its byte order mark.

    Raises:
        Invalid: it can't be read, is no regular file, is too large, or is not UTF-8 text.
    """
    name = shown or display(path)
    try:
        # Without O_NONBLOCK a pipe would wait for a writer that never comes.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise _refused(name, f"expected a file, found {_kind(about.st_mode)}")
            with open(handle, "rb", closefd=False) as file:
                data = file.read(LIMIT + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise _unreadable(path, name, error) from None
    if len(data) > LIMIT:
        size = f"{max(about.st_size, len(data)) / 1e6:.1f} MB"
        raise _refused(name, f"too large: {size}; the limit is {LIMIT // 1_000_000} MB")
    return _decoded(data, name)


def display(path: Path) -> str:
    """The path as messages name it: relative where it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def _decoded(data: bytes, name: str) -> str:
    if data.startswith(UTF_16):
        raise _refused(name, "expected UTF-8 text, found UTF-16", "save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        bad = f"0x{data[error.start]:02x}"
        message = f"expected UTF-8 text, found the byte {bad} at offset {error.start}"
        problem = Problem(name, line, column, "", message, "save it as UTF-8")
        raise invalid([problem]) from None
    if "\0" in text:
        at = text.index("\0")
        column = at - text.rfind("\n", 0, at)
        line = text.count("\n", 0, at) + 1
        raise invalid([Problem(name, line, column, "", "expected text, found a NUL byte")])
    return text


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _unreadable(path: Path, name: str, error: OSError | ValueError) -> Invalid:
    if isinstance(error, FileNotFoundError):
        return _refused(name, "no such file", _neighbour(path))
    if isinstance(error, PermissionError):
        return _refused(name, "permission denied", f"chmod u+r {name}")
    why = error.strerror if isinstance(error, OSError) else None
    return _refused(name, f"can't be read: {why or error}")


def _neighbour(path: Path) -> str:
    try:
        others = [each.name for each in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {display(path.parent)} either"
    near = nearest(path.name, others, cutoff=0.75)
    return f'did you mean "{near}"?' if near else ""


def _refused(name: str, message: str, suggestion: str = "") -> Invalid:
    return invalid([Problem(name, 0, 0, "", message, suggestion)])
