"""How many attacks each sandbox of this machine contains, and what a start costs.

    PYTHONPATH=. .venv/bin/python tests/bench/sandbox.py [--starts 30] [--no-attacks] [--json] [--table]

As an ordinary user: run it as one. It needs agentctl and the standard library alone, so the system's Python will do.
`--table`, as root: every attack, against no sandbox, ours, and ours without user namespaces, as root and as a user.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from agentctl.core.policy import Sandbox
from agentctl.tools.sandbox import launch
from agentctl.tools.sandbox.box import UNBOXED, Box, run_boxed
from agentctl.tools.sandbox.opening import open_box
from agentctl.tools.sandbox.probe import Found, probe
from tests.tools.sandbox.range import NAMES, attacked, harm, laid_out, targets_of, typed

TYPING = "typing"
ALL = (*NAMES, TYPING)
CALLED = {"none": "none", "bubblewrap": "ours", "landlock": "ours, no userns"}
ROOT = Path(__file__).resolve().parents[2]


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
    if name == TYPING:
        with tempfile.TemporaryDirectory(prefix="range-") as folder:
            return typed(boxed(found, laid_out(Path(folder))))
    with tempfile.TemporaryDirectory(prefix="range-") as folder:
        work = laid_out(Path(folder))
        with targets_of(work) as targets:
            ended = await attacked(boxed(found, work), name, targets)
            if name == "stays":
                await asyncio.sleep(2)
            return b'"won": true' in ended.stdout or bool(harm(targets))


SYSTEM = "/usr/bin/python3"
NOBODY = 65534


def as_user(*flags: str) -> dict[str, dict[str, Any]]:
    """What this program says with `--json` to an ordinary user: a copy, and the system's Python, that all can read."""
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o777)
        for name in ("agentctl", "tests/tools", "tests/bench"):
            shutil.copytree(ROOT / name, Path(open_to_all, name), ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["chmod", "-R", "a+rX", open_to_all], check=True)
        done = subprocess.run(
            [SYSTEM, "-B", "tests/bench/sandbox.py", "--json", *flags],
            cwd=open_to_all,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": open_to_all},
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return json.loads(done.stdout)


def table(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Attack by attack, what each box made of it: `WON`, or a dot where it was contained."""
    columns = [(user, name) for user in rows for name in rows[user]]
    width = max(len(name) for name in ALL) + 2
    lines = ["attack".ljust(width) + "".join(f"{user} {CALLED[name]}".ljust(24) for user, name in columns)]
    for attack in ALL:
        marks = ["WON" if attack in rows[user][name]["lost"] else "." for user, name in columns]
        lines.append(attack.ljust(width) + "".join(mark.ljust(24) for mark in marks))
    held = [f"{len(ALL) - len(rows[user][name]['lost'])}/{len(ALL)}" for user, name in columns]
    took = [f"{rows[user][name]['start_ms']} ms" for user, name in columns]
    for head, cells in (("contained", held), ("start", took)):
        lines.append(head.ljust(width) + "".join(cell.ljust(24) for cell in cells))
    return "\n".join(lines)


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
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    for name, found in backends().items():
        won = [] if given.no_attacks else [each for each in ALL if await lost(found, each)]
        rows[name] = {"lost": won, "of": len(ALL), "start_ms": round(await starts(found, given.starts), 1)}
    if given.table:
        users = {"root": rows, "user": as_user("--starts", str(given.starts))} if os.getuid() == 0 else {"user": rows}
        print(table(users))
        return
    if given.json:
        print(json.dumps(rows))
        return
    print(f"uid {os.getuid()}")
    for name, row in rows.items():
        contained = "-" if given.no_attacks else f"{row['of'] - len(row['lost'])}/{row['of']}"
        print(f"{name:12} contained {contained:6} start {row['start_ms']} ms   lost: {', '.join(row['lost'])}")


if __name__ == "__main__":
    asyncio.run(main())
