"""What `stats` takes over a store of 10,000 runs with some 20 events each, against just reading their rows.

    PYTHONPATH=. .venv/bin/python tests/bench/stats.py [RUNS]

Printed are the best of three: reading the wanted rows as they are, gathering the figures, the whole command.
"""

# ruff: noqa: T201  # it prints its figures

import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.core.stats import KINDS
from agentctl.journal import bodies, codec
from agentctl.journal.codec import TAGS
from agentctl.journal.histories import Which
from agentctl.journal.store import open_store
from agentctl.runner import statistics

DAY_S = 86_400
TOOLS = ("get_order_status", "search_orders", "send_refund", "read_file")
STATES = [("completed", "done")] * 17 + [("stopped", "run_usd"), ("failed", "providers"), ("parked", "approval")]


def events_of(number: int) -> list[e.Event]:
    """Twenty events: four steps with a call each, some of them retried, asked about, looping."""
    system = "Be careful. " * 400
    rows: list[e.Event] = [e.RunStarted(f"task{number % 7}", "p", "d", "ada", "", "goal", system, 8_000, 9, {})]
    for step in range(6):
        tool, call = TOOLS[(number + step) % 4], f"c{step + 1}.1"
        failed = (number + step) % 23 == 0
        usage = Usage(90, 200 + number % 50, 8_000 if step else 0, 0 if step else 8_150)
        asked = () if step == 5 else (e.CallProposed(call, "w", tool, {"id": "x" * 100}, "k"),)
        rows.append(
            e.ModelReplied(
                "anthropic" if number % 9 else "openai", "i", "m", usage, 4_000 + number % 3_000, 900 + number % 800,
                "tool_use", "The answer is long enough to matter, as answers are. " * 6, asked, "answer", 200,
            )
        )  # fmt: skip
        if step == 5:
            continue
        if tool == "send_refund" and number % 3 == 0:
            rows.append(e.ApprovalRequested(call, tool, "high", "risk", "d" * 64, {"id": 1}))
            rows.append(e.ApprovalDecided(call, "approve", "ada" if number % 2 else "bob", 1.5 + number % 60, "", "d"))
        rows.append(e.ToolStarted(call, tool, {"id": "x" * 100}, "safe", 1, effect=False, timeout_s=5.0))
        status = "error" if failed else "success"
        data = {"status": status, "data": {"rows": ["some text that a tool said"] * (20 if number % 4 else 200)}}
        rows.append(
            e.ToolFinished(
                call, tool, status, "transient" if failed else None, failed, 80 + number % 400, data, 100, key="k"
            )
        )
        if failed:
            rows.append(e.Retried(1, 0.5))
    if number % 11 == 0:
        rows.append(e.Waited("minute", 4.0, provider="anthropic"))
    status, reason = STATES[number % len(STATES)]
    rows.append(e.Completed(status, reason, 0, 16_000, "answer"))
    return rows


def fill(url: str, keys: Path, runs: int) -> None:
    """So many runs, over the last week."""
    with open_store(url, seal_dir=keys) as store:
        kinds = [[codec.encode(event) for event in events_of(number)] for number in range(500)]
        now = time.time()

        def work(tx, numbers):
            for number in numbers:
                run_id, ts = f"r_{number:010x}", now - 6.9 * DAY_S * (runs - number) / runs
                status, _ = STATES[number % len(STATES)]
                cost, user, task = 16_000 + number % 12_000, f"user{number % 30}", f"task{number % 7}"
                tx.execute(
                    "INSERT INTO runs(run_id, session_id, user_id, tenant_id, task, status, cost_micro, steps, created,"
                    " updated, policy) VALUES(?, ?, ?, ?, ?, ?, ?, 6, ?, ?, 'p')",
                    (run_id, f"s{number // 3}", user, f"t{number % 3}", task, status, cost, ts, ts + 30 + number % 90),
                )
                tx.executemany(
                    "INSERT INTO events VALUES(?, ?, 1, ?, 's', ?, ?, ?, ?, ?, NULL)",
                    [
                        (run_id, seq, ts + seq, seq // 5 + 1, tag, version, *bodies.pack(store.blobs, data))
                        for seq, (tag, version, data) in enumerate(kinds[number % 500], 1)
                    ],
                )

        for first in range(0, runs, 500):
            store.write(lambda tx, first=first: work(tx, range(first, min(first + 500, runs))))


def rows_alone(path: Path) -> int:
    """Read the wanted rows as they are."""
    import sqlite3

    tags = [TAGS[kind] for kind in KINDS]
    with sqlite3.connect(path) as tx:
        among = ", ".join("?" * len(tags))
        rows = tx.execute(
            f"SELECT run_id, seq, ts, step, type, v, form, data FROM events WHERE type IN ({among})", tags
        )
        return sum(1 for _ in rows)


def best(work) -> float:
    """Seconds of the best of three."""
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def main(runs: int = 10_000) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        url = f"sqlite:///{path}"
        fill(url, Path(folder), runs)
        read = best(lambda: rows_alone(path))
        print(f"{runs:,} runs, {path.stat().st_size / 1e6:,.0f} MB; {rows_alone(path):,} rows read alone: {read:.2f} s")
        fold = best(lambda: statistics.gathered(Which(), url, lambda *_: None))
        print(f"gathered: {fold:.2f} s, {fold / read:.1f} times that")
        tracemalloc.start()
        statistics.gathered(Which(), url, lambda *_: None)
        print(f"at most {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB at a time")
        for flags in ([], ["--by", "run", "--json"], ["--task", "task1"]):
            command = [sys.executable, "-m", "agentctl", "stats", *flags, "--store", url]
            whole = best(lambda c=command: subprocess.run(c, check=True, stdout=subprocess.DEVNULL, env={**os.environ}))
            print(f"stats {' '.join(flags)}: {whole:.2f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
