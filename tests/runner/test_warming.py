"""`cache warm`: the first run after it finds its prefix in the cache, and what did not take says why."""

import asyncio
import json
import os
import signal
import sys

import pytest

from agentctl.core.events import Completed, ModelAsked, ModelReplied
from agentctl.errors import Forbidden, Invalid, Usage
from agentctl.journal import ledger
from agentctl.runner import api, warming, warmth
from agentctl.runner.order import Order, Raise
from agentctl.runner.warmth import How
from tests.runner.stage import APIS, KEY, Fault, Reply, Watcher, calls, sent

LONG = "Be careful with money. " * 800
DONE = Reply(text="Done.")
SERVER = [sys.executable, "-m", "tests.tools.mcp_server"]


async def warm(stage, how=None, **order):
    path = await stage.lay_out()
    os.environ.setdefault("STAGE_KEY", KEY)
    given = Order(path, user="ada", **order)
    return await warming.warm(given, how or How(), store=None, listener=Watcher(stage))


@pytest.fixture
def shop(stages):
    """A task with a long system prompt and a tool; its goal has a variable, its prefix has none."""

    def make(api_name="messages", **task):
        stage = stages(api_name)
        stage.tool("lookup", "cat")
        stage.task |= {"system": LONG, "goal": "Find {{order}}.", "vars": {"order": {"required": True}}} | task
        stage.replies = [DONE]
        return stage

    return make


def runs(stage):
    with stage.store() as journal:
        return {row.task: row for row in journal.runs()}


@pytest.mark.parametrize("api_name", APIS)
async def test_the_first_run_after_a_warm_reads_the_warmed_prefix(shop, api_name):
    """A47, C46, C53"""
    stage = shop(api_name)
    (warmed,) = await warm(stage)
    requests = len(stage.asked())

    done = await stage.run(variables={"order": "A-1"})

    assert (True, "", 0, 2) == (warmed.warmed, warmed.reason, warmed.exit_code, requests)
    usage = stage.events(ModelReplied)[0].usage
    assert usage.cache_read >= warmed.read_tokens * 0.95 > 4_000
    assert done.body["cache_hit_ratio"] > 0.95
    assert warmed.hit_ratio > 0.95
    assert warmed.saved_micro > 0


@pytest.mark.parametrize("api_name", APIS)
async def test_the_prefix_is_the_runs_own_byte_for_byte(shop, api_name):
    """A49, C46: the seed says Ready., everything before it is what a run sends."""
    stage = shop(api_name)
    await warm(stage)
    await stage.run(variables={"order": "A-1"})
    seed, proof, run = (seen.body for seen in stage.asked())
    key = "input" if api_name == "responses" else "messages"

    assert "Ready." in json.dumps(seed[key])
    assert seed[key] != proof[key]
    least = {"max_tokens": 1} if api_name == "messages" else {}
    assert least.items() <= seed.items()
    free = {"max_tokens", "max_output_tokens", "max_completion_tokens", key}
    assert {name: run[name] for name in run.keys() - free} == {name: seed[name] for name in seed.keys() - free}
    assert [run[key][:-1], len(run[key])] == [seed[key][:-1], len(seed[key])]
    marks = sent(stage.asked()[0]).count('"cache_control"')
    assert marks <= 4
    assert (marks > 0) == (api_name == "messages")


async def test_the_tools_of_a_server_are_part_of_it(shop):
    stage = shop()
    stage.tools.append({"use": "mcp", "name": "fs", "command": SERVER})
    (warmed,) = await warm(stage)
    await stage.run(variables={"order": "A-1"})

    seed, run = stage.asked()[0].body, stage.asked()[-1].body
    assert len(seed["tools"]) > 1
    assert seed["tools"] == run["tools"]
    assert stage.events(ModelReplied)[0].usage.cache_read >= warmed.read_tokens * 0.95


async def test_the_money_is_in_the_ledger_and_the_journal(shop):
    """F07: it is a run of its own, with its reservations settled."""
    stage = shop()
    stage.policy(budget={"user_daily_usd": 5.0, "hourly_usd": 5.0})
    (warmed,) = await warm(stage)

    row = runs(stage)["errand (cache warm)"]
    with stage.store() as journal:
        spent = {each.key.partition(":")[0]: (each.spent, each.held) for each in journal.read(ledger.budgets)}
    assert warmed.cost_micro == row.cost_micro > 0
    assert {(row.cost_micro, 0)} == set(spent.values())
    assert {"run_usd", "user_daily_usd", "hourly_usd"} == spent.keys()
    assert ("completed", "done", "ada") == (row.status, row.reason, row.user_id)
    stage.run_id = row.run_id
    with stage.store() as journal:
        stage.stamped = journal.events(row.run_id)
    assert [1, 1] == [asked.max_output_tokens for asked in stage.events(ModelAsked)]


async def test_a_limit_stops_it_before_anything_is_sent(shop):
    stage = shop()
    stage.policy(budget={"run_usd": 0.001})

    (warmed,) = await warm(stage)

    assert (False, 10, 0) == (warmed.warmed, warmed.exit_code, len(stage.asked()))
    assert ("stopped", "run_usd") == ((row := runs(stage)["errand (cache warm)"]).status, row.reason)


