"""Where a drive meets what nobody planned: defects, a lost lease, a broken store, large bodies, a dry run."""

import asyncio
import json
import os
import signal

import pytest

from agentctl.core.events import Failed, Retried, ToolStarted
from agentctl.errors import Defect, Invalid, LeaseLost, StoreUnusable
from agentctl.runner import api
from agentctl.runner.order import Order
from agentctl.tools.command import ProgramTool
from tests.runner.stage import (
    APIS,
    KEY,
    Answer,
    Completed,
    Fault,
    ModelAsked,
    ModelReplied,
    Person,
    Reply,
    ToolFinished,
    calls,
    usage,
)

DONE = Reply(text="Done.")


async def test_a_defect_closes_the_run_and_is_raised_for_the_crash_report(stage, monkeypatch):
    """A80: whoever watches is told, and the journal says how it ended."""

    async def broken(self, call):
        raise RuntimeError(f"the bolt is loose, {KEY}")

    monkeypatch.setattr(ProgramTool, "run", broken)
    stage.effect("send")
    stage.replies = [calls(("send", {})), DONE]

    with pytest.raises(Defect) as raised:
        await stage.run()

    assert KEY not in raised.value.report
    (failed,), (end,) = stage.events(Failed), stage.events(Completed)
    assert ("failed", "defect", 1) == (end.status, end.reason, end.exit_code)
    assert "RuntimeError: the bolt is loose, [REDACTED]" == failed.message


async def test_a_defect_in_one_of_two_tools_side_by_side_leaves_nothing_running(stage, monkeypatch):
    real = ProgramTool.run

    async def broken(self, call):
        if call.call_id == "c1.1":
            await asyncio.sleep(0.05)
            raise RuntimeError("loose")
        return await real(self, call)

    monkeypatch.setattr(ProgramTool, "run", broken)
    stage.tool("look", "sleep 0.4; echo late > late.log; cat")
    stage.replies = [calls(("look", {"id": "a"}), ("look", {"id": "b"})), DONE]

    with pytest.raises(Defect):
        await stage.run()
    before = len(stage.stamped)
    await asyncio.sleep(0.5)

    assert before == len(stage.stamped)
    assert not (stage.folder / "late.log").exists()


async def test_a_driver_that_lost_its_lease_writes_and_starts_nothing_more(stage):
    """D07: somebody else took the run over in the middle of a call."""
    log = stage.effect("send")
    stage.tool("look", "cat")
    stage.replies = [calls(("look", {"id": "a"})), calls(("send", {"id": "a"})), DONE]

    def take_over():
        with stage.store() as journal:
            journal.write(lambda tx: tx.execute("UPDATE runs SET epoch = epoch + 1, owner = 'x:1:1:1'"))

    stage.when(ToolFinished, take_over)
    stage.check = lambda: None

    with pytest.raises(LeaseLost) as lost:
        await stage.run()

    assert 20 == lost.value.exit_code
    assert not log.exists()
    with stage.store() as journal:
        assert not any(isinstance(one.event, Completed) for one in journal.events(stage.run_id))


async def test_a_store_that_is_no_store_is_refused_before_anything_is_sent(stage):
    with stage.store() as journal:
        path = journal.path
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    path.write_bytes(b"not a database at all" * 1000)
    stage.replies = [DONE]

    with pytest.raises(StoreUnusable) as refused:
        await stage.run()

    assert (3, []) == (refused.value.exit_code, stage.asked())


async def test_an_invalid_task_sends_nothing_and_makes_no_run(stage):
    stage.task["goal"] = "Find {{nobody}}."
    stage.replies = [DONE]

    with pytest.raises(Invalid):
        await stage.run()

    with stage.store() as journal:
        assert [] == journal.runs()
    assert [] == stage.asked()


async def test_no_key_names_both_ways_and_the_rehearsal(stage, monkeypatch):
    monkeypatch.delenv("STAGE_KEY")
    task = await stage.lay_out()

    with pytest.raises(Invalid) as refused:
        await api.run(Order(task), store=None, listener=stage, approver=None)

    assert 3 == refused.value.exit_code
    assert any("STAGE_KEY" in str(note) for note in api.explain(Order(task))["notes"])
    assert all(word in refused.value.hint for word in ("STAGE_KEY", "auth set main", "--rehearse"))


@pytest.mark.parametrize("spoken", APIS)
async def test_large_bodies_come_back_as_they_were(stages, spoken):
    """Results past the size of a row, over a park: journal, blobs and the next request agree."""
    stage = stages(spoken)
    stage.policy(results={"max_tokens": 100_000}, context={"max_tokens": 200_000, "hard_limit_tokens": 250_000},
                 budget={"run_usd": 20.0})  # fmt: skip
    stage.tool("dump", "printf '\"'; head -c 150000 /dev/zero | tr '\\0' 'z'; printf '\"'")
    stage.effect("send", side_effects="irreversible")
    stage.replies = [calls(("dump", {}), usage=usage(100)), calls(("send", {}), usage=usage(60_000)), DONE]

    assert 12 == (await stage.run()).exit_code
    done = await stage.resume(Person([Answer("approve", "ada")]))

    assert 0 == done.exit_code
    assert "z" * 150_000 in json.dumps(stage.asked()[-1].body)
    assert stage.asked()[-1].body.get("system") == stage.asked()[0].body.get("system")


