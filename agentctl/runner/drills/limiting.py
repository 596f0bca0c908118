"""A limit in real seconds on a loop that skips waiting, whose own timers know only skipped ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager


class OverrunError(Exception):
    """It took longer."""


@contextmanager
def within(loop: asyncio.AbstractEventLoop, seconds: float) -> Generator[None]:
    """Cancel what the current task does in this block after so many real seconds.

    Raises:
        OverrunError: it was.
    """
    task, over = asyncio.current_task(), threading.Event()
    assert task is not None  # noqa: S101 -- called by a coroutine

    def end() -> None:
        over.set()
        loop.call_soon_threadsafe(task.cancel)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except asyncio.CancelledError:
        if not over.is_set() or task.uncancel():  # somebody else wants it to end, too
            raise
        raise OverrunError from None
    finally:
        timer.cancel()
