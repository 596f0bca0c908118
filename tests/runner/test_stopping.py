"""Pausing and cancelling from outside: with a driver, without one, in the middle of a wait."""

import asyncio
import signal

import pytest

from agentctl.core.events import ModelFailed, ToolStarted
from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal.store import Store
from agentctl.runner import forking, rechecking, stopping
from tests.runner.stage import Answer, Completed, Fault, Person, Reply, calls, driver

DONE = Reply(text="Done.")


def wish(stage, kind):
    """From another task of this process: the driver goes on meanwhile."""

    async def asked():
        with stage.store() as journal:
            stage.came = await getattr(stopping, kind)(journal, stage.stamped[0].run_id, "eve")

    def ring():
        stage.wishing = asyncio.ensure_future(asked())

    return ring


async def came(stage):
    await stage.wishing
    return stage.came


@pytest.mark.parametrize(("kind", "status", "code"), [("pause", "paused", 143), ("cancel", "cancelled", 20)])
async def test_a_run_obeys_before_its_next_effect(stage, kind, status, code):
    """E20: the effect that has begun is seen to its end, the next one is not begun, and neither end is a success."""
    log = stage.effect("send", "sleep 0.4; cat")
    stage.replies = [calls(("send", {"id": "a"}), ("send", {"id": "b"})), DONE]
    stage.when(ToolStarted, wish(stage, kind))

    result = await stage.run()

    assert (status, kind, code) == (result.status, result.reason, result.exit_code)
    assert [f"{stage.run_id}:c1.1"] == log.read_text().split()
    assert status == (await came(stage)).status
    if kind == "pause":
        done = await stage.resume()
        assert (0, "Done.") == (done.exit_code, done.answer)
        assert 2 == len(log.read_text().split())
    else:
        with pytest.raises(Forbidden, match="can't be resumed"):
            await stage.resume()


@pytest.mark.parametrize("kind", ["pause", "cancel"])
async def test_a_long_wait_for_a_provider_is_no_reason_to_wait_with_it(stage, kind):
    """E20: a run that waits out an outage obeys within a second."""
    stage.policy(retry={"base_delay_s": 30, "max_delay_s": 30, "max_attempts": 4})
    stage.faults = [Fault("status", requests="1-", status=529)]
    stage.replies = [DONE]
    stage.when(ModelFailed, lambda: asyncio.get_running_loop().call_later(0.3, wish(stage, kind)))
    began = asyncio.get_running_loop().time()

    result = await stage.run()

    assert kind == result.reason
    assert asyncio.get_running_loop().time() - began < 20
    await came(stage)


async def test_who_pauses_and_then_cancels_has_no_run_that_rests(stage):
    stage.effect("send", "cat")
    stage.replies = [calls(("send", {"id": "a"}), ("send", {"id": "b"})), DONE]

    def both():
        stage.run_id = stage.stamped[0].run_id
        stage.letter("pause")
        stage.letter("cancel")

    stage.when(ToolStarted, both)

    result = await stage.run()

    assert ("cancelled", "cancel", 20) == (result.status, result.reason, result.exit_code)


async def test_a_run_that_nobody_drives_is_cancelled_at_once(stages):
    """E30: what it may have spent is settled, what it may have done is said, and it is over."""
    stage = stages("chat")
    stage.policy(risk={"auto_approve": "high"})
    log = stage.effect("send")
    stage.replies = [calls(("send", {"id": "b"})), DONE]
    code, _, err = await driver(stage, failpoint="before-outcome:1")
    assert -signal.SIGKILL == code, err

    with stage.store() as journal:
        found = await stopping.cancel(journal, stage.run_id, "eve")
        events = [one.event for one in journal.events(stage.run_id)]
        row = journal.run(stage.run_id)

    assert ("cancelled", ("send",)) == (found.status, found.unsure)
    assert ("cancelled", "cancel", "") == (row.status, row.reason, row.owner)
    assert isinstance(events[-1], Completed)
    assert 1 == len(log.read_text().split())
    with stage.store() as journal, pytest.raises(Forbidden, match="is cancelled already"):
        await stopping.cancel(journal, stage.run_id, "eve")


async def test_a_run_that_is_cancelled_while_somebody_is_about_to_resume_it_is_over(stages, monkeypatch):
    """E20: between the look at its status and the lease lies the loading of task, policy and tools."""
    stage = stages("chat")
    log = await parked(stage)
    take = Store.take_open

    async def late(self, run_id, owner):
        monkeypatch.setattr(Store, "take_open", take)
        with stage.store() as journal:
            await stopping.cancel(journal, run_id, "eve")
        stage.stamped = []  # what the stage was told of the run has another end by now
        return await take(self, run_id, owner)

    monkeypatch.setattr(Store, "take_open", late)

    with pytest.raises(Forbidden, match="is cancelled"):
        await stage.resume(Person([Answer("approve", "ada")]))

    assert not log.exists()
    with stage.store() as journal:
        assert "cancelled" == journal.run(stage.run_id).status


