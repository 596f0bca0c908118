"""The virtual clock: a day in seconds, and the same seed the same day."""

import asyncio
import dataclasses
import time

import pytest

from agentctl.core.events import Completed, ToolFinished
from agentctl.core.policy import Policy
from agentctl.rehearsal.script import Call, Reply
from tests.play import MAIN
from tests.simulation.audit import Audit
from tests.simulation.clock import Desk, VirtualLoop
from tests.simulation.draw import Case, Fate, draw
from tests.simulation.simulation import Simulation

DAY = 86_400.0


def seen(seed: int) -> list[tuple[object, ...]]:
    simulation = Simulation(draw(seed), Audit())
    simulation.auditor.simulation = simulation  # type: ignore[attr-defined]
    simulation.run()
    return [
        (stamped.run_id, stamped.seq, stamped.ts, type(stamped.event))
        for run in simulation.runs
        for _, stamped, _ in run.told
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_is_the_same_simulation_every_time(seed: int):
    assert seen(seed) == seen(seed)


def test_time_passes_only_while_nothing_can_be_done():
    loop = VirtualLoop(Desk(lambda: 0.0))

    async def sleeps() -> list[float]:
        moments = []
        for seconds in (3600.0, 0.0, 0.25):
            await asyncio.sleep(seconds)
            moments.append(loop.time())
        return moments

    assert [3600.0, 3600.0, 3600.25] == loop.run_until_complete(sleeps())
    loop.close()


def test_what_waits_for_nothing_that_will_ever_come_is_an_error():
    loop = VirtualLoop(Desk(lambda: 0.0))

    with pytest.raises(AssertionError, match="nothing will come"):
        loop.run_until_complete(loop.create_future())
    loop.close()


def a_day() -> Case:
    """A run whose every tool call takes hours."""
    policy = Policy(providers=(MAIN,))
    policy = dataclasses.replace(
        policy,
        budget=dataclasses.replace(
            policy.budget, max_wall_s=2 * DAY, max_steps=500, run_usd=500.0, max_tool_errors=500
        ),
        loops=dataclasses.replace(policy.loops, enabled=False),
        progress=dataclasses.replace(policy.progress, enabled=False),
        pace=dataclasses.replace(policy.pace, enabled=False),
    )
    run = dataclasses.replace(
        draw(0).runs[0],
        policy=policy,
        windows={"main": None},
        starts=0.0,
        fails=0.0,
        slow=0.0,
        fates=(Fate("signal", "143", DAY),),
        lives=1,
        steps=(),
        wants_json=False,
    )
    return Case(seed=1, runs=(run,), weather={}, jumps=(), latency=0.0, window=None, caps={})


def test_a_run_of_a_day_ends_in_seconds(monkeypatch: pytest.MonkeyPatch):
    """E18: its lease is kept all the time, and the journal holds all of it."""
    audit = Audit()
    simulation = Simulation(a_day(), audit)
    audit.simulation = simulation
    (run,) = simulation.runs

    async def for_an_hour(self: object, call: object) -> object:
        await asyncio.sleep(3_600)
        from agentctl.core.envelope import success

        return success(simulation.loop.time())

    monkeypatch.setattr("tests.simulation.tools.Simulated.run", for_an_hour)
    monkeypatch.setattr(run.mind, "reply", lambda: Reply(calls=(Call("look", {"q": 1}),)))
    began = time.process_time()
    simulation.run()

    assert DAY <= simulation.loop.time() <= DAY + 7_200
    assert 20 <= sum(isinstance(stamped.event, ToolFinished) for _, stamped, _ in run.told)
    assert isinstance(run.told[-1][1].event, Completed)
    assert ("paused", 143) == (run.lives[0].ending, run.lives[0].result.exit_code)  # type: ignore[union-attr]
    assert time.process_time() - began < 60