async def test_a_warming_is_never_resumed(shop):
    stage = shop()
    stage.policy(budget={"run_usd": 0.001})
    await warm(stage)
    run_id = runs(stage)["errand (cache warm)"].run_id

    with pytest.raises(Forbidden, match="warmed a cache"):
        await api.resume(run_id, Raise(usd=1.0), store=None, listener=Watcher(stage), approver=None)


# --- Who answers ----------------------------------------------------------------------------------

BOTH = [{"name": "main", "api": "messages"}, {"name": "spare", "api": "responses", "priority": 2}]


async def test_the_first_answering_provider_is_warmed(shop):
    stage = shop()
    stage.providers = BOTH
    stage.policy(retry={"max_attempts": 1})
    stage.faults = [Fault(kind="status", provider="main", requests="1-", status=529)]

    (warmed,) = await warm(stage)

    assert ("spare", True) == (warmed.provider, warmed.warmed)
    assert 2 == len(stage.asked("spare"))


async def test_one_that_is_named_or_all(shop):
    stage = shop()
    stage.providers = BOTH
    (named,) = await warm(stage, How("spare"))
    every = await warm(stage, How("all"))

    assert "spare" == named.provider
    assert [("main", True), ("spare", True)] == [(each.provider, each.warmed) for each in every]
    with pytest.raises(Usage, match="'nobody' answers nothing"):
        await warm(stage, How("nobody"))


async def test_what_failed_is_told_of_the_provider_that_was_asked(shop):
    """A84: by priority, whatever the order of the file."""
    stage, none = shop(), shop()
    for each in (stage, none):
        each.providers = [BOTH[1], BOTH[0]]
    stage.faults = [Fault(kind="status", provider="main", requests="1-", status=400)]
    none.policy(budget={"run_usd": 0.001})

    ((refused,), (unasked,)) = await warm(stage), await warm(none)

    assert (["main"], []) == ([seen.provider for seen in stage.asked()], none.asked())
    assert [("main", "claude-sonnet-4-6", False)] * 2 == [
        (each.provider, each.model, each.warmed) for each in (refused, unasked)
    ]


async def test_nobody_answers(shop):
    stage = shop()
    stage.policy(retry={"max_attempts": 2})
    stage.faults = [Fault(kind="status", requests="1-", status=529)]

    (warmed,) = await warm(stage)

    assert (False, 14, 2) == (warmed.warmed, warmed.exit_code, len(stage.asked()))
    assert "no provider is left" in warmed.reason


# --- What does not take ---------------------------------------------------------------------------


async def test_a_prefix_below_the_minimum_is_told(shop):
    stage = shop(system="You are a clerk.")

    (warmed,) = await warm(stage)

    assert (False, 17) == (warmed.warmed, warmed.exit_code)
    assert "the prefix is below the provider's minimum: about" in warmed.reason
    assert "claude-sonnet-4-6 caches from 1,024 on" in warmed.reason


async def test_a_ratio_below_the_wanted_one_is_told(shop):
    """C73: the policy's own is the default."""
    stage = shop()
    stage.policy(cache={"min_hit_ratio": 0.999_99})

    (strict,) = await warm(stage)
    (lenient,) = await warm(stage, How(min_ratio=0.9))

    assert (17, 0) == (strict.exit_code, lenient.exit_code)
    assert strict.reason.startswith("hit ratio ")
    assert strict.reason.endswith(" < 0.99999")


async def test_nothing_is_sent_where_nothing_can_be_kept(shop):
    off, bare = shop(), shop(system="")
    off.policy(cache={"enabled": False})
    bare.tools = []

    ((one,), (other,)) = await warm(off), await warm(bare)

    assert ("policy policy switches the cache off", 17) == (one.reason, one.exit_code)
    assert "the task has neither a system prompt nor tools: no prefix" == other.reason
    assert [] == off.asked() + bare.asked()


async def test_variables_of_the_system_prompt_must_be_given(shop):
    stage = shop(system=LONG + "Speak {{tone}} {{lang}}.", vars={"order": {"required": True}, "tone": {}, "lang": {}})

    with pytest.raises(Invalid, match="depends on variables that are not given: tone, lang") as error:
        await warm(stage)
    (warmed,) = await warm(stage, variables={"tone": "softly", "lang": "German"})
    with pytest.raises(Invalid, match="no variable is called 'tune'"):
        await warm(stage, variables={"tone": "softly", "lang": "German", "tune": "x"})

    assert "--var tone=… --var lang=…" in error.value.hint
    assert warmed.warmed
    done = await stage.run(variables={"tone": "softly", "lang": "German", "order": "1"})
    assert done.body["cache_hit_ratio"] > 0.95


# --- Keeping it alive -----------------------------------------------------------------------------


