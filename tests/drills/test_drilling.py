"""How drills are played: what breaks in one ends that one, and nothing hangs."""

import asyncio
import signal
import threading
import time

import pytest

from agentctl.core import envelope
from agentctl.errors import Invalid
from agentctl.rehearsal.drills.registry import DRILLS, Drill
from agentctl.rehearsal.drills.scene import Act, Scene, Skip, held
from agentctl.rehearsal.script import Reply
from agentctl.runner.drills import drilling
from agentctl.runner.drills.drilling import Wanted, run
from agentctl.runner.order import Order


class Watching:
    def __init__(self):
        self.said = []

    def begun(self, drill, number, of):
        self.said.append((drill.name, number, of))

    def ended(self, outcome):
        self.said.append((outcome.drill.name, outcome.passed))


def simple(ground):
    return Scene((Act(ground.script()),))


def fine(_, seen):
    return held(f"{len(seen.requests)} request")


def broken(_, __):
    raise KeyError("nobody thought of this")


FINE, BROKEN = Drill("fine", "nothing", simple, fine), Drill("broken", "nothing", simple, broken)


@pytest.fixture
def play(demo, tmp_path):
    def play(*drills, **more):
        folder = tmp_path / f"drills-{time.monotonic_ns()}"
        folder.mkdir()
        watching = Watching()
        return run(Wanted(Order(demo / "task.toml"), drills, folder, **more), watching), watching.said

    return play


def test_a_drill_that_breaks_is_named_fails_and_the_others_are_played(play):
    outcomes, said = play(BROKEN, FINE, report=lambda error: f"a defect: {error}")

    assert [(False, "a defect: 'nobody thought of this'"), (True, "1 request")] == [
        (each.passed, each.observed) for each in outcomes
    ]
    assert said == [("broken", 1, 2), ("broken", False), ("fine", 2, 2), ("fine", True)]


def test_a_drill_that_does_not_end_is_ended(play, monkeypatch):
    """Its time is real time: the loop's own clock skips."""
    monkeypatch.setattr(drilling, "LIMIT_S", 0.3)

    async def forever(*_):
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(drilling, "_one", forever)
    began = time.monotonic()
    outcomes, _ = play(FINE, FINE)

    assert [(False, "it did not end within 0 s")] * 2 == [(each.passed, each.observed) for each in outcomes]
    assert time.monotonic() - began < 60


def test_ctrl_c_ends_it_at_once(play, monkeypatch):
    async def forever(*_):
        threading.Timer(0.2, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT]).start()
        await asyncio.sleep(0)
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(drilling, "_one", forever)
    with pytest.raises(KeyboardInterrupt):
        play(FINE, FINE)


def test_ctrl_c_in_the_middle_of_a_run_ends_the_drill_and_fails_no_run_of_it(play):
    """It was rung to the runs that were under way: they paused, and the policy was blamed for it."""

    def rings(_, __):
        signal.raise_signal(signal.SIGINT)
        return envelope.success({})

    def scene(ground):
        target = ground.reader()
        return Scene((Act(ground.script(Reply(calls=(target.call(),))), {target.name: rings}),))

    with pytest.raises(KeyboardInterrupt):
        play(Drill("rung", "nothing", scene, fine), FINE)


def test_what_does_not_apply_says_why(play):
    ((outcome,), _) = play(Drill("no", "nothing", lambda _: Skip("the task has no tools"), fine))

    assert (None, "the task has no tools", 0.0) == (outcome.passed, outcome.observed, outcome.cost_usd)


def test_nothing_is_played_of_a_task_that_is_none(demo, tmp_path):
    (demo / "task.toml").write_text("version = 1\n")

    with pytest.raises(Invalid):
        run(Wanted(Order(demo / "task.toml"), (FINE,), tmp_path), Watching())


def test_the_same_seed_tells_the_same(play):
    drill = next(each for each in DRILLS if each.name == "slow-tool")

    (one,), _ = play(drill, seed=3)
    (two,), _ = play(drill, seed=3)

    assert one.observed == two.observed
