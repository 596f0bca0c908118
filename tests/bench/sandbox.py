"""How many attacks each sandbox of this machine contains, and what a start costs.

    PYTHONPATH=. .venv/bin/python tests/bench/sandbox.py [--starts 30] [--no-attacks] [--json]

As an ordinary user: run it as one. It needs agentctl and the standard library alone, so the system's Python will do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from agentctl.core.policy import Sandbox
from agentctl.tools.sandbox import launch
from agentctl.tools.sandbox.box import UNBOXED, Box, open_box, run_boxed
from agentctl.tools.sandbox.probe import Found, probe
from tests.tools.sandbox.range import NAMES, attacked, harm, laid_out, targets_of


def backends() -> dict[str, Found]:
    """What there is here."""
    found = {"none": UNBOXED}
    best = probe()
    if best.backend == "bubblewrap":
        found["bubblewrap"] = best
    if launch.supported():
        found["landlock"] = Found("landlock", "", "forced")
    return found


def boxed(found: Found, work: Path) -> Box:
    """A box of one backend."""
    if found is UNBOXED:
        return Box(UNBOXED, work)
    return open_box(Sandbox(), work, (work / "policy.toml",), found=found)


async def lost(found: Found, name: str) -> bool:
    """Whether one attack won."""
    with tempfile.TemporaryDirectory(prefix="range-") as folder:
        work = laid_out(Path(folder))
        with targets_of(work) as targets:
            ended = await attacked(boxed(found, work), name, targets)
            if name == "stays":
                await asyncio.sleep(2)
            return b'"won": true' in ended.stdout or bool(harm(targets))


async def starts(found: Found, times: int) -> float:
    """Median milliseconds of a program that does nothing."""
    with tempfile.TemporaryDirectory(prefix="range-") as folder:
        box = boxed(found, laid_out(Path(folder)))
        took: list[float] = []
        for _ in range(times + 1):
            began = time.perf_counter()
            await run_boxed(box, ["true"], {"PATH": "/usr/bin:/bin"}, b"", 10)
            took.append(time.perf_counter() - began)
    return statistics.median(took[1:]) * 1000


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--no-attacks", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = {}
    for name, found in backends().items():
        won = [] if given.no_attacks else [each for each in NAMES if await lost(found, each)]
        rows[name] = {"lost": won, "of": len(NAMES), "start_ms": round(await starts(found, given.starts), 1)}
    if given.json:
        print(json.dumps(rows))
        return
    print(f"uid {os.getuid()}")
    for name, row in rows.items():
        contained = "-" if given.no_attacks else f"{row['of'] - len(row['lost'])}/{row['of']}"
        print(f"{name:12} contained {contained:6} start {row['start_ms']} ms   lost: {', '.join(row['lost'])}")


if __name__ == "__main__":
    asyncio.run(main())
