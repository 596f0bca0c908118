"""What one flush to this disk takes: agentctl makes one before each request, a bare loop makes none."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

TIMES = 60
PAGES = 3 * 8192
"""About what one durable commit writes."""


def flush_ms(folder: Path) -> float:
    """Milliseconds from an append to its being on the disk, at the median."""
    taken: list[float] = []
    with (folder / "flush.bin").open("ab", buffering=0) as file:
        for _ in range(TIMES):
            file.write(os.urandom(PAGES))
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.002)
    return statistics.median(taken)
