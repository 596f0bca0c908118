"""What an outage costs its users: runs with the primary's circuit open, against runs that know the fallback alone.

    PYTHONPATH=. .venv/bin/python tests/bench/outage.py [--runs 60] [--replies 0,0.25]

Both ask the same stand-in, in a process of its own, in turns. Medians of whole runs of two steps in milliseconds, and
their ratio, per delay of each reply in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.books.work import Deaf

PROVIDER = """
[[providers]]
name = "{name}"
sdk = "anthropic"
model = "{name}"
priority = {priority}
base_url = "http://127.0.0.1:{port}/p/{name}/r/{run}"
price = {{ input = 3.0, output = 15.0 }}
"""
RULES = """version = 1
[circuit]
recovery_s = 3600.0
[retry]
max_attempts = 1
[pace]
enabled = false
"""


def script(delay_s: float) -> str:
    """The primary is down; the fallback reads a note and answers."""
    usage = "usage = { input = 900, output = 20 }"
    return (
        '[[fault]]\nkind = "status"\nstatus = 529\nprovider = "first"\n'
        f'[[reply]]\ntext = "Reading."\n{usage}\ndelay_s = {delay_s}\n'
        'calls = [{ tool = "read_file", args = { path = "note.txt" } }]\n'
        f'[[reply]]\ntext = "Done."\n{usage}\ndelay_s = {delay_s}\n'
    )


def policy(folder: Path, port: int, names: tuple[str, ...], run: str) -> str:
    """A policy with these providers; the path of the base URL tells the stand-in whose turn it is."""
    path = folder / f"policy-{run}.toml"
    # The primary's address never changes, so that its circuit is one.
    tables = [
        PROVIDER.format(name=name, priority=number, port=port, run=run if name == "second" else "all")
        for number, name in enumerate(names, 1)
    ]
    path.write_text(RULES + "".join(tables))
    return str(path)


async def timed(folder: Path, port: int, runs: int) -> dict[str, list[float]]:
    """Seconds of each run of either kind."""
    from agentctl.runner import api
    from agentctl.runner.order import Order

    taken: dict[str, list[float]] = {"warm": [], "open": [], "alone": []}
    store = f"sqlite:///{folder / 'bench.db'}"
    kinds = {"open": ("first", "second"), "alone": ("second",)}
    turns = [("warm", kinds["open"])] * 6 + [(name, of) for _ in range(runs) for name, of in kinds.items()]
    for number, (kind, names) in enumerate(turns):
        order = Order(folder / "task.toml", policy=policy(folder, port, names, f"{number}x{time.time_ns()}"))
        began = time.perf_counter()
        result = await api.run(order, store=store, listener=Deaf(), approver=None)
        taken[kind].append(time.perf_counter() - began)
        if result.exit_code:
            raise SystemExit(f"a run ended with {result.exit_code}: {result.message}")
    return taken


def played(folder: Path, delay_s: float, runs: int) -> dict[str, list[float]]:
    """One delay, against a stand-in of its own."""
    (folder / "note.txt").write_text("The quick brown fox.\n")
    (folder / "script.toml").write_text(script(delay_s))
    (folder / "task.toml").write_text(
        'version = 1\nname = "bench"\nsystem = "You read notes."\ngoal = "Read the note."\n'
        '[[tools]]\nuse = "builtin:read_file"\n'
    )
    command = [sys.executable, "-m", "agentctl.rehearsal.server", str(folder / "script.toml")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        return asyncio.run(timed(folder, port, runs))
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """A line per delay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--replies", default="0,0.25")
    given = parser.parse_args()
    os.environ["ANTHROPIC_API_KEY"] = "bench-key"
    for delay_s in map(float, given.replies.split(",")):
        with tempfile.TemporaryDirectory() as name:
            os.environ["AGENTCTL_HOME"] = name
            taken = played(Path(name), delay_s, given.runs)
        opened, alone = (statistics.median(taken[kind]) * 1e3 for kind in ("open", "alone"))
        figures = f"{opened:.1f} ms with the circuit open, {alone:.1f} ms without, ratio {opened / alone:.3f}"
        sys.stdout.write(f"replies after {delay_s:g} s: {figures}\n")


if __name__ == "__main__":
    main()
