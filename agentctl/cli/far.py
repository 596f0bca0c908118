"""How far a long reading is, on one line that goes away: where it takes long, and somebody looks."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator

from agentctl.cli import render

LONG_S, EVERY_S = 0.5, 0.2
"""From when on, and how often, it is said."""
ERASE = "\r\x1b[K"


@contextlib.contextmanager
def told() -> Generator[Callable[[int, int], None]]:
    """To be told after each run how many of how many are read."""
    shown, drawn, said = render.colours(sys.stderr), time.monotonic() + LONG_S - EVERY_S, False

    def far(number: int, total: int) -> None:
        nonlocal drawn, said
        if shown and time.monotonic() - drawn >= EVERY_S:
            drawn, said = time.monotonic(), True
            sys.stderr.write(f"{ERASE}deciding run {number:,} of {total:,}")
            sys.stderr.flush()

    try:
        yield far
    finally:
        if said:
            sys.stderr.write(ERASE)
            sys.stderr.flush()
