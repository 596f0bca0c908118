"""Simulations by hand: `python -m tests.simulation SEED [COUNT]`; one alone is told event by event."""

from __future__ import annotations

import sys
import time
import traceback

from tests.simulation.judge import Broken, Tally, simulate
from tests.simulation.runs import Life
from tests.simulation.simulation import Simulation


def main(first: int, count: int) -> int:
    """Run so many seeds from `first` on; 1 where one of them broke something."""
    tally, began, bad = Tally(), time.monotonic(), 0
    for seed in range(first, first + count):
        try:
            simulate(seed, tally, tell if count == 1 else None)
        except Broken as broken:
            bad += 1
            say(broken)
            if count == 1:
                traceback.print_exc()
        if (seed - first + 1) % 1_000 == 0:
            say(f"{tally}, {bad} broken")
    say(f"{tally}, {bad} broken, {time.monotonic() - began:.1f} s")
    return min(bad, 1)


def say(text: object) -> None:
    """One line, at once: whoever waits for a hundred thousand runs wants to see what breaks."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(simulation: Simulation) -> None:
    """Everything that was seen, run by run."""
    say(f"{simulation.case.weather}\n{simulation.case.jumps} {simulation.case.caps} {simulation.case.latency}")
    for run in simulation.runs:
        say(f"\n=== {run.run_id} {run.case}")
        for process, stamped, _ in run.told:
            say(f"{name(process)} {stamped.seq:4} {stamped.ts - 1_700_000_000:.3f} {str(stamped.event)[:260]}")
        for life in run.lives:
            say(f"{name(life.process)}: {life.ending} {life.took:.1f} s {ended(life)}")
        for tried in simulation.outside.tries:
            if tried.run_id == run.run_id:
                done = simulation.outside.effects.get((run.run_id, tried.call_id), [])
                say(f"tried {tried.call_id} {tried.tool} at {tried.at:.3f}; done {len(done)} times")


def name(process: object) -> str:
    """As short as can be."""
    return str(getattr(process, "name", process))


def ended(life: Life) -> str:
    """Why a life was over."""
    return f"{life.result.reason} {life.result.message}" if life.result is not None else repr(life.error)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
