"""A run that went on elsewhere is the run that it would have been: same requests, same end, nothing twice."""

import asyncio
import itertools
import os
import signal

import pytest

from agentctl.core.events import ApprovalDecided, ApprovalRequested, ToolStarted
from agentctl.errors import Forbidden
from tests.runner.stage import (
    APIS,
    Answer,
    Completed,
    Fault,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Person,
    Reply,
    Resumed,
    calls,
    driver,
    usage,
)

DONE = Reply(text="All done.", thinking="At last.")


# --- the next request, byte for byte ---


@pytest.fixture
def twins(stages, monkeypatch, tmp_path):
    """Two stages that differ in nothing, down to the run's id, each with a home of its own."""
    from agentctl.runner import starting as runner

    def make(api: str, rehearsed: bool):
        monkeypatch.setattr(runner.secrets, "token_hex", lambda size: "ab" * size)
        made = []
        for name in ("one", "other"):
            stage = stages(api)
            stage.rehearsed = rehearsed
            stage.home = tmp_path / name
            stage.task["goal"] = "Refund it, password: open-sesame-42."
            stage.tool("lookup", "cat; ", parameters={"type": "object"})
            stage.tool("refund", "cat", side_effects="irreversible")
            stage.replies = [
                calls(("lookup", {"id": "a", "api_key": "k-1234567"}), ("lookup", {"id": "ü🙂"}), text="Look.",
                      thinking="I think of password: open-sesame-42."),
                calls(("lookup", {"id": "b"}), ("refund", {"id": "a"}), thinking="Now the money."),
                calls(("lookup", {"id": "c"}), text="One more: token=abcdefghij."),
                DONE,
            ]  # fmt: skip
            made.append(stage)
        return made

    return make


@pytest.mark.parametrize("rehearsed", [False, True])
@pytest.mark.parametrize("api", APIS)
async def test_the_first_request_after_a_park_is_the_one_that_would_have_been_sent(twins, monkeypatch, api, rehearsed):
    """E35: with thinking, secrets and Unicode, through the journal and back."""
    parked, through = twins(api, rehearsed)

    monkeypatch.setenv("AGENTCTL_HOME", str(parked.home))
    people = [{"tool": "refund", "answer": "y"}]
    assert 12 == (await parked.run()).exit_code
    parked.letter("approve", "c2.2", by="ada")
    ended = await parked.resume()
    monkeypatch.setenv("AGENTCTL_HOME", str(through.home))
    through.people = people if rehearsed else []
    straight = await through.run(Person([Answer("approve", "ada")]))

    assert (0, 0) == (ended.exit_code, straight.exit_code)
    # Another process can't name the reply that the provider is to compare with; that is no part of the prompt.
    asked = [[seen.body for seen in stage.asked()] for stage in (parked, through)]
    bodies = [[{**body, "diagnostics": None} for body in each] for each in asked]
    assert 4 == len(bodies[0])
    assert bodies[1] == bodies[0]
    assert straight.body["cost_usd"] == ended.body["cost_usd"]
    assert straight.body["usage"] == ended.body["usage"]


@pytest.mark.parametrize("api", APIS)
async def test_the_request_after_a_limit_begins_with_everything_that_was_sent_before(stages, api):
    """What was sent is only added to, so that caches hold and thinking stays bound to its prefix."""
    stage = stages(api)
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 2})
    stage.replies = [calls(("lookup", {"id": n}), thinking="Hm.") for n in "ab"] + [
        Reply(text="Landed.", thinking="So."), calls(("lookup", {"id": "c"}), thinking="On."), DONE,
    ]  # fmt: skip

    await stage.run()
    done = await stage.resume(steps=5)

    assert 0 == done.exit_code
    kept = [seen.body.get("messages") or seen.body["input"] for seen in stage.asked()]
    for before, after in itertools.pairwise(kept):
        assert unmarked(before) == unmarked(after)[: len(before)]


@pytest.mark.parametrize("api", APIS)
async def test_a_call_of_a_tool_that_nobody_knows_is_sent_again_as_the_model_made_it(stages, api):
    """However long its name: thinking after it is bound to every letter of it."""
    stage = stages(api)
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 2})
    stage.replies = [
        calls(("lookup" * 40, {})), calls(("lookup", {"id": "a"}), thinking="Hm."), Reply(text="Landed."), DONE,
    ]  # fmt: skip

    await stage.run()
    done = await stage.resume(steps=5)

    assert 0 == done.exit_code
    before, after = (seen.body.get("messages") or seen.body["input"] for seen in stage.asked()[-2:])
    assert unmarked(before) == unmarked(after)[: len(before)]


def unmarked(value):
    """Without cache markers, which may move."""
    if isinstance(value, dict):
        return {name: unmarked(one) for name, one in value.items() if name != "cache_control"}
    return [unmarked(one) for one in value] if isinstance(value, list) else value