async def test_it_is_kept_alive_as_long_as_was_asked_for(shop, monkeypatch):
    monkeypatch.setattr(warmth, "lifetime_s", lambda *_: 0.5)
    stage = shop()
    stage.policy(budget={"max_steps": 2})

    (warmed,) = await warm(stage, How(keep_s=1.4))

    assert (True, 0) == (warmed.warmed, warmed.exit_code)
    assert 4 <= len(stage.asked()) <= 6
    kept = [note for note in stage.notes if note.startswith("kept alive: ")]
    assert len(stage.asked()) - 2 == len(kept)
    assert "written anew" not in kept[0]


async def test_a_clock_that_is_set_back_keeps_nothing_alive_for_longer(shop, clock, monkeypatch):
    """Each use costs money, so that an hour that comes twice is not paid for."""
    monkeypatch.setattr(warmth, "lifetime_s", lambda *_: 0.5)
    stage = shop()

    def back():
        clock.ahead -= 3_600

    asyncio.get_running_loop().call_later(0.8, back)
    (warmed,) = await asyncio.wait_for(warm(stage, How(keep_s=1.4)), 30)

    assert (True, 0) == (warmed.warmed, warmed.exit_code)
    assert len(stage.asked()) <= 6


async def test_a_signal_ends_the_keeping_and_the_warming_stands(shop):
    stage = shop()
    work = asyncio.ensure_future(warm(stage, How(keep_s=3_000.0)))
    while len(stage.asked()) < 2:  # noqa: ASYNC110  # the server keeps a list and rings no bell
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)

    (warmed,) = await asyncio.wait_for(work, 5)

    assert (True, 0) == (warmed.warmed, warmed.exit_code)
    assert "completed" == runs(stage)["errand (cache warm)"].status


async def test_a_signal_before_the_proof_cancels_it(shop):
    stage = shop()
    stage.replies = [Reply(text="slow", delay_s=30.0)]
    stage.interrupt_at(ModelAsked)

    (warmed,) = await asyncio.wait_for(warm(stage), 5)

    assert (False, 130) == (warmed.warmed, warmed.exit_code)
    assert "cancelled" == runs(stage)["errand (cache warm)"].status
    assert 130 == stage.events(Completed)[-1].exit_code


@pytest.mark.parametrize("kind", ["cancel", "pause"])
async def test_a_letter_ends_the_keeping_and_the_warming_stands(shop, kind):
    stage = shop()
    work = asyncio.ensure_future(warm(stage, How(keep_s=3_000.0)))
    while len(stage.events(ModelReplied)) < 2:  # noqa: ASYNC110  # the stage keeps a list and rings no bell
        await asyncio.sleep(0.01)
    stage.run_id = stage.stamped[0].run_id
    stage.letter(kind)

    (warmed,) = await asyncio.wait_for(work, 10)

    row = runs(stage)["errand (cache warm)"]
    assert (True, 0, 2) == (warmed.warmed, warmed.exit_code, len(stage.asked()))
    assert ("cancelled", kind) == (row.status, row.reason)
    assert "by eve." in stage.events(Completed)[-1].message


@pytest.mark.parametrize("kind", ["cancel", "pause"])
async def test_a_letter_between_the_requests_ends_it_before_the_proof(shop, kind):
    stage = shop()

    def write():
        stage.run_id = stage.stamped[0].run_id
        stage.letter(kind)

    stage.when(ModelAsked, write)
    (warmed,) = await warm(stage)

    assert (False, 17, 1) == (warmed.warmed, warmed.exit_code, len(stage.asked()))
    assert "by eve." in warmed.reason
    assert "cancelled" == runs(stage)["errand (cache warm)"].status


# --- Cold against warm ----------------------------------------------------------------------------


@pytest.mark.slow
async def test_the_first_hundred_requests_after_a_warm(shop):
    """C07, A46: hit ratio at least 0.9, and the prefix costs at most an eighth of what it costs without markers."""
    stage = shop()
    stage.task["system"] = "Every case has a rule. " * 1_400  # 8,000 tokens
    stage.replies = [*[calls(("lookup", {"id": f"{at}"})) for at in range(4)], DONE] * 50
    stage.standin_options["keep_bodies"] = False
    await warm(stage)
    warm_usage = await hundred(stage)
    stage.policy(cache={"enabled": False})
    cold_usage = await hundred(stage)

    ratio = warm_usage["read"] / sum(warm_usage.values())
    paid = 0.3 * warm_usage["read"] + 3.75 * warm_usage["write"] + 3.0 * warm_usage["fresh"]
    naive = 3.0 * sum(cold_usage.values())
    print(f"hit ratio {ratio:.4f}, prefix cost 1/{naive / paid:.2f} of that without markers")  # noqa: T201
    assert 0 == cold_usage["read"] + cold_usage["write"]
    assert ratio >= 0.9
    assert paid <= naive / 8


async def hundred(stage):
    """What the next hundred requests of runs come to, in tokens."""
    replies = []
    while len(replies) < 100:
        await stage.run(variables={"order": "A-1"})
        replies += [reply.usage for reply in stage.events(ModelReplied)]
    usages = replies[:100]
    return {
        "read": sum(each.cache_read for each in usages),
        "write": sum(each.cache_write for each in usages),
        "fresh": sum(each.input for each in usages),
    }
