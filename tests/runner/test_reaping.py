"""What a killed driver held is settled by whoever comes next; what a living one holds is left alone."""

import asyncio
import os
import signal

import pytest

from agentctl.cli.main import main
from agentctl.core.policy import Policy
from agentctl.runner import spending
from tests.runner.stage import Fault, ModelFailed, Reply, calls, driver, usage

DONE = Reply(text="All done.", usage=usage(1000, 50))
SCOPES = ("hourly_usd", "run_usd", "session_usd", "user_daily_usd")


@pytest.fixture
def limited(stages):
    """Make stages whose runs count against four budgets, over the API whose SDK starts fastest."""

    def make():
        stage = stages("chat")
        stage.policy(budget={"session_usd": 5.0, "user_daily_usd": 5.0, "hourly_usd": 5.0})
        stage.tool("lookup", "cat")
        stage.replies = [calls(("lookup", {"id": "a"}), usage=usage(1000, 50)), DONE]
        return stage

    return make


def standing(stage):
    """Spent and held by budget, in micro-dollars."""
    with stage.store() as journal:
        rows = journal.read(lambda tx: tx.execute("SELECT scope, spent, held FROM budgets").fetchall())
    return {scope.partition(":")[0]: (spent, held) for scope, spent, held in rows}


def reserved(stage):
    with stage.store() as journal:
        return journal.events(stage.run_id)[-1].event.reserved_micro


@pytest.mark.slow
async def test_what_a_killed_driver_held_is_spent_and_its_resume_charges_nothing_twice(limited):
    """E19: in every scope; a second look changes nothing; afterwards the ledger is what the events say."""
    stage = limited()
    code, _, err = await driver(stage, failpoint="after-model-intent:2")
    assert -signal.SIGKILL == code, err
    amount, before = reserved(stage), standing(stage)
    spent = before["run_usd"][0]
    assert spent > 0
    assert dict.fromkeys(SCOPES, (spent, amount)) == before

    for _ in range(2):
        assert 0 == await asyncio.to_thread(main, ["budget"])
        assert dict.fromkeys(SCOPES, (spent + amount, 0)) == standing(stage)
    done = await stage.resume()  # the stage compares the ledger with the events

    assert (0, DONE.text) == (done.exit_code, done.answer)
    (lost,) = stage.events(ModelFailed)
    assert ("unknown_outcome", amount) == (lost.kind, lost.cost_micro)
    total = round(done.body["cost_usd"] * 1e6)
    assert dict.fromkeys(SCOPES, (total, 0)) == standing(stage)


@pytest.mark.slow
async def test_the_next_run_settles_what_a_killed_one_held(limited):
    killed, other = limited(), limited()
    await driver(killed, failpoint="after-model-intent:1")
    amount = reserved(killed)

    done = await other.run()

    total = amount + round(done.body["cost_usd"] * 1e6)
    assert (total, 0) == standing(other)["user_daily_usd"] == standing(other)["hourly_usd"]
    resumed = await killed.resume()
    assert 0 == resumed.exit_code


@pytest.mark.slow
async def test_what_a_living_process_holds_is_left_alone_until_it_dies(limited):
    """Also where its lease is over: it may only have slept."""
    stage = limited()
    stage.faults = [Fault("hang", requests="1")]
    driving = asyncio.ensure_future(driver(stage))
    while not stage.asked():  # noqa: ASYNC110  # the server keeps a list and rings no bell
        await asyncio.sleep(0.02)
    with stage.store() as journal:
        row = journal.runs()[0]
        journal.write(lambda tx: tx.execute("UPDATE runs SET lease_until = 1"))
    stage.run_id = row.run_id
    amount = reserved(stage)

    held, _ = spending.shown(None, Policy(), spending.Asked())
    assert {(line.key, line.used, line.held) for line in held if line.key in SCOPES} == {
        (key, 0.0, amount / 1e6) for key in SCOPES
    }

    os.kill(int(row.owner.split(":")[1]), signal.SIGKILL)
    await driving
    spent, _ = spending.shown(None, Policy(), spending.Asked())
    assert {(line.used, line.held) for line in spent if line.key in SCOPES} == {(amount / 1e6, 0.0)}


async def test_a_store_that_can_only_be_read_shows_what_stands_there(limited, monkeypatch):
    stage = limited()
    await stage.run()
    with stage.store() as journal:
        journal.write(lambda tx: tx.execute("UPDATE holds SET state = 'open'"))
        path = journal.path

        def refuse(*_, **__):
            raise spending.reaping.StoreUnusable(f"store {path}: it is read-only")

        monkeypatch.setattr(spending.reaping, "existing", refuse)

        lines, _ = spending.shown(None, Policy(), spending.Asked())
    assert {"hourly_usd", "session_usd"} <= {line.key for line in lines}
