"""Many runs in one process: bounded, apart from each other, and stopped together."""

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager

import pytest
import tomli_w

from agentctl.core.events import ModelAsked, ToolFinished
from agentctl.errors import Invalid, Usage
from agentctl.rehearsal.script import Call, Reply, Script, ScriptUsage
from agentctl.rehearsal.server import StandIn
from agentctl.runner import api, drive, many
from agentctl.runner.order import Order

USAGE = ScriptUsage(input=100, output=10)
LOOK = Reply(text="I look.", calls=(Call("whoami", {}),), usage=USAGE)
DONE = Reply(text="Done.", usage=USAGE)


class Ear:
    def __init__(self, watch, job):
        self.watch, self.job = watch, job

    def event(self, stamped, state):
        self.watch.events.append((self.job, stamped))
        for act in self.watch.cues:
            act(stamped)

    def delta(self, delta):
        pass

    def progress(self, at):
        pass

    def note(self, text):
        self.watch.notes.append(text)


class Watch:
    def __init__(self, *cues):
        self.cues = cues
        self.events, self.notes, self.outcomes = [], [], []
        self.running = self.most = 0

    def begun(self, job):
        self.running += 1
        self.most = max(self.most, self.running)
        return Ear(self, job)

    def ended(self, outcome):
        self.running -= outcome.result is not None or outcome.error is not None
        self.outcomes.append(outcome)


class Desk:
    """A task for everybody, a policy for each: its base URL tells the stand-in who asks."""

    def __init__(self, folder, standin):
        self.folder, self.standin = folder, standin
        folder.mkdir(exist_ok=True)
        tool = {
            "name": "whoami",
            "description": "Who runs this.",
            "command": ["sh", "-c", 'cat >/dev/null; echo "\\"$AGENTCTL_RUN_ID\\""'],
            "parameters": {"type": "object", "properties": {}},
            "side_effects": "none",
        }
        task = {"version": 1, "name": "desk", "goal": "Serve customer {{who}}.", "tools": [tool]}
        task["vars"] = {"who": {"required": True, "pattern": "[a-z0-9-]+"}, "pin": {"secret": True, "default": "-"}}
        self.task = folder / "task.toml"
        self.task.write_text(tomli_w.dumps(task))

    def order(self, number, **changes):
        policy = self.folder / f"policy{number}.toml"
        provider = {
            "name": "main", "sdk": "anthropic", "model": "claude-sonnet-4-6", "key_env": "DESK_KEY",
            "base_url": self.standin.base_url("main", "anthropic", f"n{number}") if self.standin else "http://127.0.0.1:9",
            "price": {"input": 3.0, "output": 15.0},
        }  # fmt: skip
        tables = {"pace": {"enabled": False}, "retry": {"base_delay_s": 0.01, "jitter": False}}
        policy.write_text(tomli_w.dumps({"version": 1, "providers": [provider], **tables}))
        given = {"variables": {"who": f"customer-{number}-x"}, "user": "ada"} | changes
        return Order(self.task, policy=str(policy), **given)

    def jobs(self, count):
        return [many.Job(self.order(number), "desk") for number in range(count)]


@asynccontextmanager
async def desk_of(tmp_path, monkeypatch, *replies):
    monkeypatch.setenv("DESK_KEY", "sk-desk-1234567890")
    async with StandIn(Script(reply=replies or (LOOK, DONE)), keep_bodies=True) as standin:
        yield Desk(tmp_path / "desk", standin)


async def run_all(jobs, watch, parallel=20):
    return await many.run_all(jobs, watch, store=None, parallel=parallel)


@pytest.mark.timeout(60)
async def test_twenty_side_by_side_and_nobody_sees_another(tmp_path, monkeypatch):
    """A76, D07: no request, event or answer of a run holds a word of another one."""
    async with desk_of(tmp_path, monkeypatch) as desk:
        watch = Watch()
        jobs = desk.jobs(20)
        outcomes = await run_all(jobs, watch)
        seen = list(desk.standin.requests)

    assert [0] * 20 == [each.exit_code for each in outcomes]
    assert jobs == [each.job for each in outcomes]
    ids = [each.result.body["run_id"] for each in outcomes]
    assert 20 == len(set(ids)) == len({each.result.body["session_id"] for each in outcomes})
    assert 1 < watch.most <= 20
    for number, run_id in enumerate(ids):
        asked = [json.dumps(each.body) for each in seen if each.run == f"n{number}"]
        assert 2 == len(asked)
        others = [f"customer-{n}-x" for n in range(20) if n != number] + [each for each in ids if each != run_id]
        assert all(f"customer-{number}-x" in body for body in asked)
        assert run_id in asked[1]
        assert [] == [word for word in others if any(word in body for body in asked)]
        with api.open_journal(None) as journal:
            told = journal.events(run_id)
        assert {run_id} == {each.event.result["data"] for each in told if isinstance(each.event, ToolFinished)}
        assert [] == [word for word in others if any(word in repr(each.event) for each in told)]
        assert told == [stamped for job, stamped in watch.events if job is jobs[number]]


