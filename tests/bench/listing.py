"""`agentctl runs` with many runs in the store: the whole command, against the interpreter alone and an empty store.

    .venv/bin/python -m tests.bench.listing [RUNS] [TIMES]

The commands are started in turns, once unmeasured; printed are medians in milliseconds. The query alone is asked in
this process.
"""

# ruff: noqa: T201  # it prints its figures

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agentctl.core.events import Stamped, Thought
from agentctl.journal import events, lease, runs
from agentctl.journal.events import Change, Draft
from agentctl.journal.runs import NewRun
from agentctl.journal.store import Store, open_store
from tests.bench.writers import grounds

EACH = 3
"""Events of a run."""
AT_ONCE = 500
STATES = ("completed", "completed", "completed", "failed", "parked", "stopped")


def fill(store: Store, wanted: int) -> None:
    """So many runs, some minutes apart, that have been driven and let go."""

    def make(tx: object, numbers: range) -> None:
        for number in numbers:
            name, created = f"r_{number:010x}", time.time() - (wanted - number) * 300
            runs.create(tx, NewRun(name, f"s_{number // 4}", f"user{number % 7}", f"task-{number % 20}", "{}", created))
            epoch = lease.take(tx, name, lease.new_owner(), created)
            thoughts = [
                Stamped(name, seq, "s_1", 1, created + seq, Thought("word " * 20)) for seq in range(1, EACH + 1)
            ]
            draft = Draft.of(thoughts)
            draft.pack(store.blobs)
            change = Change(status=STATES[number % len(STATES)], cost_micro=number, steps=EACH)
            events.append(tx, epoch, draft, change, created)
            lease.release(tx, name, epoch)

    for first in range(0, wanted, AT_ONCE):
        store.write(lambda tx, first=first: make(tx, range(first, min(first + AT_ONCE, wanted))))


def timed(command: list[str], env: dict[str, str]) -> float:
    """Milliseconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def query_ms(url: str, keys: Path, limit: int) -> float:
    """Milliseconds of the question alone, at the median."""
    taken = []
    with open_store(url, seal_dir=keys) as store:
        for _ in range(20):
            began = time.perf_counter()
            store.runs(limit=limit)
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def measured(folder: Path, url: str, wanted: int, times: int) -> dict[str, float]:
    """The medians by what was done."""
    env = {**os.environ, "AGENTCTL_HOME": str(folder)}
    # Installed programs are compiled: so is what is measured, whatever this shell says of bytecode.
    env |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    agentctl = str(Path(sys.executable).parent / "agentctl")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "agentctl --version": [agentctl, "--version"],
        "agentctl runs": [agentctl, "runs", "--store", url],
        f"agentctl runs --limit {wanted}": [agentctl, "runs", "--limit", str(wanted), "--store", url],
        f"... --limit {wanted} --json": [agentctl, "runs", "--limit", str(wanted), "--json", "--store", url],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _, (name, command) in itertools.product(range(times + 1), commands.items()):
        taken[name].append(timed(command, env))
    found = {name: statistics.median(each[1:]) for name, each in taken.items()}
    found |= {f"the query, {limit:,} rows": query_ms(url, folder, limit) for limit in (50, wanted)}
    return found


def main(wanted: int = 10_000, times: int = 9) -> None:
    """Print a table per kind of store."""
    for kind, at in grounds():
        with tempfile.TemporaryDirectory() as name:
            url = at or f"sqlite:///{name}/agentctl.db"
            with open_store(url, seal_dir=Path(name)) as store:
                fill(store, wanted)
            found = measured(Path(name), url, wanted, times)
        print(f"--- {kind}, {wanted:,} runs; ms, and how often an interpreter starts meanwhile")
        bare = found["python -c pass"]
        print(*(f"{name:<34}{taken:>9.1f}{taken / bare:>8.2f}" for name, taken in found.items()), sep="\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
