"""Many runs side by side: one process, one event loop, one store, at most so many at a time, begun in their order.

Rules. What is wrong with any of them is told before the first one begins. One that fails does not stop the others. A
signal starts no more and pauses those that run. Nobody sits here to be asked: the policy's `non_interactive` decides.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from agentctl.config import task
from agentctl.config.problems import invalid
from agentctl.config.task import LoadedTask
from agentctl.errors import AgentctlError, Defect, Invalid, Problem
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.runner import api, plan
from agentctl.runner.drive import signals
from agentctl.runner.order import Listener, Order, Result
from agentctl.runner.stores import open_journal
from agentctl.runner.world import Interrupt


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be started, and where it is asked for."""

    order: Order
    task: str
    """The task's name."""
    line: int = 0
    """Of the file of variables; 0: there is none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: a result, what kept it from one, or neither: it was not begun."""

    job: Job
    result: Result | None = None
    error: AgentctlError | None = None
    signal: int = 0
    """The exit code of the signal that came first."""

    @property
    def exit_code(self) -> int:
        """The code that this run alone would have ended with."""
        if self.result is not None:
            return self.result.exit_code
        return self.signal if self.error is None else self.error.exit_code


class Watcher(Protocol):
    """Whoever watches them all. Must return at once and never raise."""

    def begun(self, job: Job) -> Listener:
        """A job begins: who listens to it."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A job has ended."""
        ...


def jobs(
    orders: Sequence[Order], lines: Sequence[tuple[int, dict[str, str]]], source: str, known: Sequence[Problem] = ()
) -> list[Job]:
    """Each task with each line of variables, checked as far as that goes without starting anything.

    Line 0 is none: there is no file of variables. `known` is what is wrong with it already.

    Raises:
        Invalid: with every problem of every task and every line.
    """
    problems = list(known)
    found: list[Job] = []
    for order in orders:
        try:
            loaded = plan.make(order).task
        except Invalid as error:
            if not error.problems:
                raise
            problems += error.problems
            continue
        for line, values in lines:
            given = replace(order, variables={**order.variables, **values}, listed=tuple(values))
            problems += _misfits(loaded, given, line, source)
            found.append(Job(given, loaded.task.name, line))
    if problems:
        raise invalid(problems)
    return found


def _misfits(loaded: LoadedTask, order: Order, line: int, source: str) -> Iterator[Problem]:
    """What is wrong with the variables, told where they stand."""
    try:
        task.fill(loaded, order.variables)
    except Invalid as error:
        for each in error.problems:
            yield Problem(source, line, 1, each.key, each.message, each.suggestion) if line else each


async def run_all(todo: Sequence[Job], watcher: Watcher, *, store: str | None, parallel: int) -> list[Outcome]:
    """Run them, at most `parallel` at a time; what became of each, in the order of the jobs."""
    outcomes: dict[int, Outcome] = {}
    interrupt = Interrupt()
    waiting = iter(enumerate(todo))

    async def work() -> None:
        for number, job in waiting:
            outcome = Outcome(job, signal=interrupt.code) if interrupt.code else await _one(job, watcher, journal)
            outcomes[number] = outcome
            watcher.ended(outcome)

    with signals(interrupt), open_journal(store) as journal:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(parallel, len(todo))):
                workers.create_task(work())
    return [outcomes[number] for number in range(len(todo))]


async def _one(job: Job, watcher: Watcher, store: Store) -> Outcome:
    (came,) = await asyncio.gather(_run(job, watcher, store), return_exceptions=True)
    match came:
        case AgentctlError():
            return Outcome(job, error=came)
        case Exception():  # a defect of one must not take the others with it
            return Outcome(job, error=Defect(type(came).__name__, "".join(traceback.format_exception(came))))
        case BaseException():
            raise came
        case result:
            return Outcome(job, result)


async def _run(job: Job, watcher: Watcher, store: Store) -> Result:
    return await api.run(job.order, store=store, listener=watcher.begun(job), approver=None)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The signal's where one came; else 0 where all ended with 0, else the first other one, in the order asked for."""
    codes = [each.exit_code for each in outcomes]
    return next((code for code in codes if code in {130, 143}), next((code for code in codes if code), 0))