async def test_explain_sends_nothing_and_says_what_would_be(stage):
    """A27"""
    stage.effect("refund", side_effects="irreversible")
    stage.tool("look", "cat")
    task = await stage.lay_out()

    told = api.explain(Order(task))

    assert [] == stage.asked()
    assert {"look": "run", "refund": "ask"} == {tool["name"]: tool["decision"] for tool in told["tools"]}
    (provider,) = told["providers"]
    assert ("main", "messages", True) == (provider["name"], provider["api"], provider["fits"])
    assert 0 < provider["first_call_worst_usd"] < told["worst_case_usd"] == 1.5
    with stage.store() as journal:
        assert [] == journal.runs()


async def test_explain_says_of_each_provider_whether_it_fits(stage):
    """A27: the same tokens against each model's own window."""
    stage.task["system"] = "Look closely. " * 2_000
    stage.providers = [
        {"name": "wide", "api": "messages", "context_tokens": 200_000},
        {"name": "narrow", "api": "chat", "priority": 2, "context_tokens": 3_000, "max_output_tokens": 1_024},
    ]

    told = api.explain(Order(await stage.lay_out()))

    size = told["estimated_tokens"]["first_request"]
    fits = {each["name"]: (each["fits"], each["refuse_above_tokens"]) for each in told["providers"]}
    assert 3_000 < size < fits["wide"][1]
    assert (True, (False, 2_250)) == (fits["wide"][0], fits["narrow"])
    assert {"wide": 200_000, "narrow": 3_000} == {each["name"]: each["window_tokens"] for each in told["providers"]}


async def test_all_tools_answer_in_one_shape_whatever_they_say(stage):
    """E33: no result has to be guessed at."""
    words = {"table": "echo '{\"a\": 1}'", "row": "echo '[1, 2]'", "word": "echo '\"yes\"'", "nothing": "echo null"}
    words |= {"text": "echo not json", "silence": "true", "busy": "exit 75", "broken": "echo no >&2; exit 3"}
    for name, line in words.items():
        stage.tool(name, line)
    stage.tools.append({"use": "builtin:read_file", "roots": ["."]})
    stage.policy(results={"max_attempts": 1})
    stage.replies = [calls(*((name, {}) for name in words), ("read_file", {"path": "none"}), ("nobody", {})), DONE]

    await stage.run()

    told = [*stage.results().values()]
    assert len(words) + 2 == len(told)
    assert {True} == {{"status", "data", "error_type", "retry_safe"} <= each.keys() for each in told}
    assert {"success", "error"} == {each["status"] for each in told}
    assert {(each["status"] == "success") for each in told if each["error_type"] is None} == {True}


async def test_the_estimate_of_explain_is_the_estimate_of_the_run(stage):
    stage.replies = [DONE]
    task = await stage.lay_out()

    told = api.explain(Order(task))
    await stage.run()

    assert told["estimated_tokens"]["first_request"] == stage.events(ModelAsked)[0].estimated_tokens


async def test_a_signal_ends_the_wait_before_an_effects_next_try(stage):
    """The wait between two tries is nobody's effect."""
    stage.policy(results={"base_delay_s": 30.0})
    stage.effect("send", "echo busy >&2; exit 75", idempotent=True)
    stage.replies = [calls(("send", {"id": "a"})), DONE]
    stage.when(Retried, lambda: asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT))

    paused = await asyncio.wait_for(stage.run(), 10)

    assert ("paused", 130) == (paused.status, paused.exit_code)
    assert [1] == [started.attempt for started in stage.events(ToolStarted)]


async def test_every_effect_has_its_intent_on_disk_before_it_begins(stage):
    """E17 E30: the tool itself looks into the store and finds that it was started."""
    stage.policy(sandbox={"mode": "off"})  # in a box it would not see the store
    with stage.store() as journal:
        path = journal.path
    look = (
        "import sqlite3, sys, os; db = sqlite3.connect(sys.argv[1]);"
        "print(db.execute(\"select count(*) from tool_calls where call_id = ?\", (os.environ['AGENTCTL_CALL_ID'],))"
        ".fetchone()[0])"
    )
    stage.tools.append(
        {"name": "send", "description": "d", "command": ["python3", "-c", look, str(path)], "side_effects": "local",
         "parameters": {"type": "object"}}
    )  # fmt: skip
    stage.policy(sandbox={"mode": "off"})  # or it could not see the store
    stage.replies = [calls(("send", {})), DONE]

    await stage.run()

    assert 1 == stage.results()["c1.1"]["data"]


async def test_an_interrupted_run_gives_the_store_back(stage):
    stage.faults = [Fault("hang", requests="1")]
    stage.replies = [DONE]
    stage.signal_when_asked(signal.SIGTERM)

    await stage.run()

    with stage.store() as journal:
        (owner,) = journal.read(lambda tx: tx.execute("SELECT owner FROM runs").fetchone())
    assert "" == owner
    assert 0 == (await stage.resume()).exit_code
    assert 1 == len(stage.events(ModelReplied))
