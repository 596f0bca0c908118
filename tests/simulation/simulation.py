"""One simulation: a store, the runs on it, and everything that befalls them, on a clock that costs nothing.

The core, the runner, the journal and the ledger are the real ones. Stood in for are the clock, the dice, the SDKs, the
tools, the people and the machines that processes run on.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import itertools
import json
import random
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentctl.core.contract import Contract
from agentctl.core.events import Stamped
from agentctl.core.messages import Outcome, ToolSchema
from agentctl.core.policy import Provider
from agentctl.core.setup import Setup
from agentctl.core.state import State
from agentctl.core.task import Step
from agentctl.errors import AgentctlError, Forbidden, LeaseLost
from agentctl.journal import inbox, lease
from agentctl.journal.store import Store
from agentctl.runner import api, ask, calls, doubt, drive, loop, plan, reaping, recorder, starting
from agentctl.runner.order import Order, Raise, Result
from agentctl.runner.plan import Plan
from tests.laws.worlds import TOOLS
from tests.play import PRICE
from tests.simulation.blank import blank_plan, temporary_store
from tests.simulation.clock import PROCESS, Desk, Process, VirtualLoop, here
from tests.simulation.draw import Case, Fate
from tests.simulation.fates import doom
from tests.simulation.provider import KEY, Wired, handler
from tests.simulation.runs import Life, Run, witnessed
from tests.simulation.tools import EDITS, Habits, Knowing, Outside, Person, Simulated

PATIENCE = 10
"""How often somebody tries to go on with a run that another one drives."""


class Simulation:
    """See the module."""

    def __init__(self, case: Case, auditor: Callable[[Run, Stamped, State], None]) -> None:
        self.case, self.auditor = case, auditor
        self.dice = random.Random(f"world {case.seed}")
        self.outside = Outside()
        self.processes: list[Process] = []
        self.letters: list[asyncio.Task[None]] = []
        self.refusals: list[str] = []
        """What the stand-in would not take although nobody told it to."""
        self.broken: list[dict[str, Any]] = []
        """What the event loop complained of."""
        latency = case.latency
        self.desk = Desk(lambda: self.dice.uniform(0.0, latency) if latency else 0.0)
        self.loop = VirtualLoop(self.desk)
        self.loop.set_exception_handler(lambda _, context: self.broken.append(context))
        self.handler = handler(case.weather, self.loop.time, seed=case.seed & 0xFFFF, window=case.window)
        self._names = itertools.count(1)
        self.runs = [Run(each, index, self) for index, each in enumerate(case.runs)]
        self.store: Store
        self.judge: Callable[[], None] = lambda: None
        """Asked at the end, while the store is still there."""

    def run(self) -> None:
        """From the first run's start to the last one's end."""
        try:
            self._run()
        except LeaseLost:  # told at the end, of what a driver that had slept for too long still wanted to write
            if not any(process.froze for process in self.processes):
                raise

    def _run(self) -> None:
        with temporary_store(self.loop.wall) as self.store, pytest.MonkeyPatch.context() as patch:
            writer: Any = self.store._writer
            writer._jobs = self.desk
            self._stand_in(patch)
            try:
                self.loop.run_until_complete(self._all())
                self.desk.turn(float("inf"))
                self.judge()
            finally:
                self._unwind()

    async def _all(self) -> None:
        for at, by in self.case.jumps:
            self.loop.call_later(at, self._jump, by)
        await asyncio.gather(*(self._conduct(run) for run in self.runs))
        for process in self.processes:
            if process.frozen:
                process.wake()
        for run in self.runs:
            for task in run.zombies:
                await asyncio.wait({task})
        last = max((at for at, _ in self.case.jumps), default=0.0)
        await asyncio.sleep(max(0.0, last - self.loop.time()))
        await reaping.reap(self.store)  # at once, what stands under a lease that is not believed
        await asyncio.sleep(lease.LONGEST_S)
        await reaping.reap(self.store)

    def _jump(self, by: float) -> None:
        self.loop.offset += by

    def _unwind(self) -> None:
        """Whoever is still there when a simulation breaks off goes without a trace."""
        left = asyncio.all_tasks(self.loop)
        for process in self.processes:
            process.dead = True
            process.wake(self.loop)
        for task in left:
            task.cancel()
        with contextlib.suppress(AssertionError):
            self.loop.run_until_complete(_over(left))
        self.loop.close()

    # --- one run through all its lives ---

    async def _conduct(self, run: Run) -> None:
        await asyncio.sleep(run.case.starts)
        case = run.case
        order = Order(
            Path("simulated.toml"), f"simulated-{run.index}", user=case.user, tenant=case.tenant, session=case.session
        )

        def first() -> Coroutine[Any, Any, Result]:
            return api.run(order, store=self.store, listener=run, approver=self._person(run))

        life = await self._live(run, first, case.fates[0])
        for fate in case.fates[1:]:
            if not run.run_id or not self._goes_on(life):
                return
            await asyncio.sleep(run.dice.choice((0.0, 31.0, 31.0, 400.0)))
            await self._visit(run)
            raised = self._raise(run)

            def again(raised: Raise = raised) -> Coroutine[Any, Any, Result]:
                return api.resume(
                    run.run_id, raised, store=self.store, listener=run, approver=self._person(run), user="ada"
                )

            life = await self._live(run, again, fate)
            refused = 0
            while isinstance(life.error, Forbidden) and refused < PATIENCE:
                refused += 1
                await asyncio.sleep(lease.LEASE_S)
                life = await self._live(run, again, fate)
            driven = isinstance(life.error, Forbidden) and "is driven by" in life.error.message
            awake = any(not task.done() for task in run.zombies)
            assert awake or not driven, "nobody drives it"

    def _goes_on(self, life: Life) -> bool:
        if life.result is None:
            return life.process.dead or life.process.frozen
        return life.result.resume is not None

    def _raise(self, run: Run) -> Raise:
        dice = run.dice
        if dice.random() < 0.5:
            return Raise()
        return Raise(dice.choice((0.0, 0.05)), dice.choice((0, 2)), dice.choice((0, 5_000)))

    def _person(self, run: Run) -> Person | None:
        return None if run.case.there < 0 else Person(run.dice, run.case.there)

    async def _live(self, run: Run, work: Callable[[], Coroutine[Any, Any, Result]], fate: Fate) -> Life:
        process = Process(f"run {run.index} life {len(run.lives) + 1}")
        process.run = run
        self.processes.append(process)
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        began = self.loop.time()
        frozen = asyncio.Event()
        doom(self, run, process, fate, frozen)
        process.task = asyncio.create_task(work(), context=context)
        waiting = asyncio.create_task(frozen.wait())
        await asyncio.wait({process.task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        took = self.loop.time() - began
        if not process.task.done():
            run.zombies.append(process.task)
            life = Life(process, None, None, took)
        elif process.task.cancelled():
            life = Life(process, None, asyncio.CancelledError(), took)
        else:
            error = process.task.exception()
            life = Life(process, None if error else process.task.result(), error, took)
        run.lives.append(life)
        expected = isinstance(life.error, AgentctlError) or process.dead
        if life.error is not None and not expected:
            raise life.error
        return life

    # --- other terminals ---

    async def letter(self, run: Run, kind: Any, call_id: str = "", seq: int = 0, payload: str = "") -> None:
        """Leave a word for the run's driver."""
        if not run.run_id:
            return
        with contextlib.suppress(Forbidden):
            await self.store.submit(
                lambda tx: inbox.put(
                    tx,
                    run.run_id,
                    kind,
                    by="eve",
                    now=self.loop.wall(),
                    call_id=call_id,
                    asked_seq=seq,
                    payload=payload,
                )
            )

    async def _visit(self, run: Run) -> None:
        """Somebody answers from elsewhere what is asked, perhaps."""
        if not run.told or run.dice.random() < 0.3:
            return
        for call in run.told[-1][2].inflight.calls:
            if call.phase == "waiting":
                kind = run.dice.choice(("approve", "approve", "deny"))
                seq = call.asked_seq if run.dice.random() < 0.9 else call.asked_seq - 1
                edited = kind == "approve" and run.dice.random() < 0.2
                await self.letter(run, kind, call.call_id, seq, json.dumps(run.dice.choice(EDITS)) if edited else "")

    # --- what stands in ---

    def planned(self, run: Run) -> Plan:
        """The plan of a run, as files would have made it."""
        case = run.case
        habits = Habits(case.fails, case.slow)
        dice = random.Random(f"tools {case.seed}")
        tools: dict[str, Any] = {tool.name: Simulated(tool, self.outside, dice, habits) for tool in contracts()}
        found = {key: tool for tool in contracts() for key in (tool.name, tool.wire)}
        policy = case.policy
        setup = Setup(
            policy,
            found,
            {provider.name: PRICE for provider in policy.providers},
            case.windows,
            frozenset(provider.name for provider in policy.providers),
            no_json if case.wants_json else None,
            1,
        )
        blank, steps = blank_plan(), tuple(Step(tool, dict(args)) for tool, args in case.steps)
        task = dataclasses.replace(blank.task, task=dataclasses.replace(blank.task.task, steps=steps))
        schemas = tuple(ToolSchema(tool.wire, tool.description, tool.parameters) for tool in contracts())
        keys = {provider.name: KEY for provider in policy.providers}
        return dataclasses.replace(
            blank, task=task, policy=policy, digest=f"digest {run.index}", setup=setup, tools=tools, schemas=schemas,
            keys=keys,
        )  # fmt: skip

    def _stand_in(self, patch: pytest.MonkeyPatch) -> None:
        numbers = self._names
        patch.setattr(plan, "make", lambda order, **_: self.runs[int(order.policy.rpartition("-")[2])].plan)
        patch.setattr(drive, "open_model", self._open_model)
        patch.setattr(drive, "signals", signals)
        patch.setattr(drive, "random", SimpleNamespace(random=self.dice.random))
        patch.setattr(starting, "secrets", SimpleNamespace(token_hex=lambda _: f"{next(numbers):010x}"))
        patch.setattr(lease, "new_owner", lambda: f"host{next(numbers)}/boot/ns:7:0:{next(numbers)}")
        patch.setattr(recorder, "_awake_or_asleep", self.loop.time)
        patch.setattr(doubt, "asked", Knowing(self.outside, self.dice))
        for module in (ask, calls):
            patch.setattr(module, "failpoint", failpoint)
        for module, seam in ((loop, "next_action"), (calls, "before_tool"), (calls, "after_tool")):
            patch.setattr(module, seam, witnessed(getattr(module, seam)))

    def _open_model(self, provider: Provider, key: str, *, cache_ttl: str, tag: str, endpoint: str | None) -> Wired:
        del key, cache_ttl, endpoint
        process: Any = here()
        run: Run = process.run
        model = Wired(provider, self.handler, lambda outcome: self._came(run, outcome), self.refusals, tag)
        model.run = f"run{run.index}"
        self.handler.player.of[model.run] = run.mind  # type: ignore[attr-defined]
        return model

    def _came(self, run: Run, outcome: Outcome) -> None:
        process = here()
        if process is None or not process.dead:
            run.outcomes.append((process, outcome))


async def _over(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def failpoint(name: str) -> None:
    """In the place of the journal's: the process dies as its fate says."""
    if (process := here()) is not None:
        process.pass_point(name)


@contextlib.contextmanager
def signals(interrupt: Any) -> Iterator[None]:
    """In the place of the operating system's."""
    process = here()
    if process is not None:
        process.interrupt = interrupt
    yield


def no_json(text: str) -> str:
    """The shape that some answers must have."""
    return "" if text.startswith("{") else "It is not JSON."


def contracts() -> tuple[Contract, ...]:
    """The tools of every simulated run."""
    return TOOLS
