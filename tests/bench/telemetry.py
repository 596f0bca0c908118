"""What a collector costs a run: `.venv/bin/python -m tests.bench.telemetry [--steps 200] [--rounds 4]`.

The run of `steps.py`, off, with a collector that takes everything, with one that hangs and with one that is not there,
in turns in one process; of each step the fastest counts. Collector and stand-in have processes of their own. Printed:
the median step and its ratio to off, and how long the end of the run took, from its last event to its result.
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

from tests.bench.steps import Clocked, gaps, lay_out, script

COLLECTOR = """
import sys, time
sys.path.insert(0, {root!r})
from tests.telemetry.receiver import receiving
with receiving() as good, receiving() as bad:
    bad.hangs.set()
    print(good.port, bad.port, flush=True)
    while True:
        time.sleep(1)
        good.got.clear()
"""


class Ended(Clocked):
    """Also when the last event came."""

    last = 0.0

    def event(self, stamped: object, state: object) -> None:
        """Note the time."""
        super().event(stamped, state)
        self.last = time.perf_counter()


async def run(task: Path, url: str) -> tuple[list[float], float]:
    """The gaps between requests in milliseconds, and the seconds after the last event."""
    from agentctl.runner import api
    from agentctl.runner.order import Order

    policy = task.parent / "chat.toml"
    policy.write_text(f'{policy.read_text()}[telemetry]\notlp_endpoint = "{url}"\n')
    seen = Ended()
    order = Order(task, policy=str(policy))
    result = await api.run(order, store=f"sqlite:///{task.parent / 'bench.db'}", listener=seen, approver=None)
    if result.exit_code:
        raise SystemExit(f"the run ended with {result.exit_code}: {result.message}")
    return gaps(seen.at), time.perf_counter() - seen.last


def measured(folder: Path, port: int, urls: dict[str, str], steps: int, rounds: int) -> None:
    """Every way in turns, and a line for each."""
    found: dict[str, list[list[float]]] = {name: [] for name in urls}
    ends: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(rounds):
        for name, url in urls.items():
            steps_ms, end_s = asyncio.run(run(lay_out(folder, steps, port, "chat"), url))
            found[name].append(steps_ms)
            ends[name].append(end_s)
    best = {name: [min(values) for values in zip(*runs, strict=True)] for name, runs in found.items()}
    off = statistics.median(best["off"])
    whole = {name: min(sum(values) for values in runs) for name, runs in found.items()}
    for name, values in best.items():
        middle = statistics.median(values)
        end = f"the end took {ends[name][0]:.2f} s, then at most {max(ends[name][1:], default=0):.2f} s"
        sys.stdout.write(f"{name:8} {middle:6.2f} ms per step, {middle / off:.2f} of off, ")
        sys.stdout.write(f"{whole[name] / whole['off']:.2f} over the fastest whole run; {end}\n")


def main() -> None:
    """Start both servers, and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "bench-key"
    root = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AGENTCTL_HOME"] = name
        (folder / "script.toml").write_text(script(given.steps))
        played = [sys.executable, "-m", "agentctl.rehearsal.server", str(folder / "script.toml")]
        listening = [sys.executable, "-c", COLLECTOR.format(root=root)]
        with (
            subprocess.Popen(played, stdout=subprocess.PIPE, text=True) as standin,
            subprocess.Popen(listening, stdout=subprocess.PIPE, text=True) as collector,
        ):
            try:
                port = json.loads(standin.stdout.readline())["port"]
                good, bad = collector.stdout.readline().split()
                urls = {"off": "", "taken": f"http://127.0.0.1:{good}", "hanging": f"http://127.0.0.1:{bad}"}
                measured(folder, port, urls | {"gone": "http://127.0.0.1:1"}, given.steps, given.rounds)
            finally:
                standin.terminate()
                collector.terminate()


if __name__ == "__main__":
    main()
