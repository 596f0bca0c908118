"""Paths that no `..`, link or race can lead out of.

The kernel is asked to open *beneath* a folder (`openat2`), and what is judged is the descriptor
that came of it, never the name: whatever is swapped in between does not matter. Where the kernel
can't, every component is opened by itself and no link is followed at all.

A hard link is the file itself and can't be told from it: who may put one into a root decides what
can be read there. Nothing is ever written through one: a file that is written takes the place of the old one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.records import dataclass
from agentctl.tools.beneath import Opener, best_opener, open_beneath
from agentctl.tools.placing import Place, reach
from agentctl.tools.plain import clean

# Without O_NONBLOCK a FIFO would wait for its writer; without O_NOCTTY a terminal could become ours.
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Roots:
    """The folders that a tool may reach. They are tried in order; their own paths are trusted."""

    paths: tuple[Path, ...]
    base: Path
    """A relative path may also be meant from here, as long as it ends in a root."""
    opener: Opener | None = None
    """None: the best that this machine has."""

    def open_file(self, path: str) -> int | Envelope:
        """A descriptor of an ordinary file, or why there is none. Never waits for a FIFO."""
        opened = self._open(path, FLAGS)
        if isinstance(opened, Envelope):
            return opened
        if problem := not_ordinary(path, os.fstat(opened)):
            os.close(opened)
            return problem
        return opened

    def open_dir(self, path: str) -> int | Envelope:
        """A descriptor of a folder, or why there is none."""
        return self._open(path, FLAGS | os.O_DIRECTORY)

    def place(self, path: str) -> Place | Envelope:
        """Where a file is or could be written, or why nowhere. No link is followed, not even one within the roots.

        Of several roots the one that has the file, else the one that has the most of its folders. Whoever gets a
        place closes its `folder`.
        """
        if path.rpartition("/")[2] in {"", ".", ".."}:
            return envelope.permanent(f"'{shown(path)}' is a folder.")
        best: Place | None = None
        problem: Envelope | None = None
        try:
            for root, inner in self._candidates(path):
                try:
                    found = reach(root, inner)
                except OSError as error:
                    problem = problem or _explained(path, error)
                else:
                    best = _better(best, found)
        except ValueError:
            return envelope.permanent(f"'{shown(path)}' is not a valid path.")
        return best or problem or _outside(path)

    def _open(self, path: str, flags: int) -> int | Envelope:
        opener = self.opener or best_opener()
        problem: Envelope | None = None
        missing = False
        try:
            for root, inner in self._candidates(path):
                try:
                    return open_beneath(opener, root, inner, flags)
                except FileNotFoundError:
                    missing = True
                except NotADirectoryError:
                    missing = True
                    if flags & os.O_DIRECTORY:
                        problem = problem or envelope.permanent(f"'{shown(path)}' is not a folder.")
                except OSError as error:
                    problem = problem or _explained(path, error)
        except ValueError:  # a NUL, or half of a surrogate pair
            return envelope.permanent(f"'{shown(path)}' is not a valid path.")
        if problem is not None:
            return problem
        return envelope.not_found(shown(path)) if missing else _outside(path)

    def _candidates(self, path: str) -> Iterator[tuple[Path, str]]:
        """Where the path may be meant: in a root, or below the base in a root."""
        if not path.startswith("/"):
            yield from ((root, path) for root in self.paths)
        whole = (self.base / path).parts  # keeps every `..`: only the opener may resolve it
        for root in self.paths:
            depth = len(root.parts)
            if whole[:depth] == root.parts:
                yield root, "/".join(whole[depth:]) or "."


def shown(path: str) -> str:
    """A path as words for the model: short, one line, nothing invisible."""
    text = clean(path)
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:SHOWN])
    return text if len(path) <= SHOWN else f"{text}…"


def _better(known: Place | None, other: Place) -> Place:
    """The one of two places that is meant; the other one is closed."""
    if known is None:
        return other
    nearer = (other.found() is None, len(other.missing)) < (known.found() is None, len(known.missing))
    os.close((known if nearer else other).folder)
    return other if nearer else known


def _outside(path: str) -> Envelope:
    return envelope.forbidden(f"'{shown(path)}' is outside the allowed folders")


def _explained(path: str, error: OSError) -> Envelope:  # one line per cause
    name = shown(path)
    match error.errno:
        case errno.EXDEV:
            return _outside(path)
        case errno.ELOOP:
            return envelope.forbidden(f"'{name}' goes through a link that is not followed")
        case errno.ENOENT:
            return envelope.not_found(name)
        case errno.ENOTDIR:
            return envelope.permanent(f"'{name}' is not a valid path: a file stands where it needs a folder.")
        case errno.EISDIR:
            return envelope.permanent(f"'{name}' is a folder.")
        case errno.ENAMETOOLONG:
            return envelope.permanent(f"'{name}' is not a valid path: a name in it is too long.")
        case errno.EACCES | errno.EPERM:
            return envelope.forbidden(f"'{name}' may not be read")
        case errno.ENXIO | errno.ENODEV:
            return _special(path)
        case errno.EMFILE | errno.ENFILE | errno.EAGAIN | errno.ENOMEM:
            return envelope.transient(f"'{name}' could not be opened: {error.strerror}")
        case _:
            return envelope.permanent(f"'{name}' could not be opened: {error.strerror}")


def _special(path: str) -> Envelope:
    return envelope.forbidden(f"'{shown(path)}' is not an ordinary file")


def not_ordinary(path: str, info: os.stat_result) -> Envelope | None:
    """Why what was opened is not to be read or replaced as a file; None where it is one."""
    if stat.S_ISDIR(info.st_mode):
        return envelope.permanent(f"'{shown(path)}' is a folder.", hint="List it instead.")
    if not stat.S_ISREG(info.st_mode) or info.st_dev == proc_device():
        return _special(path)
    return None


@cache
def proc_device() -> int | None:
    """The files of /proc look ordinary, and one of them is this process's environment, keys and all."""
    try:
        return os.stat("/proc/self").st_dev  # noqa: PTH116  # one call
    except OSError:
        return None
