"""The alert rules against a store: each line crossed, and stayed just below, on both kinds of store."""

import asyncio
import base64
import secrets
import threading

import pytest

from agentctl.core import events as e
from agentctl.core.alerts import RECENT_S, Finding
from agentctl.core.guards.approval import Rules as Approval
from agentctl.core.guards.budget import Rules as Budget
from agentctl.core.messages import Usage
from agentctl.core.policy import Alerts, Policy
from agentctl.journal import incidents, ledger
from agentctl.journal.events import Change
from agentctl.journal.ledger import Scope
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store
from agentctl.runner import alerting
from tests.journal import server
from tests.journal.conftest import unguarded
from tests.telemetry.conftest import Hook, dead

MORNING = 1_790_000_000.0 // 86_400 * 86_400 + 9 * 3_600.0
DAY = 86_400.0
IDENTITY = "anthropic||claude-sonnet-4-6"


class World:
    """A store with a clock that is set, and runs written into it as they went."""

    def __init__(self, url, folder):
        self.url, self.now = url, MORNING
        self.journal = open_store(url, seal_dir=folder, clock=lambda: self.now)
        self.count = 0
        self.task = "errand"

    def run(
        self, *events, task="", ago=0.0, seconds=1.0, usd=0.0, status="completed", reason="done", before=0.0, **more
    ):
        """A run that ended so long ago; its id. `before`: seconds from its events to its end."""
        self.count += 1
        task = task or self.task
        run_id, then = f"r_{self.count:010x}", self.now
        self.now = then - ago - seconds
        begun = e.RunStarted(task, "p", "d", "ada", "", "g", "", 1, 1, {}, **more)
        asyncio.run(self._write(run_id, task, [begun, *events], seconds, usd, status, reason, before, **more))
        self.now = then
        return run_id

    async def _write(self, run_id, task, events, seconds, usd, status, reason, before, rehearsed=False):
        await self.journal.create_run(NewRun(run_id, f"s_{run_id}", "ada", task, "{}", self.now, rehearsed=rehearsed))
        epoch = await self.journal.take(run_id, "tests:1:1:x")
        self.now += seconds
        at = self.now - before
        stamped = [e.Stamped(run_id, seq, f"s_{run_id}", 1, at, event) for seq, event in enumerate(events, 1)]
        await self.journal.append(epoch, stamped, Change(status, reason, round(usd * 1e6), 1), durable=True)
        if status != "running":
            await self.journal.release(run_id, epoch)

    def spend(self, key, start, usd, limit):
        def work(tx):
            ledger.reserve(
                tx, f"h{self.count}", "r_x", round(usd * 1e6), [Scope(key, int(start), None, round(limit * 1e6))]
            )
            ledger.settle(tx, f"h{self.count}", round(usd * 1e6))

        self.count += 1
        self.journal.write(work)

    def check(self, policy=None, **how):
        return alerting.check(self.journal, policy or Policy(), **how)

    def open(self, policy=None, **how):
        return sorted(row.incident.rule for row in self.check(policy, **how).rows)


on_both = pytest.mark.parametrize("kind", ["sqlite", "postgres"])


@pytest.fixture
def kind():
    return "sqlite"


