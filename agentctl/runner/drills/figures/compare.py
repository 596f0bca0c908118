"""The comparison: five figures of a task under its policy, beside the same with every `enabled = false`. C88, C09-C13

What a policy has no switch for stays in both columns: the list of providers, timeouts, and that errors are values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from agentctl.core.policy import Policy
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Seen
from agentctl.rehearsal.script import FaultKind
from agentctl.runner.drills.altering import naive
from agentctl.runner.drills.drilling import Wanted
from agentctl.runner.drills.figures import peak, recovery, rows, sight, stability, tolerance
from agentctl.runner.drills.figures.column import Column, searched
from agentctl.runner.drills.figures.row import Comparison
from agentctl.runner.drills.preparing import Alter, prepared
from agentctl.runner.drills.skipping import Skipping

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played."""

    each: int = recovery.EACH
    """Runs of each kind of error."""
    turns: int = stability.TURNS
    window: int = stability.WINDOW
    """Tokens that the model of the long run reads."""
    spoiled: tuple[FaultKind, ...] = peak.SPOILED
    """What befalls clients at the peak, and is billed."""


FULL = Size()


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of one column."""

    recovered: list[recovery.Recovered]
    peak: peak.Peak
    stable: stability.Stable | None
    outage: tolerance.Tolerance
    single: float | None
    """The share of clients who fail where the first provider is the only one."""
    sights: list[sight.Sight]

    @property
    def seen(self) -> Sequence[Seen]:
        """All that was played and kept."""
        kept = [one.seen for one in self.recovered] + [self.peak.seen, self.outage.seen]
        return kept if self.stable is None else [*kept, self.stable.seen]


def compare(wanted: Wanted, tell: Tell, size: Size = FULL) -> Comparison:
    """Measure both columns, the naive one first. `tell` hears what is being measured.

    Raises:
        Invalid: with everything that is wrong with task, policy or variables.
    """
    with asyncio.Runner(loop_factory=Skipping) as runner:
        return runner.run(_both(wanted, tell, size))


async def _both(wanted: Wanted, tell: Tell, size: Size) -> Comparison:
    began = time.monotonic()

    def off(policy: Policy) -> Policy:
        return naive(wanted.alter(policy))

    async with AsyncExitStack() as stack:
        without = await _column(stack, wanted, "naive", off)
        within = await _column(stack, wanted, "resilient", wanted.alter)
        bad = await measured(without, tell, size, single=True)
        good = await measured(within, tell, size)
    both = (bad, good)
    cost = sum(client.cost_usd for one in both for seen in one.seen for client in seen.clients)
    found = (
        rows.recovery_row(bad.recovered, good.recovered),
        rows.peak_row(bad.peak, good.peak),
        rows.stability_row(bad.stable, good.stable),
        rows.outage_row(bad.outage, good.outage, bad.single),
        rows.sight_row(bad.sights, good.sights),
    )
    return Comparison(found, time.monotonic() - began, cost)


async def _column(stack: AsyncExitStack, wanted: Wanted, name: str, alter: Alter) -> Column:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Skipping)  # noqa: S101 -- made by `compare`
    folder = wanted.folder / f"{name}-servers"
    folder.mkdir()
    order, seed, real = wanted.order, wanted.seed, wanted.real_tools
    ready, ground = await stack.enter_async_context(prepared(order, folder, loop, alter, seed=seed, real_tools=real))
    return Column(name, ready, ground, wanted.folder, loop)


async def measured(column: Column, tell: Tell, size: Size, *, single: bool = False) -> Measured:
    """One column."""
    tell(f"{column.name}: error recovery")
    recovered = await recovery.measured(column, size.each)
    tell(f"{column.name}: cost at peak")
    at_peak = await peak.measured(column, size.spoiled)
    tell(f"{column.name}: context stability")
    target = searched(column.ground)
    stable = None if target is None else await stability.measured(column, target, size.turns, size.window)
    tell(f"{column.name}: outage")
    outage = await tolerance.measured(column)
    lonely = await tolerance.alone(column) if single else None
    tell(f"{column.name}: observability")
    sights = await sight.measured(column, recovered, outage.seen, None if stable is None else stable.seen)
    return Measured(recovered, at_peak, stable, outage, lonely, sights)
