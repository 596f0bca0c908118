"""Run simulations by seed, and say of a broken one how to run exactly it again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.audit import Audit
from tests.simulation.draw import draw
from tests.simulation.simulation import Simulation

COMMAND = "PYTHONPATH=. .venv/bin/python -m tests.simulation {seed}"
RUNS = int(os.environ.get("AGENTCTL_SIMULATIONS", "500"))
"""How many runs are simulated in all."""
PARTS = max(20, RUNS // 200)
SEEDS_APART = 1_000_000


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass
class Tally:
    """How much was simulated."""

    simulations: int = 0
    runs: int = 0
    drives: int = 0
    events: int = 0
    seconds: float = 0.0
    """Virtual ones."""

    def count(self, simulation: Simulation) -> None:
        """One more."""
        self.simulations += 1
        self.runs += len(simulation.runs)
        self.drives += sum(len(run.lives) for run in simulation.runs)
        self.events += sum(len(run.told) for run in simulation.runs)
        self.seconds += simulation.loop.time()


def simulate(seed: int, tally: Tally | None = None, tell: Callable[[Simulation], None] | None = None) -> Simulation:
    """One simulation, judged.

    Raises:
        Broken: naming the seed and the command that repeats it.
    """
    audit = Audit()
    simulation = Simulation(draw(seed), audit)
    audit.simulation = simulation
    simulation.judge = audit.at_the_end
    try:
        simulation.run()
    except Exception as error:
        what = f"simulation {seed}: {type(error).__name__}: {error}"
        raise Broken(f"{what}\nagain: {COMMAND.format(seed=seed)}") from error
    finally:
        if tell is not None:
            tell(simulation)
    if tally is not None:
        tally.count(simulation)
    return simulation


def part(number: int) -> Tally:
    """One of `PARTS` parts of all runs, each with seeds of its own."""
    tally, seed = Tally(), number * SEEDS_APART
    while tally.runs < RUNS / PARTS:
        simulate(seed, tally)
        seed += 1
    return tally
