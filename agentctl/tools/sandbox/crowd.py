"""How many processes a call has: counted from outside, because no limit of the kernel's holds for root."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from agentctl.tools.killing import descendants

EVERY_S = 0.05
THREADS = 8
"""For each process that there may be: 2,048 where the limit is 256."""
LOAD = Path("/proc/loadavg")


async def crowded(leader: int, most: int) -> None:
    """Ends when `leader` has more than `most` descendants, or those have `THREADS` times as many threads.

    The whole machine's count is looked at first, which costs next to nothing.
    """
    calm = _all()
    while True:
        await asyncio.sleep(EVERY_S)
        if _all() - calm > most // 2:
            family = descendants(leader)
            if len(family) > most or sum(map(_threads, family)) > most * THREADS:
                return


def _threads(pid: int) -> int:
    try:
        return sum(1 for _ in os.scandir(f"/proc/{pid}/task"))
    except OSError:  # gone by now
        return 0


def _all() -> int:
    try:
        return int(LOAD.read_text(encoding="ascii").split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):  # no /proc here: then nobody can be counted either
        return 0