async def test_no_more_than_asked_for_run_at_a_time_and_in_their_order(tmp_path, monkeypatch):
    async with desk_of(tmp_path, monkeypatch, DONE) as desk:
        watch = Watch()
        outcomes = await run_all(desk.jobs(6), watch, parallel=2)

    assert watch.most == 2
    assert [f"customer-{n}-x" for n in range(6)] == [each.job.order.variables["who"] for each in outcomes]
    alone = Watch()
    async with desk_of(tmp_path, monkeypatch, DONE) as desk:
        jobs = desk.jobs(3)
        await run_all(jobs, alone, parallel=1)
    assert jobs == [each.job for each in alone.outcomes]


async def test_one_that_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    async with desk_of(tmp_path, monkeypatch, DONE) as desk:
        jobs = desk.jobs(3)
        broken = many.Job(desk.order(1), "desk")
        real = api.run

        async def run(order, **more):
            if order is broken.order:
                raise ZeroDivisionError("sk-desk-1234567890")
            return await real(order, **more)

        monkeypatch.setattr(api, "run", run)
        outcomes = await run_all([jobs[0], broken, jobs[2]], Watch(), parallel=1)

    assert [0, 1, 0] == [each.exit_code for each in outcomes]
    assert "ZeroDivisionError" in outcomes[1].error.report
    assert many.exit_code(outcomes) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_pauses_those_that_run_and_starts_no_more(tmp_path, monkeypatch, number, code):
    slow = Reply(text="Slowly.", usage=USAGE, delay_s=30)
    async with desk_of(tmp_path, monkeypatch, slow) as desk:
        asked = 0

        def ring(stamped):
            nonlocal asked
            asked += isinstance(stamped.event, ModelAsked)
            if asked == 3:
                os.kill(os.getpid(), number)

        outcomes = await run_all(desk.jobs(8), Watch(ring), parallel=3)
        asked = -100

        assert [code] * 8 == [each.exit_code for each in outcomes]
        assert ["paused"] * 3 == [each.result.status for each in outcomes if each.result]
        assert many.exit_code(outcomes) == code
        with api.open_journal(None) as journal:
            assert ["paused"] * 3 == [row.status for row in journal.runs()]
            assert [""] * 3 == [row.owner for row in journal.runs()]
    assert drive._listening == {}
    assert not asyncio.get_running_loop().remove_signal_handler(number)


async def test_who_begins_after_the_signal_pauses_at_once():
    from agentctl.runner.world import Interrupt

    first, late = Interrupt(), Interrupt()
    with drive.signals(first):
        first.ring(130)
        with drive.signals(late):
            assert late.code == 130
    assert drive._listening == {}


def outcome(code):
    class Ended:
        exit_code = code

    return Ended()


@pytest.mark.parametrize(
    ("codes", "speaks"),
    [([0, 0], 0), ([0, 12, 10], 12), ([10, 12], 10), ([10, 130, 130], 130), ([3, 0, 143], 143), ([], 0)],
)
def test_the_code_that_speaks_for_all(codes, speaks):
    assert many.exit_code([outcome(code) for code in codes]) == speaks


def test_everything_wrong_is_told_before_anything_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_KEY", "sk-desk-1234567890")
    desk = Desk(tmp_path / "desk", None)
    order = desk.order(0, variables={})
    lines = [(1, {"who": "ok"}), (3, {"who": "NOT"}), (4, {}), (7, {"who": "ok", "whom": "x"})]
    with pytest.raises(Invalid) as told:
        many.jobs([order], lines, "orders.jsonl")

    assert [("orders.jsonl", 3), ("orders.jsonl", 4), ("orders.jsonl", 7)] == [
        (each.file, each.line) for each in told.value.problems
    ]
    found = many.jobs([order, order], [(1, {"who": "a"}), (2, {"who": "b"})], "orders.jsonl")
    assert [(1, "a"), (2, "b")] * 2 == [(job.line, job.order.variables["who"]) for job in found]
    with pytest.raises(Usage):
        many.jobs([desk.order(0, max_usd=99.0)], lines, "x")


def test_a_secret_in_a_line_is_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_KEY", "sk-desk-1234567890")
    desk = Desk(tmp_path / "desk", None)
    text = (
        desk.task.read_text().replace("secret = true", 'secret = true\npattern = "[0-9]{4}"').replace('"-"', '"1234"')
    )
    desk.task.write_text(text)
    with pytest.raises(Invalid) as told:
        many.jobs([desk.order(0)], [(1, {"pin": "hunter2"})], "orders.jsonl")

    assert "hunter2" not in told.value.message
