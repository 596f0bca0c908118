"""What the shared books cost a call: `.venv/bin/python -m tests.bench.admission [--processes 1,20] [--calls 300]`.

A call asks circuit, minute and money in one durable transaction, and settles in another. Medians in milliseconds, as
the caller waits: at the rate of a busy machine (each process makes 5 calls a second), and as fast as they can.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from agentctl.core.guards.circuit import Rules
from agentctl.core.guards.pace import Demand
from agentctl.journal import admission
from agentctl.journal.admission import Granted, Request
from agentctl.journal.circuits import Ask
from agentctl.journal.ledger import Scope
from agentctl.journal.store import open_store
from tests.bench.disk import flush_ms

RATE_S = 0.2
SCOPES = (
    Scope("run_usd:r", 0, 1 << 50),
    Scope("user_daily_usd:ada", 86_400, 1 << 50),
    Scope("hourly_usd:store", 0, None),
)


def request(name: str) -> Request:
    """As a run makes it: three budgets, two windows, a circuit."""
    demands = (Demand("tokens_per_minute:p", 9_000, 1 << 50), Demand("usd_per_minute:p", 50_000, 1 << 50))
    return Request(
        name, name.partition(":")[0], 50_000, SCOPES, Ask("anthropic:m", Rules(), name, 60.0), demands, 120.0
    )


def member(folder: Path, number: int, calls: int, rest_s: float, start: float) -> tuple[list[float], list[float]]:
    """Seconds of each admission and of each settlement."""
    dice, asked, settled = random.Random(number), [], []
    with open_store(f"sqlite:///{folder}/bench.db", seal_dir=folder) as store:
        store.write(lambda _: None)
        time.sleep(max(0.0, start - time.time()))
        for count in range(calls):
            wanted = request(f"r{number}_{start:.0f}:{count}")
            began = time.perf_counter()
            answer = store.write(lambda tx, wanted=wanted: admission.admit(tx, wanted, time.time()), durable=True)
            asked.append(time.perf_counter() - began)
            assert isinstance(answer, Granted), answer
            began = time.perf_counter()
            store.write(lambda tx, wanted=wanted: admission.settle(tx, wanted.hold_id, 9_000, 1_200))
            settled.append(time.perf_counter() - began)
            if rest_s:
                time.sleep(rest_s * (0.5 + dice.random()))
    return asked, settled


def measured(folder: Path, processes: int, calls: int, rest_s: float) -> tuple[list[float], list[float], float]:
    """All members' seconds, and how many calls they made in one."""
    with open_store(f"sqlite:///{folder}/bench.db", seal_dir=folder):  # it is there before they come
        pass
    start, pids = time.time() + 0.5 + processes * 0.05, []
    for number in range(processes):
        pid = os.fork()
        if not pid:
            try:
                found = member(folder, number, calls, rest_s, start)
                (folder / f"{number}.json").write_text(json.dumps(found))
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    if any(os.waitpid(pid, 0)[1] for pid in pids):
        raise SystemExit("a member failed")
    took = time.time() - start
    both = [json.loads((folder / f"{number}.json").read_text()) for number in range(processes)]
    asked, settled = ([value for one in both for value in one[of]] for of in (0, 1))
    return asked, settled, processes * calls / took


def main() -> None:
    """A line per number of processes and rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", default="1,20")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    say = sys.stdout.write
    say(f"{'processes':>9} {'rate':<18}{'reserve':>9}{'99 %':>8}{'settle':>9}{'99 %':>8}{'both':>8}  ms, calls/s\n")
    for processes in map(int, given.processes.split(",")):
        for what, rest_s, share in (("5 a second each", RATE_S, 10), ("as fast as can be", 0.0, 1)):
            with tempfile.TemporaryDirectory(dir=given.folder) as name:
                asked, settled, rate = measured(Path(name), processes, max(20, given.calls // share), rest_s)
            middles = [statistics.median(values) * 1e3 for values in (asked, settled)]
            tails = [sorted(values)[int(len(values) * 0.99)] * 1e3 for values in (asked, settled)]
            cells = f"{middles[0]:>9.2f}{tails[0]:>8.2f}{middles[1]:>9.2f}{tails[1]:>8.2f}{sum(middles):>8.2f}"
            say(f"{processes:>9} {what:<18}{cells}  {rate:,.0f}\n")
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        say(f"of which one flush to this disk: {flush_ms(Path(name)):.2f} ms\n")


if __name__ == "__main__":
    main()