@pytest.fixture
def world(kind, request, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/agentctl.db"
    if kind == "postgres":
        server.or_skip(request.node)
        monkeypatch.setenv("AGENTCTL_SEAL_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        url = server.database()
    made = World(url, tmp_path / "keys")
    yield made
    made.journal.close()


def result(tool="look", status="success", **more):
    return e.ToolFinished("c1", tool, status, "permanent" if status == "error" else None, False, 5, {"s": 1}, 1, **more)


def replied(read, prompt):
    usage = Usage(input=prompt - read, output=1, cache_read=read)
    return e.ModelReplied("anthropic", IDENTITY, "claude-sonnet-4-6", usage, 0, 1, "end_turn", "", (), "answer", 1)


def tools(world, above):
    bad = [result(status="error")] * (3 if above else 2)
    unseen = [result(status="error", final=False), result(status="error", ran=False)]
    world.run(*bad, *[result()] * (7 if above else 8), *unseen, ago=200)
    world.run(*[result(status="error")] * 9, ago=500)  # before the window


def midday(world, above):
    world.spend("user_daily_usd:ada", MORNING - 9 * 3_600, 8.01 if above else 8.0, 10.0)
    world.spend("user_daily_usd:bob", MORNING - 9 * 3_600 - DAY, 9.0, 10.0)  # yesterday's


def hour(world, above):
    world.spend("hourly_usd:store", MORNING, 8.01 if above else 8.0, 10.0)


def slow(world, above):
    baseline(world)
    world.run(ago=60, seconds=50.5 if above else 50.0, usd=0.01)


def stuck(world, above):
    """It still runs."""
    baseline(world)
    world.run(status="running", reason="", seconds=50.5 if above else 50.0)


def dear(world, above):
    baseline(world)
    world.run(ago=60, seconds=1, usd=0.5001 if above else 0.5)


def injected(world, above):
    """Seven days of one each six hours: less than one a window, so that the floor counts."""
    for number in range(1, 25):
        world.run(e.InjectionSuspected("mail", "role", "c1"), ago=number * 6 * 3_600.0)
    world.run(*[e.InjectionSuspected("mail", "role", "c1")] * (4 if above else 3), ago=10)


def failing(world, above):
    world.run(status="failed" if above else "stopped", reason="providers" if above else "run_usd", ago=60)
    world.run(status="failed", reason="check", ago=RECENT_S + 60)


def crashing(world, above):
    """Its driver is gone without a word."""
    world.run(status="running", reason="", ago=100 if above else 1)


def waiting(world, above):
    world.run(status="parked", reason="approval", ago=300.5 if above else 300)
    world.run(status="parked", reason="unknown_outcome", ago=900)


def cold(world, above):
    world.run(*[replied(49 if above else 50, 100)] * 100, ago=60)
    world.run(*[replied(0, 100)] * 99, task=f"{world.task} other", ago=60)


def baseline(world):
    """Five completed runs of the task, and others that are none of it."""
    for number in range(5):
        world.run(ago=DAY * (number + 1), seconds=10.0, usd=0.1)
        world.run(ago=DAY, seconds=0.1, usd=0.0001, task="quick")
        world.run(ago=DAY, seconds=0.1, usd=0.0001, status="failed", reason="check")
    world.run(ago=8 * DAY, seconds=0.1, usd=0.0001)


SCRIPTS = {
    tools: "tool_error_rate", midday: "burn_by_midday", hour: "burn_by_midday", slow: "slow_vs_median",
    stuck: "slow_vs_median", dear: "cost_vs_median", injected: "injections_vs_baseline", failing: "run_failed",
    crashing: "run_failed", waiting: "parked", cold: "min_hit_ratio",
}  # fmt: skip


@on_both
def test_each_line_is_crossed_only_by_what_is_beyond_it(world):
    """B51 D106 D107"""
    for above in (False, True):
        for script in SCRIPTS:
            world.task = f"{script.__name__} {above}"
            script(world, above)
        rows = world.check().rows
        assert (sorted(SCRIPTS.values()) if above else []) == sorted(row.incident.rule for row in rows), rows


def test_limits_follow_seven_days_of_the_task_and_say_so(world):
    """C75 D108 D110"""
    slow(world, True)
    (row,) = world.check().rows
    base = row.incident.baseline

    assert (50.5, 50.0) == (row.incident.value, row.incident.limit)
    assert (10.0, 5, 5.0) == (base.value, base.count, base.factor)


def test_injections_are_held_against_what_the_store_is_used_to(world):
    """D109"""
    for number in range(1, 7 * 24):
        world.run(*[e.InjectionSuspected("mail", "role", "c1")] * 24, ago=number * 3_600.0)
    world.run(*[e.InjectionSuspected("mail", "role", "c1")] * 6, ago=10)
    usual = world.open()
    world.run(e.InjectionSuspected("mail", "role", "c1"), ago=10)

    assert ([], ["injections_vs_baseline"]) == (usual, world.open())


def test_the_policys_own_limits_count(world):
    midday(world, False)
    failing(world, False)
    waiting(world, False)
    strict = Policy(budget=Budget(user_daily_usd=9.0), approval=Approval(timeout_s=100.0))

    assert ["burn_by_midday", "parked"] == world.open(strict)
    assert [] == world.open(Policy(alerts=Alerts(enabled=False)))


def test_rehearsals_are_looked_at_when_asked_and_apart(world):
    for _ in range(5):
        world.run(result(status="error"), ago=100, rehearsed=True)

    assert [] == world.open()
    assert ["tool_error_rate"] == world.open(rehearsed=True)
    assert [True] == [row.incident.rehearsed for row in world.check(rehearsed=True).rows]


@on_both
def test_an_incident_is_told_once_closes_after_a_window_and_may_come_back(world):
    """D106"""
    hook = Hook()
    policy = Policy(alerts=Alerts(urls=(hook.url,)))
    try:
        tools(world, True)
        states = []
        for minutes in (0, 1, 3, 3.1, 8):
            world.now = MORNING + 60 * minutes
            states.append(
                [("new" if row.new else "found" if row.found else "easing") for row in world.check(policy).rows]
            )
        world.run(*[result(status="error")] * 5, ago=1)
        again = world.check(policy)
    finally:
        hook.close()

    assert [["new"], ["found"], ["easing"], ["easing"], []] == states
    assert [True] == [row.new for row in again.rows]
    assert 2 == len(hook.got)
    first = hook.messages[0]
    assert "agentctl: a tool fails too often: look" == first["title"]
    assert "value: 30.0% > limit: 20.0%" in first["message"]
    assert "next: agentctl trace r_0000000001" in first["message"]


@on_both
def test_one_wait_for_a_person_is_told_once_by_its_run_and_by_every_check_after_it(world):
    """The run says so when it parks, after a prompt of `timeout_s`: a check counts from the ask too."""
    hook = Hook()
    policy = Policy(alerts=Alerts(urls=(hook.url,)), approval=Approval(timeout_s=600.0))
    asked = e.ApprovalRequested("c1.1", "send", "high", "r", "d" * 64, {})
    run_id = world.run(asked, status="parked", reason="approval", seconds=601.0, before=600.5)
    told = [Finding("parked", run_id, 601.0, 600.0, None, run_id)]
    world.journal.write(lambda tx: incidents.found(tx, told, world.now))
    try:
        rows = []
        for minutes in range(0, 15, 2):
            world.now = MORNING + 60 * minutes
            rows += world.check(policy).rows
    finally:
        hook.close()

    assert ([True] * 8, 1) == ([row.found for row in rows], len(hook.got))


@pytest.mark.parametrize("bad", ["not JSON", "[]", "{}"])
@on_both
def test_events_that_cannot_be_read_silence_nothing(world, bad):
    tools(world, True)
    waiting(world, True)
    asked = e.ApprovalRequested("c1.1", "send", "high", "r", "d" * 64, {})
    world.run(result(), replied(0, 1), asked, task="broken", status="parked", reason="approval", ago=1)
    with unguarded(world.url) as tx:
        tx.execute(f"UPDATE events SET form = 0, data = ? WHERE run_id = 'r_{world.count:010x}'", (bad,))

    assert ["parked", "tool_error_rate"] == world.open()


def test_a_budget_that_is_spent_to_the_line_is_not_beyond_it(world):
    """536.81 USD are 536,809,999.99… in floating-point micro-dollars."""
    world.spend("user_daily_usd:ada", MORNING - 9 * 3_600, 268.405, 536.81)
    policy = Policy(budget=Budget(user_daily_usd=536.81), alerts=Alerts(burn_by_midday=0.5))

    assert [] == world.open(policy)


@on_both
def test_two_checks_at_once_deliver_one_message(world):
    hook = Hook()
    policy = Policy(alerts=Alerts(urls=(hook.url,)))
    tools(world, True)
    try:
        threads = [threading.Thread(target=world.check, args=(policy,)) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        hook.close()

    assert 1 == len(hook.got)


def test_what_no_receiver_got_is_told_by_the_next_check(world):
    tools(world, True)
    lost = world.check(Policy(alerts=Alerts(urls=(dead(),))))
    hook = Hook()
    try:
        told = [len(world.check(Policy(alerts=Alerts(urls=(hook.url, dead())))).sent) for _ in range(2)]
    finally:
        hook.close()

    assert 1 == len([each for each in lost.sent if each.error])
    assert ([2, 0], 1) == (told, len(hook.got))


def test_many_at_once_are_one_message_and_a_dry_run_is_none(world):
    hook = Hook()
    policy = Policy(alerts=Alerts(urls=(hook.url,)))
    try:
        for script in (tools, midday, failing, waiting):
            script(world, True)
        dry = world.check(policy, tells=False)
        kept = world.journal.read(incidents.listing)
        world.check(policy)
    finally:
        hook.close()

    assert (4, []) == (len(dry.rows), kept)
    assert ["agentctl: 4 alerts: burn_by_midday, parked, run_failed, tool_error_rate"] == [
        got["title"] for got in hook.messages
    ]


def test_nothing_in_a_message_is_secret_or_moves_anything(world):
    word = "sk-ant-api03-" + secrets.token_urlsafe(60)
    world.run(*[result(f"look\x1b[2J {word}", "error")] * 5, ago=1)
    hook = Hook()
    try:
        world.check(Policy(alerts=Alerts(urls=(hook.url,))))
    finally:
        hook.close()

    (message,) = hook.messages
    text = message["title"] + message["message"]
    assert word not in text
    assert "\x1b" not in text
