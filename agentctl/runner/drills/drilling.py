"""Drills played one after the other, and what is found.

A drill that fails is played again with each remedy of its own: the key that is named as the one that would have held is
one that was seen to hold.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from agentctl.config.problems import invalid
from agentctl.core.policy import Policy
from agentctl.errors import AgentctlError, Invalid, Problem
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.registry import Drill
from agentctl.rehearsal.drills.scene import Change, Finding, Seen, Skip
from agentctl.runner.drills.altering import with_change
from agentctl.runner.drills.limiting import OverrunError, within
from agentctl.runner.drills.preparing import Alter, prepared
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.drills.stage import Prepared, Stage, under
from agentctl.runner.order import Order
from agentctl.runner.plan import unchanged

LIMIT_S = 120.0
"""Real seconds that a drill may take, with all its remedies."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a drill."""

    drill: Drill
    passed: bool | None
    """None: it does not apply."""
    observed: str
    fix: str = ""
    """The key and the value that would have held, as they stand in a policy; else what would help."""
    cost_usd: float = 0.0
    """At the stand-in: what it would have cost."""
    duration_s: float = 0.0
    """That it took."""
    waited_s: float = 0.0
    """That would have passed without skipping."""
    seen: Seen | None = None
    store: str = ""
    """Where its runs are."""


class Watcher(Protocol):
    """Whoever watches the drills. Must return at once and never raise."""

    def begun(self, drill: Drill, number: int, of: int) -> None:
        """One begins."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """One has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be drilled."""

    order: Order
    drills: tuple[Drill, ...]
    folder: Path
    """Where the stores of the drills go; it is there and empty."""
    seed: int = 0
    real_tools: bool = False
    alter: Alter = unchanged
    mend: bool = True
    """Whether a drill that fails is played again with its remedies."""
    report: Callable[[Exception], str] = repr
    """Writes down a defect in a drill; what a person is told of it."""


def run(wanted: Wanted, watcher: Watcher) -> list[Outcome]:
    """Play them all, in their order.

    Raises:
        Invalid: with everything that is wrong with task, policy or variables.
    """
    with asyncio.Runner(loop_factory=Skipping) as runner:
        return runner.run(_all(wanted, watcher))


async def _all(wanted: Wanted, watcher: Watcher) -> list[Outcome]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Skipping)  # noqa: S101 -- made by `run`
    outcomes: list[Outcome] = []
    at = prepared(wanted.order, wanted.folder, loop, wanted.alter, seed=wanted.seed, real_tools=wanted.real_tools)
    async with at as (ready, ground):
        _refuse(ground, wanted.drills)
        for number, drill in enumerate(wanted.drills, 1):
            watcher.begun(drill, number, len(wanted.drills))
            outcome = await _safely(ready, ground, drill, wanted, loop)
            watcher.ended(outcome)
            outcomes.append(outcome)
    return outcomes


def _refuse(ground: Ground, drills: Iterable[Drill]) -> None:
    """Drills of the user's own must fit the task, before anything is played.

    Raises:
        Invalid: with everything that does not.
    """
    problems: list[Problem] = []
    for drill in drills:
        if drill.file:
            try:
                drill.scene(ground)
            except Invalid as error:
                problems += error.problems
    if problems:
        raise invalid(problems)


async def _safely(ready: Prepared, ground: Ground, drill: Drill, wanted: Wanted, loop: Skipping) -> Outcome:
    """One drill. Whatever goes wrong in it, the others are played."""
    began, then = time.monotonic(), loop.time()
    try:
        with within(loop, LIMIT_S):
            return await _one(ready, ground, drill, wanted, loop)
    except OverrunError:
        observed = f"it did not end within {LIMIT_S:.0f} s"
    except AgentctlError as error:
        observed = error.message
    except Exception as error:  # noqa: BLE001 -- a defect: it is reported, and fails this drill alone
        observed = wanted.report(error)
    return Outcome(
        drill, passed=False, observed=observed, duration_s=time.monotonic() - began, waited_s=loop.time() - then
    )


async def _one(ready: Prepared, ground: Ground, drill: Drill, wanted: Wanted, loop: Skipping) -> Outcome:
    folder = wanted.folder
    began, then = time.monotonic(), loop.time()
    played = await _played(ready, ground, drill, folder, loop, drill.name)
    if isinstance(played, Skip):
        return Outcome(drill, None, played.why)
    finding, seen = played
    waited = loop.time() - then
    fix = "" if finding.held or not wanted.mend else await _fix(ready, ground, drill, folder, loop, finding)
    return Outcome(
        drill,
        finding.held,
        finding.observed,
        fix,
        sum(client.cost_usd for client in seen.clients),
        time.monotonic() - began,
        waited,
        seen,
        f"sqlite:///{(folder / drill.name / 'drill.db').absolute()}",
    )


async def _played(
    ready: Prepared, ground: Ground, drill: Drill, folder: Path, loop: Skipping, name: str
) -> tuple[Finding, Seen] | Skip:
    scene = drill.scene(ground)
    if isinstance(scene, Skip):
        return scene
    seen = await Stage(ready, scene, folder, name, loop).play()
    return drill.judge(ground, seen), seen


async def _fix(ready: Prepared, ground: Ground, drill: Drill, folder: Path, loop: Skipping, finding: Finding) -> str:
    """The first remedy that is seen to hold; where none does alone, one with one for what stood behind it."""
    behind: list[tuple[Change, Policy, Finding]] = []
    async for change, policy, found in _tried(ready, ground, drill, folder, loop, finding.remedies, "fix"):
        if found.held:
            return str(change)
        if found.remedies != finding.remedies:
            behind.append((change, policy, found))
    for number, (first, policy, found) in enumerate(behind, 1):
        at = replace(ground, setup=under(ready.plan, policy).setup)
        async for change, _, last in _tried(ready, at, drill, folder, loop, found.remedies, f"fix{number}and"):
            if last.held:
                return f"{first} and {change}"
    return finding.advice


async def _tried(
    ready: Prepared,
    ground: Ground,
    drill: Drill,
    folder: Path,
    loop: Skipping,
    remedies: Iterable[Change],
    name: str,
) -> AsyncIterator[tuple[Change, Policy, Finding]]:
    """What becomes of the drill with each of these keys changed; those that already say so are passed over."""
    for number, change in enumerate(remedies, 1):
        policy = with_change(ground.policy, change)
        if policy == ground.policy:
            continue
        mended = replace(ready, plan=under(ready.plan, policy))
        other = replace(ground, setup=mended.plan.setup)
        played = await _played(mended, other, drill, folder, loop, f"{drill.name}.{name}{number}")
        if not isinstance(played, Skip):
            yield change, policy, played[0]
