"""What happens to a process: it dies at a named point, a turn of the loop or a moment, sleeps, is told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentctl.journal import lease
from tests.simulation.clock import Process
from tests.simulation.draw import Fate

if TYPE_CHECKING:
    from tests.simulation.runs import Run
    from tests.simulation.simulation import Simulation


def doom(simulation: Simulation, run: Run, process: Process, fate: Fate, frozen: asyncio.Event) -> None:
    """Let happen to the process what its fate says; `frozen` is set once somebody else may take the run over."""
    loop = simulation.loop

    def freeze() -> None:
        process.freeze()
        loop.call_later(fate.lasts, process.wake)
        if fate.lasts > lease.LEASE_S:
            loop.call_later(lease.LEASE_S + 1.0, frozen.set)

    def ring() -> None:
        if process.interrupt is not None:
            process.interrupt.ring(int(fate.what))

    def write() -> None:
        simulation.letters.append(asyncio.ensure_future(simulation.letter(run, fate.what)))

    def happen() -> None:
        if process.task is not None and not process.task.done():
            {"time": process.die, "freeze": freeze, "signal": ring, "letter": write}[fate.kind]()

    process.keeps = simulation.desk.settle if fate.keeps else None
    process.points = {fate.what: int(fate.at)} if fate.kind == "point" else {}
    process.dies_at_turn = int(fate.at) if fate.kind == "turn" else 0
    if fate.kind in {"time", "freeze", "signal", "letter"}:
        loop.call_later(fate.at, happen)
