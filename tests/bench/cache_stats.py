"""What `cache stats` takes over a store of 10,000 runs: 12 events and 4 model calls each, system prompts of 32 KB.

PYTHONPATH=. .venv/bin/python tests/bench/cache_stats.py
"""

# ruff: noqa: T201  # it prints its figures

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS, CALLS = 10_000, 4


def filled(path: Path) -> None:
    from agentctl.core import events as e
    from agentctl.core.messages import Usage
    from agentctl.journal import bodies, codec, schema
    from agentctl.journal.store import open_store

    with open_store(f"sqlite:///{path}", seal_dir=path.parent) as store:
        system = "".join(f"Rule {number}: be careful with case {number * 7919}. " for number in range(800))[:32_000]
        started = {
            number: codec.encode(
                e.RunStarted(
                    f"task{number}", "p", "d", "ada", "", "goal", f"{number}{system}", 8_000, 9, {"look": "d"},
                    prefix=f"{number}", prefix_system=f"{number}", prefix_tools="t",
                )
            )
            for number in range(7)
        }  # fmt: skip
        text = "The answer is long enough to matter, as answers are. " * 12
        reply = codec.encode(
            e.ModelReplied(
                "anthropic", "anthropic||claude-sonnet-4-6", "claude-sonnet-4-6", Usage(90, 200, 8_000, 150), 4_000,
                900, "tool_use", text, (), "answer", 200,
            )
        )  # fmt: skip
        tool = codec.encode(e.ToolStarted("c1.1", "look", {"id": "x" * 200}, "safe", 1, effect=False, timeout_s=5.0))

        def work(tx):
            for number in range(RUNS):
                run_id, ts = f"r_{number:010x}", 1_000_000.0 + number
                tx.execute(
                    "INSERT INTO runs(run_id, session_id, user_id, tenant_id, task, status, created, updated)"
                    " VALUES(?, 's', 'ada', '', ?, 'completed', ?, ?)", (run_id, f"task{number % 7}", ts, ts),
                )  # fmt: skip
                rows = [started[number % 7], *[reply, tool, tool] * CALLS]
                tx.executemany(
                    "INSERT INTO events VALUES(?, ?, 1, ?, 's', 1, ?, ?, ?, ?, NULL)",
                    [
                        (run_id, seq, ts + seq / 100, tag, version, *bodies.pack(path.parent / "blobs", data))
                        for seq, (tag, version, data) in enumerate(rows, 1)
                    ],
                )

        store.write(work)
        assert schema.VERSION


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        filled(path)
        print(f"{path.stat().st_size / 1e6:,.0f} MB")
        for flags in ([], ["--since", "7d"], ["task1"]):
            best = 9.9e9
            for _ in range(3):
                begun = time.perf_counter()
                command = [sys.executable, "-m", "agentctl", "cache", "stats", *flags, "--store", f"sqlite:///{path}"]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ})
                best = min(best, time.perf_counter() - begun)
            print(f"cache stats {' '.join(flags)}: {best:.2f} s")


if __name__ == "__main__":
    main()