async def test_another_tool_definition_drops_the_thinking_that_was_bound_to_the_old_one(stage):
    stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"}), thinking="Money."), DONE]

    await stage.run()
    stage.tools[0]["description"] = "It refunds."
    stage.letter("approve", "c1.1")
    assert 12 == (await stage.resume()).exit_code  # the approval was for the tool as it was
    assert 2 == len(stage.events(ApprovalRequested))
    stage.letter("approve", "c1.1")
    done = await stage.resume()

    assert 0 == done.exit_code
    assert not any("signature" in block for turn in stage.asked()[-1].body["messages"] for block in turn["content"])


async def test_an_approval_does_not_outlive_the_tool_that_was_approved(stage):
    """D70: approved, stopped before it ran, redefined: the question is asked anew."""
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), DONE]
    stage.interrupt_at(ApprovalDecided)

    paused = await stage.run(Person([Answer("approve", "ada")]))
    assert (130, False) == (paused.exit_code, log.exists())
    stage.tools[0]["description"] = "It refunds everybody."
    parked = await stage.resume()

    assert (12, False) == (parked.exit_code, log.exists())
    assert "changed since it was approved: its definition" == stage.events(ApprovalRequested)[-1].rule


async def test_an_approval_outlives_a_pause(stage):
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), DONE]
    stage.interrupt_at(ApprovalDecided)

    await stage.run(Person([Answer("approve", "ada")]))
    done = await stage.resume()

    assert (0, 1) == (done.exit_code, len(log.read_text().split()))


async def test_a_resume_says_what_it_resumed_and_who_did(stage):
    """E36"""
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 1})
    stage.replies = [calls(("lookup", {"id": "a"})), Reply(text="Landed."), DONE]

    await stage.run()
    await stage.resume(steps=3, usd=0.5)

    assert any(note.startswith(f"resuming {stage.run_id} (stopped) at step 1, $") for note in stage.notes)
    (resumed,) = stage.events(Resumed)
    assert (3, 500_000) == (resumed.add_steps, resumed.add_micro)


# --- killed between calls ---


def paid(stage):
    """Three steps: a look-up, an effect, a look-up; over the API whose SDK starts fastest."""
    stage.policy(risk={"auto_approve": "high"})
    stage.tool("lookup", "cat")
    stage.replies = [
        calls(("lookup", {"id": "a"}), usage=usage(1000, 50)),
        calls(("send", {"id": "b"}), ("lookup", {"id": "b"}), usage=usage(1000, 50)),
        Reply(text=DONE.text, usage=usage(1000, 50)),
    ]
    return stage


KILLS = [
    *(f"after-model-intent:{n}" for n in (1, 2, 3)),
    *(f"after-intent:{n}" for n in (1, 2, 3)),
    *(f"before-outcome:{n}" for n in (1, 2, 3)),
    *(f"writer-before-commit:{n}" for n in (4, 6, 8)),
    *(f"writer-after-commit:{n}" for n in (3, 5, 6)),
]


@pytest.mark.slow
@pytest.mark.parametrize("idempotent", [False, True], ids=["once", "same key"])
@pytest.mark.parametrize("armed", KILLS)
async def test_killed_between_calls_a_run_goes_on_and_no_effect_happens_twice(stages, armed, idempotent):
    """E19 E30: what is in doubt is settled by the tool's own promise, and money in flight counts as spent."""
    stage = paid(stages("chat"))
    log = stage.effect("send", idempotent=idempotent)

    code, _, err = await driver(stage, failpoint=armed)
    assert -signal.SIGKILL == code, err
    result = await stage.resume()
    if result.exit_code == 12:  # in doubt, and it must not happen twice: a person has to say what became of it
        assert not idempotent
        assert "its unknown outcome" in stage.events(ApprovalRequested)[-1].rule
        happened = log.exists()
        stage.letter("deny" if happened else "approve", stage.events(ApprovalRequested)[-1].call_id, by="ada")
        result = await stage.resume()

    assert (0, DONE.text) == (result.exit_code, result.answer)
    keys = log.read_text().split() if log.exists() else []
    assert len(set(keys)) <= 1
    assert idempotent or len(keys) <= 1
    lost = [failed for failed in stage.events(ModelFailed) if failed.kind == "unknown_outcome"]
    assert sum(event.cost_micro for event in stage.events(ModelReplied)) + sum(
        failed.cost_micro for failed in lost
    ) == round(result.body["cost_usd"] * 1e6)
    assert keys or lost  # the reply that asked for it died with its driver: the model was asked again


@pytest.mark.slow
async def test_killed_four_times_in_a_row_it_still_ends_well(stages):
    """E19"""
    stage = paid(stages("chat"))
    log = stage.effect("send", idempotent=True)

    for armed in ("after-model-intent:1", "before-outcome:1", "after-intent:2", "after-model-intent:1"):
        code, _, err = await driver(stage, failpoint=armed, run_id=stage.run_id)
        assert -signal.SIGKILL == code, err
    result = await stage.resume()

    assert (0, DONE.text) == (result.exit_code, result.answer)
    assert 1 == len(set(log.read_text().split()))


