"""`--rehearse`: the same run with a script in the model's place; its resume goes on where it was."""

import pytest

from agentctl.core.events import ApprovalDecided
from tests.runner.stage import APIS, Answer, Fault, Person, Reply, ToolFinished, calls

DONE = Reply(text="Done.")


@pytest.fixture
def rehearsed(stages):
    def make(api="messages"):
        stage = stages(api)
        stage.rehearsed = True
        return stage

    return make


@pytest.mark.parametrize("api", APIS)
async def test_a_rehearsal_needs_no_key_and_changes_nothing(rehearsed, monkeypatch, api):
    """Effects answer from the script; only what reads really runs; the money is its own."""
    monkeypatch.delenv("STAGE_KEY")
    stage = rehearsed(api)
    log = stage.effect("send")
    stage.tool("look", "echo '{\"real\": true}'")
    stage.replies = [calls(("send", {"id": "a"}), ("look", {})), DONE]

    result = await stage.run()

    assert (0, True) == (result.exit_code, result.body["rehearsed"])
    assert not log.exists()
    assert {"real": True} == stage.results()["c1.2"]["data"]
    with stage.store() as journal:
        scopes = journal.read(lambda tx: [row[0] for row in tx.execute("SELECT scope FROM budgets").fetchall()])
        assert f"run_usd:rehearsal:{stage.run_id}" in scopes
        assert [] == [scope for scope in scopes if ":rehearsal:" not in scope]
        assert [True] == [row.rehearsed for row in journal.runs()]


async def test_real_tools_are_real_where_asked_for(rehearsed):
    stage = rehearsed()
    log = stage.effect("send")
    stage.replies = [calls(("send", {"id": "a"})), DONE]

    await stage.run(real_tools=True)

    assert 1 == len(log.read_text().split())


async def test_a_resumed_rehearsal_plays_on(rehearsed):
    """Replies, faults, people and effects go on where the script was, not at its beginning."""
    stage = rehearsed()
    stage.effect("send", side_effects="irreversible")
    stage.policy(budget={"max_steps": 1})
    stage.people = [
        {"tool": "send", "answer": "n", "why": "not yet"}, {"tool": "send", "answer": "y"},
    ]  # fmt: skip
    stage.replies = [calls(("send", {"id": "a"})), Reply(text="Landed."), calls(("send", {"id": "b"})), DONE]
    stage.faults = [Fault("status", status=529, requests="2")]

    first = await stage.run()
    done = await stage.resume(steps=5)

    assert ("max_steps", 0) == (first.reason, done.exit_code)
    assert ["deny", "approve"] == [event.decision for event in stage.events(ApprovalDecided)]
    assert [200, 529, 200, 200, 200] == [seen.status for seen in stage.asked()]
    assert "Done." == done.answer


async def test_a_resumed_rehearsal_gives_the_next_result_of_an_effect(rehearsed):
    stage = rehearsed()
    stage.effect("send")
    stage.policy(budget={"max_steps": 1})
    stage.effects = [{"tool": "send", "result": {"n": n}} for n in (1, 2)]
    stage.replies = [calls(("send", {"id": "a"})), Reply(text="Landed."), calls(("send", {"id": "b"})), DONE]

    await stage.run()
    done = await stage.resume(steps=5)

    assert 0 == done.exit_code
    assert [{"n": 1}, {"n": 2}] == [result["data"] for result in stage.results().values()]


async def test_a_person_of_the_script_can_stop_the_run(rehearsed):
    stage = rehearsed()
    stage.effect("send", side_effects="irreversible")
    stage.people = [{"tool": "send", "answer": "s"}]
    stage.replies = [calls(("send", {"id": "a"})), DONE]

    stopped = await stage.run()

    assert ("denied", 13) == (stopped.reason, stopped.exit_code)
    assert ["the script"] == [event.by for event in stage.events(ApprovalDecided)]


async def test_who_is_there_is_asked(rehearsed):
    stage = rehearsed()
    stage.effect("send", side_effects="irreversible")
    stage.replies = [calls(("send", {"id": "a"})), DONE]
    person = Person([Answer("deny", "ada", "no")])

    done = await stage.run(person)

    assert (0, 1) == (done.exit_code, len(person.asked))
    assert ["DENIED"] == [event.code for event in stage.events(ToolFinished)]
