"""One run of a simulation, and all that was seen of it."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentctl.core.events import Stamped
from agentctl.core.messages import Outcome
from agentctl.core.setup import Setup
from agentctl.core.state import State
from agentctl.runner.order import Result
from tests.simulation.clock import Process, here
from tests.simulation.draw import RunCase
from tests.simulation.provider import Mind

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


@dataclasses.dataclass(frozen=True)
class Decision:
    """What the core was asked, and what it said: to be asked again of the journal."""

    process: Process | None
    seq: int
    seam: Callable[..., Any]
    args: tuple[Any, ...]
    """Without the state."""
    said: Any


@dataclasses.dataclass(frozen=True)
class Life:
    """One drive, and how it ended."""

    process: Process
    result: Result | None
    error: BaseException | None
    took: float

    @property
    def ending(self) -> str:
        """In one word."""
        if self.result is not None:
            return self.result.status
        return "dead" if self.process.dead else "frozen" if self.error is None else type(self.error).__name__


class Run:
    """One run, and all that was seen of it."""

    def __init__(self, case: RunCase, index: int, simulation: Simulation) -> None:
        self.case, self.index, self.simulation = case, index, simulation
        self.dice = random.Random(f"run {case.seed}")
        self.mind = Mind(random.Random(f"mind {case.seed}"), case.tools, case.talkative, case.dear)
        self.run_id = ""
        self.told: list[tuple[Process | None, Stamped, State]] = []
        self.moments: list[tuple[Process | None, float]] = []
        """When each of them was told, in virtual seconds."""
        self.notes: list[str] = []
        self.lives: list[Life] = []
        self.decisions: list[Decision] = []
        self.outcomes: list[tuple[Process | None, Outcome]] = []
        self.zombies: list[asyncio.Task[Any]] = []
        self.plan = simulation.planned(self)

    # What a listener is told.

    def event(self, stamped: Stamped, state: State) -> None:
        process = here()
        if process is not None and process.dead:
            return
        self.run_id = stamped.run_id
        self.told.append((process, stamped, state))
        self.moments.append((process, self.simulation.loop.time()))
        self.simulation.auditor(self, stamped, state)

    def delta(self, delta: Any) -> None: ...

    def progress(self, at: Any) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def witnessed(seam: Callable[..., Any]) -> Callable[..., Any]:
    """A seam whose decisions are remembered."""

    def decide(setup: Setup, state: Any, *args: Any) -> Any:
        said = seam(setup, state, *args)
        process: Any = here()
        if process is not None and not process.dead:
            seq = state.seq if isinstance(state, State) else 0
            given = (setup, *args) if isinstance(state, State) else (setup, state, *args)
            process.run.decisions.append(Decision(process, seq, seam, given, said))
        return said

    return decide