async def test_a_cancellation_that_comes_while_the_run_parks_is_not_left_for_its_next_driver(stages):
    """E20: the driver has read its letters for the last time, and holds its lease a moment longer."""
    stage = stages("chat")
    stage.check = lambda: None  # its end is not the one that its driver wrote
    stage.when(Completed, wish(stage, "cancel"))
    await parked(stage)

    assert "cancelled" == (await came(stage)).status
    with stage.store() as journal:
        assert "cancelled" == journal.run(stage.run_id).status


async def test_a_run_that_can_not_be_read_is_let_go_as_it_was(stages):
    """E20: whoever mends the store finds it parked, and nobody who drives it."""
    stage = stages("chat")
    await parked(stage)

    with stage.store() as journal:
        journal.write(_spoiled)
        with pytest.raises(StoreUnusable):
            await stopping.cancel(journal, stage.run_id, "eve")
        row = journal.run(stage.run_id)

    assert ("parked", "") == (row.status, row.owner)


def _spoiled(tx):
    for (name,) in tx.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        tx.execute(f"DROP TRIGGER {name}")
    tx.execute("UPDATE events SET data = '{', form = 0 WHERE seq = 3")


async def parked(stage):
    """A run that waits for a person's word on its one effect."""
    stage.policy(risk={"auto_approve": "safe"})
    log = stage.effect("send")
    stage.replies = [calls(("send", {"id": "b"})), DONE]
    assert "parked" == (await stage.run()).status
    return log


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_run_that_died_before_its_start_is_neither_forked_nor_decided_again(stages, cancelled):
    """E20, B48: there is nothing to go on with, and no run is made of it."""
    stage = stages("chat")
    stage.replies = [DONE]
    await driver(stage, failpoint="run-created:1")

    with stage.store() as journal:
        if cancelled:
            await stopping.cancel(journal, stage.run_id, "eve")
        with pytest.raises(Forbidden, match="has no beginning"):
            forking.prepared(journal, stage.run_id, forking.Branch("eve"))
        with pytest.raises(Forbidden, match="has no beginning"):
            rechecking.recheck(journal, stage.run_id)


async def test_a_pause_that_came_while_the_run_ended_does_not_stop_who_resumes_it(stages):
    """E20: the letter was read by nobody, and what it wished for has been so since."""
    stage = stages("chat")

    def late():
        stage.run_id = stage.stamped[0].run_id
        stage.letter("pause")

    stage.when(Completed, late)
    await parked(stage)
    done = await stage.resume(Person([Answer("approve", "ada")]))

    assert (0, "Done.") == (done.exit_code, done.answer)


async def test_money_in_flight_of_a_cancelled_run_counts_as_spent(stages):
    """E19"""
    stage = stages("chat")
    stage.replies = [DONE]
    code, _, err = await driver(stage, failpoint="after-model-intent:1")
    assert -signal.SIGKILL == code, err

    with stage.store() as journal:
        await stopping.cancel(journal, stage.run_id, "eve")
        (lost,) = [one.event for one in journal.events(stage.run_id) if isinstance(one.event, ModelFailed)]
        spent, held = journal.read(stage._standing)
        row = journal.run(stage.run_id)

    assert lost.cost_micro > 0
    assert (lost.cost_micro, 0, lost.cost_micro) == (spent, held, row.cost_micro)


async def test_what_does_not_run_can_not_be_paused(stages):
    stage = stages("chat")
    stage.replies = [DONE]
    await stage.run()

    with stage.store() as journal:
        with pytest.raises(Forbidden, match="is completed: nothing runs that could be paused"):
            await stopping.pause(journal, stage.run_id, "eve")
        with pytest.raises(Forbidden, match="is completed already"):
            await stopping.cancel(journal, stage.run_id, "eve")


async def test_a_crashed_run_is_offered_at_the_next_start(stages):
    """E36: to the one who started it."""
    stage = stages("chat")
    stage.replies = [DONE]
    await driver(stage, failpoint="after-model-intent:1")
    crashed = stage.run_id
    stage.standin.set_position("", 0)

    await stage.run()

    assert any(f"{crashed} (errand) crashed; go on with it: agentctl resume {crashed}" in note for note in stage.notes)