# --- signals ---


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_during_a_model_call_saves_the_run(stage, number, code):
    """E20, D104: what was cut short counts as spent, and the run can be resumed."""
    stage.replies = [Reply(text="Slow.", delay_s=30), DONE]
    stage.faults = [Fault("hang", requests="1")]
    stage.signal_when_asked(number)

    paused = await stage.run()

    assert ("paused", code) == (paused.status, paused.exit_code)
    assert f"agentctl resume {stage.run_id}" == paused.resume
    (cut,) = stage.events(ModelFailed)
    (asked,) = stage.events(ModelAsked)
    assert ("cancelled", asked.reserved_micro) == (cut.kind, cut.cost_micro)

    stage.standin.set_position("", 1)
    done = await stage.resume()

    assert (0, DONE.text) == (done.exit_code, done.answer)


async def test_a_signal_during_an_effect_waits_for_it_and_begins_no_other(stage):
    """E30: the effect that has begun is seen to its end; the next one of the same reply is not begun."""
    log = stage.effect("send", "sleep 0.3; cat")
    stage.replies = [calls(("send", {"id": "a"}), ("send", {"id": "b"})), DONE]
    stage.interrupt_at(ToolStarted)

    paused = await stage.run()

    assert ("paused", 130) == (paused.status, paused.exit_code)
    assert [f"{stage.run_id}:c1.1"] == log.read_text().split()
    assert ["success"] == [result["status"] for result in stage.results().values()]

    done = await stage.resume()

    assert (0, DONE.text) == (done.exit_code, done.answer)
    assert [f"{stage.run_id}:c1.1", f"{stage.run_id}:c1.2"] == log.read_text().split()


async def test_a_signal_cuts_reading_tools_short_and_they_run_again(stage):
    stage.tool("slow", "echo x >> n.log; [ $(wc -l < n.log) -gt 1 ] || sleep 30; cat", timeout_seconds=60)
    stage.replies = [calls(("slow", {"id": "a"})), DONE]
    stage.when(ToolStarted, lambda: asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT))

    paused = await stage.run()
    done = await stage.resume()

    assert (130, 0) == (paused.exit_code, done.exit_code)


async def test_a_signal_while_a_person_is_asked_leaves_the_question(stage):
    class Slow:
        async def ask(self, question):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    log = stage.effect("send", side_effects="irreversible")
    stage.replies = [calls(("send", {"id": "a"})), DONE]

    paused = await stage.run(Slow())
    done = await stage.resume(Person([Answer("approve", "ada")]))

    assert (130, 0, True) == (paused.exit_code, done.exit_code, log.exists())
    assert 1 == len(stage.events(ApprovalRequested))


async def test_a_signal_ends_a_wait_between_two_attempts(stage):
    stage.policy(retry={"base_delay_s": 20.0})
    stage.faults = [Fault("status", status=529, requests="1")]
    stage.replies = [DONE]
    stage.when(ModelFailed, lambda: asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT))

    paused = await stage.run()

    assert 130 == paused.exit_code


# --- wishes from other terminals, and two drivers ---


@pytest.mark.parametrize(("wish", "status"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_a_wish_is_granted_at_the_next_safe_point(stage, wish, status):
    """E20"""
    stage.tool("lookup", "cat")
    stage.replies = [calls(("lookup", {"id": "a"})), DONE]

    def write():
        stage.run_id = stage.stamped[0].run_id
        stage.letter(wish)

    stage.when(ModelReplied, write)
    ended = await stage.run()

    assert status == ended.status
    assert 1 == len(stage.asked())
    if wish == "cancel":
        with pytest.raises(Forbidden):
            await stage.resume()
    else:
        assert 0 == (await stage.resume()).exit_code


async def test_only_one_drives(stage):
    """D07: the second one is refused and changes nothing."""
    stage.replies = [DONE]
    refused = []

    class Meddler:
        async def ask(self, question):
            from agentctl.runner import api as runner
            from agentctl.runner.order import Raise
            from tests.runner.stage import Watcher

            second = runner.resume(question.run_id, Raise(), store=None, listener=Watcher(stage), approver=None)
            with pytest.raises(Forbidden) as error:
                await second
            refused.append(error.value)
            return Answer("approve", "ada")

    stage.effect("send", side_effects="irreversible")
    stage.replies = [calls(("send", {"id": "a"})), DONE]

    done = await stage.run(Meddler())

    assert (0, 20) == (done.exit_code, refused[0].exit_code)
    assert "is driven by process" in refused[0].message
    assert 1 == len(stage.events(Completed))
