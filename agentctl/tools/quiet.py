"""Other people's code in this process, without its noise: what it prints goes nowhere, what it asks for is not there.

`contextlib.redirect_stdout` swaps the streams of the whole process, so that a function in one thread would silence the
answer that another thread prints. Here the streams are stood in for once, and who calls decides: within `quietly`, in
the threads and tasks that were given its context, they are empty; for everybody else they are what they were.

What goes past `sys.stdout` is not held back: threads that the code starts by itself, programs that it starts, C code.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

NAMES = ("stdin", "stdout", "stderr")

_instead: ContextVar[io.TextIOWrapper | None] = ContextVar("instead", default=None)
_lock = threading.Lock()


class _Nothing(io.BufferedIOBase):
    """Takes whatever is written, and is always at its end."""

    name = "nothing"

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        del size
        return b""

    def read1(self, size: int = -1, /) -> bytes:
        del size
        return b""

    def write(self, data: Buffer, /) -> int:
        return memoryview(data).nbytes


class _Stream:
    """A standard stream that is an empty one for whoever is muted."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401 -- whatever somebody put in its place
        self._real = real

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as its stream has it
        return getattr(self._now(), name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def _now(self) -> Any:  # noqa: ANN401 -- see above
        return _instead.get() or self._real


@contextmanager
def quietly() -> Generator[None]:
    """Within: printing says nothing, and reading finds the end of the input."""
    _stand_in()
    # One for each: who closes it closes his own.
    token = _instead.set(io.TextIOWrapper(_Nothing(), encoding="utf-8", errors="replace"))
    try:
        yield
    finally:
        _instead.reset(token)


def _stand_in() -> None:
    """Asked each time: a test, a pager or a full-screen program may have put streams of its own there since."""
    with _lock:
        for name in NAMES:
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, _Stream):
                setattr(sys, name, _Stream(stream))
