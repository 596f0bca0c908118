"""How many processes a call has: counted from outside, because no limit of the kernel's holds for root."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agentctl.tools.killing import descendants

EVERY_S = 0.05
LOAD = Path("/proc/loadavg")


async def crowded(leader: int, most: int) -> None:
    """Ends when `leader` has more than `most` descendants.

    The whole machine's count is looked at first, which costs next to nothing.
    """
    calm = _all()
    while True:
        await asyncio.sleep(EVERY_S)
        if _all() - calm > most // 2 and len(descendants(leader)) > most:
            return


def _all() -> int:
    try:
        return int(LOAD.read_text(encoding="ascii").split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):  # no /proc here: then nobody can be counted either
        return 0
