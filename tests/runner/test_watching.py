"""What a run sees of itself: recorded, told in the background, and of no harm to it."""

import contextlib

import pytest

from agentctl.core.alerts import Usual
from agentctl.core.events import Alerted, Completed
from agentctl.core.remarks import remark
from agentctl.journal import incidents, measures
from agentctl.rehearsal.script import Fault, Reply
from agentctl.runner import watching
from tests.runner.stage import calls
from tests.telemetry.conftest import Hook, dead, silence


@pytest.fixture
def hook(monkeypatch):
    """A receiver that is waited for however slow this machine is."""
    monkeypatch.setattr(watching, "PATIENCE_S", 60.0)
    made = Hook()
    yield made
    made.close()


def counted(calls, work):
    def counting(*given, **named):
        calls.append(given)
        return work(*given, **named)

    return counting


def failing(stage, url=None):
    """A task whose provider is down for good."""
    stage.policy(retry={"max_attempts": 1}, **({} if url is None else {"alerts": {"urls": [url]}}))
    stage.replies = [Reply(text="Hello.")]
    stage.faults = [Fault(requests="1-", kind="status", status=500)]
    return stage


async def test_a_failure_is_an_event_and_a_message_and_only_the_first_one_is_told(stage, hook):
    """B58"""
    failing(stage, hook.url)
    done = await stage.run()
    await stage.run()

    assert ("failed", 14) == (done.status, done.exit_code)
    (alert,) = stage.events(Alerted)
    assert ("run_failed", "errand: providers", 1.0, 0.0) == (alert.rule, alert.subject, alert.value, alert.limit)
    assert isinstance(stage.stamped[-1].event, Completed)
    assert ["agentctl: a run failed: errand: providers"] == [got["title"] for got in hook.messages]
    with stage.store() as journal:
        (kept,) = journal.read(incidents.listing)
    assert kept.told > 0


async def test_a_run_that_goes_well_says_nothing(stage, hook):
    stage.policy(alerts={"urls": [hook.url]})
    stage.replies = [Reply(text="Hello.")]
    done = await stage.run()

    assert "completed" == done.status
    assert [] == stage.events(Alerted)
    assert [] == hook.got


@pytest.mark.parametrize(("bad", "fires"), [(4, False), (5, True)])
async def test_a_run_counts_the_calls_of_its_own_tools(stage, bad, fires):
    """D106"""
    stage.policy(
        results={"max_attempts": 1}, circuit={"enabled": False}, progress={"enabled": False}, loops={"enabled": False}
    )
    stage.tool("look", 'grep -q bad && { echo "no" >&2; exit 1; }; echo {}')
    kinds = ["bad"] * bad + ["good"] * (4 - bad + 1 if bad < 5 else 0)
    stage.policy(alerts={"tool_error_rate": 0.8})
    stage.replies = [
        *(calls(("look", {"id": f"{kind}{number}"})) for number, kind in enumerate(kinds)),
        Reply(text="So."),
    ]
    await stage.run()

    assert ([("tool_error_rate", "look", 1.0)] if fires else []) == [
        (alert.rule, alert.subject, alert.value) for alert in stage.events(Alerted)
    ]


@pytest.mark.parametrize(("times", "fires"), [(0.2, []), (1e6, ["slow_vs_median", "cost_vs_median"])])
async def test_a_run_is_held_against_the_median_of_its_task_while_it_goes_on(stage, monkeypatch, times, fires):
    """D108 D110"""
    monkeypatch.setattr(watching, "EVERY_S", 0.0)
    usual = {f"r_{number}": (1000.0 / times, 1.0 / times) for number in range(5)}
    monkeypatch.setattr(measures, "usual", lambda *_, **__: {"errand": Usual.of(usual)})
    stage.tool("look", "echo {}")
    stage.replies = [calls(("look", {"id": "1"})), Reply(text="So.")]
    await stage.run()
    found = stage.of(Alerted)

    assert sorted(fires) == sorted(one.event.rule for one in found)
    assert all(one.seq < stage.stamped[-2].seq for one in found), "not only at the end"
    assert len(fires) == len([note for note in stage.notes if note.startswith("alert: a run ")])
    assert all("usual" in remark(one.event)[1] for one in found)


async def test_a_call_that_has_waited_longer_than_a_prompt_stands_is_told_when_the_run_parks(stage, hook):
    stage.policy(alerts={"urls": [hook.url]}, approval={"timeout_s": 0.000001})
    stage.effect("send", side_effects="external")
    stage.replies = [calls(("send", {"id": "1"})), Reply(text="So.")]
    done = await stage.run()

    assert "parked" == done.status
    assert ["parked"] == [alert.rule for alert in stage.events(Alerted)]
    assert [f"next: agentctl approvals {stage.run_id}"] == [
        got["message"].splitlines()[-1] for got in hook.messages
    ]  # fmt: skip


@pytest.mark.parametrize("receiver", ["dead", "silent"])
async def test_a_dead_receiver_is_one_line_and_nothing_else(stage, monkeypatch, receiver):
    monkeypatch.setattr(watching, "PATIENCE_S", 0.5)
    with silence() if receiver == "silent" else contextlib.nullcontext(dead()) as url:
        failing(stage, f"{url}?rto=60")
        done = await stage.run()

    assert ("failed", 14) == (done.status, done.exit_code)
    (line,) = [note for note in stage.notes if "alert" in note]
    assert line.startswith(f"an alert was not delivered: {url.removesuffix('/hook')}: ")
    with stage.store() as journal:
        (kept,) = journal.read(incidents.listing)
        assert [kept] == journal.write(lambda tx: incidents.claim(tx, journal.clock()))


async def test_a_receiver_that_let_one_run_wait_lets_no_other_of_the_process_wait(stage, monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE_S", 0.5)
    tries = []
    monkeypatch.setattr(watching.incidents, "claim", counted(tries, incidents.claim))
    with silence() as url:
        for _ in range(3):
            await failing(stage, f"{url}?rto=60").run()

    assert 1 == len(tries)
    with stage.store() as journal:
        (kept,) = journal.read(incidents.listing)
    assert 0.0 == kept.told, "whoever checks tells it"


async def test_a_rehearsal_records_and_tells_nobody(stage, hook):
    failing(stage, hook.url)
    stage.rehearsed = True
    await stage.run()

    assert ["run_failed"] == [alert.rule for alert in stage.events(Alerted)]
    assert [] == hook.got
    with stage.store() as journal:
        assert [] == journal.read(incidents.listing)


async def test_switched_off_it_is_silent_and_without_receivers_it_is_kept(stage):
    failing(stage)
    await stage.run()
    with stage.store() as journal:
        (kept,) = journal.read(incidents.listing)
    stage.policy(alerts={"enabled": False})
    await stage.run()

    assert 0.0 == kept.told
    assert [] == stage.events(Alerted)
