"""Older turns become a summary: over the wire, through the journal, and whatever befalls the call that makes it."""

import itertools
import json
import os
import signal
from dataclasses import replace

import pytest

from agentctl.core import timeline
from agentctl.core.events import CircuitMoved, ContextTrimmed, Decided
from tests.runner.stage import (
    APIS,
    Fault,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Reply,
    Resumed,
    RunStarted,
    calls,
    driver,
    sent,
)

GOAL = "Do what has to be done."
FACT = "the refund code is QX-7731"
BULLETS = "- The refund code is QX-7731.\n- The order was refunded."
DONE = Reply(text="Answered.", provider="main")


def long(stage, steps=20, *, brief="messages", **context):
    """A run whose context fills again and again; what the third lookup says is needed at the end."""
    stage.providers = [
        {"name": "main", "api": stage.api},
        {"name": "brief", "api": brief, "roles": ["summary"], "priority": 9, "max_output_tokens": 512},
    ]
    stage.policy(
        budget={"max_steps": 400, "max_tool_calls": 400, "run_usd": 1000.0},
        tokens={"total": 100_000_000},
        progress={"enabled": False},
        context={"max_tokens": 4_000, "hard_limit_tokens": 6_000, "strategy": "summary", "keep_recent": 4} | context,
    )
    found = f"grep -q '\"3\"' && printf '{FACT}, password: hunter-22x '"
    stage.tool("lookup", f"printf '\"'; {found}; head -c 1200 /dev/zero | tr '\\0' 'w'; printf '\"'")
    stage.replies = [
        calls(("lookup", {"id": str(n)}), text=f"Step {n}.", thinking="Hm.", provider="main") for n in range(1, steps)
    ]
    stage.replies += [DONE, Reply(text=BULLETS, provider="brief"), Reply(text="- Nothing new.", provider="brief")]
    return stage


def briefs(stage):
    """The summary requests that arrived."""
    return [sent(seen) for seen in stage.asked("brief")]


def opening(seen):
    """The first user message of a request, as text."""
    body = seen.body
    messages = body.get("messages") or body["input"]
    return json.dumps(next(message for message in messages if message["role"] == "user"), ensure_ascii=False)


def of_summaries(stage, kind):
    return [event for event in stage.events(kind) if event.purpose == "summary"]


@pytest.mark.parametrize("api", APIS)
async def test_a_fact_of_the_third_turn_is_in_the_request_of_the_sixtieth(stages, api):
    """B03 B10 D14: it was in what the summary was made of, and stands behind the goal from then on."""
    stage = long(stages(api), 60, brief=api)

    result = await stage.run()

    assert (0, "Answered.", 60) == (result.exit_code, result.answer, result.body["steps"])
    assert FACT in briefs(stage)[0]
    assert len(briefs(stage)) == len(stage.events(ContextTrimmed)) > 5
    last = stage.asked("main")[-1]
    assert FACT not in sent(last)
    assert GOAL in opening(last)
    assert "Session summary: - The refund code is QX-7731." in opening(last)
    assert all(GOAL in opening(seen) for seen in stage.asked("main"))
    assert all(asked.estimated_tokens <= 4_000 for asked in stage.events(ModelAsked))


@pytest.mark.parametrize("api", APIS)
async def test_the_request_for_a_summary_is_small_and_asks_for_bullets(stages, api):
    """B07 B08 B09"""
    stage = long(stages(api), brief=api)

    await stage.run()

    body = stage.asked("brief")[0].body
    limits = [body.get(key) for key in ("max_tokens", "max_output_tokens", "max_completion_tokens")]
    assert 0 < next(limit for limit in limits if limit) <= 512
    assert not body.get("tools")
    assert "tool_choice" not in body
    assert "3 to 5 bullets" in sent(stage.asked("brief")[0])
    assert "w" * 200 in briefs(stage)[0]
    assert "w" * 201 not in briefs(stage)[0]
    assert "assistant calls: lookup(" in briefs(stage)[0]
    assert "cache_control" not in briefs(stage)[0]


async def test_a_summary_is_never_made_of_a_summary(stages):
    """D17: an earlier one stays as it is."""
    stage = long(stages("messages"), 60)

    await stage.run()

    assert len(briefs(stage)) > 3
    assert all("Session summary" not in brief and "Nothing new" not in brief for brief in briefs(stage))
    trims = stage.events(ContextTrimmed)
    assert all(before.summary in after.summary for before, after in itertools.pairwise(trims))


async def test_a_summary_costs_money_and_tokens_and_is_no_step(stages):
    stage = long(stages("messages"), 20)

    result = await stage.run()

    made = of_summaries(stage, ModelReplied)
    assert made
    assert 20 == result.body["steps"]
    assert all(one.cost_micro > 0 for one in made)
    paid = {one["name"]: one for one in result.body["providers"]}
    assert len(made) == paid["brief"]["calls"]
    assert sum(one.cost_micro for one in made) == round(paid["brief"]["cost_usd"] * 1e6)
    asked = of_summaries(stage, ModelAsked)
    assert all(reply.cost_micro <= asked.reserved_micro for asked, reply in zip(asked, made, strict=True))
    assert all(reply.usage.prompt <= 2 * asked.estimated_tokens for asked, reply in zip(asked, made, strict=True))


async def test_the_trace_has_a_line_for_the_call_and_one_for_the_trim(stages):
    stage = long(stages("messages"), 20)

    await stage.run()

    lines = [row.text for row in timeline.rows(stage.stamped)]
    first = next(number for number, line in enumerate(lines) if line.startswith("llm.summary ["))
    assert lines[first + 1].startswith("context.trim [")
    assert "messages summarised" in lines[first + 1]


async def test_nobody_sees_a_summary_as_if_it_were_an_answer(stages):
    stage = long(stages("messages"), 20)

    await stage.run()

    assert briefs(stage)
    assert "refund code" not in "".join(delta.text for delta in stage.deltas)


async def test_without_the_role_the_answering_provider_writes_it(stages):
    """B06: a role nobody has falls to who answers."""
    other = long(stages("responses"), 14)
    await other.run()
    at = [asked.purpose for asked in other.events(ModelAsked)].index("summary")
    stage = long(stages("responses"), 14)
    del stage.providers[1]
    stage.replies = [reply for reply in stage.replies if reply.provider == "main"]
    stage.replies.insert(at, Reply(text=BULLETS))

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    (asked,) = of_summaries(stage, ModelAsked)
    assert "main" == asked.provider
    assert "Session summary: - The refund code" in opening(stage.asked()[-1])


@pytest.mark.parametrize("second", APIS)
async def test_a_summary_goes_along_to_another_provider(stages, second):
    """E23, G12: whoever answers next finds it in the first user message."""
    stage = long(stages("messages"), 20)
    stage.providers.insert(1, {"name": "second", "api": second, "priority": 2})
    stage.replies = [replace(reply, provider=None) if reply.provider == "main" else reply for reply in stage.replies]
    stage.replies.sort(key=lambda reply: reply.provider is None)
    stage.faults = [Fault("status", provider="main", requests="12-", status=529)]
    stage.policy(retry={"max_attempts": 1})

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert len(stage.asked("second")) > 3
    assert "Session summary: - The refund code is QX-7731." in opening(stage.asked("second")[-1])


# --- whatever befalls it ---


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", provider="brief", status=500),
        Fault("status", provider="brief", status=401),
        Fault("status", provider="brief", status=429),
        Fault("reset", provider="brief"),
        Fault("garbage", provider="brief"),
        Fault("context_exceeded", provider="brief"),
    ],
    ids=lambda fault: str(fault.status or fault.kind),
)
async def test_a_summary_that_fails_is_done_without_once_per_trim(stages, fault):
    """B11 B61: no loop, no stop: the trim drops what the strategy `oldest` drops."""
    stage = long(stages("messages"), 20)
    stage.faults = [replace(fault, requests="1-")]
    stage.policy(circuit={"enabled": False})

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    trims = stage.events(ContextTrimmed)
    assert len(stage.asked("brief")) == len(of_summaries(stage, ModelFailed)) == len(trims) > 0
    assert "" == "".join(trim.summary for trim in trims)
    assert "Session summary" not in sent(stage.asked("main")[-1])


@pytest.mark.parametrize("said", [Reply(provider="brief"), Reply(text="No.", stop="refusal", provider="brief")])
async def test_a_summary_that_says_nothing_is_done_without(stages, said):
    stage = long(stages("messages"), 20)
    stage.replies = [reply for reply in stage.replies if reply.provider == "main"] + [said]

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert "" == "".join(trim.summary for trim in stage.events(ContextTrimmed))


async def test_an_open_circuit_of_the_summarising_provider_sends_the_answering_one(stages):
    """A84: asked where the circuit lets it."""
    stage = long(stages("messages"), 40)
    stage.faults = [Fault("status", provider="brief", requests="1-", status=529)]
    stage.policy(circuit={"failure_threshold": 2})

    result = await stage.run()

    assert 0 == result.exit_code
    assert ["brief"] == [moved.name for moved in stage.events(CircuitMoved)]
    assert 2 == len(stage.asked("brief"))
    assert {"brief", "main"} == {asked.provider for asked in of_summaries(stage, ModelAsked)}


async def test_a_session_without_room_for_it_goes_on_without(stages):
    """D43: the ledger's no is a line of the trace and no landing."""
    stage = long(stages("messages"), 20)
    stage.providers[1]["price"] = {"input": 10_000.0, "output": 10_000.0}
    stage.policy(budget={"session_usd": 5.0})

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert [] == briefs(stage)
    refused = [one for one in stage.events(Decided) if one.decision == "no_summary"]
    assert len(refused) == len(stage.events(ContextTrimmed)) > 0
    assert {"no room in session_usd"} == {one.reason for one in refused}
    lines = [row.text for row in timeline.rows(stage.stamped)]
    assert "context.summary [none: no room in session_usd]" in lines


async def test_a_minute_without_room_for_it_goes_on_without(stages):
    stage = long(stages("messages"), 20)
    stage.providers[1]["price"] = {"input": 10_000.0, "output": 10_000.0}
    stage.policy(pace={"usd_per_minute": 2.0, "max_wait_s": 1})

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert 1 == len(briefs(stage))
    reasons = {one.reason.partition(" is")[0] for one in stage.events(Decided) if one.decision == "no_summary"}
    assert {"usd_per_minute"} == reasons


@pytest.mark.parametrize("api", APIS)
async def test_a_provider_that_says_too_long_is_trimmed_for_once_with_a_summary(stages, api):
    """A22 A28: the summary is asked for in between, and the harder trim is the only one."""
    stage = long(stages(api), 8, brief=api, max_tokens=75_000, hard_limit_tokens=90_000)
    stage.faults = [Fault("context_exceeded", provider="main", requests="7")]

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    (trim,) = stage.events(ContextTrimmed)
    assert (1, BULLETS) == (len(briefs(stage)), trim.summary)
    assert "Session summary: - The refund code" in opening(stage.asked("main")[-1])
    assert 9 == len(stage.asked("main"))


async def test_a_provider_that_stays_at_too_long_ends_the_run_after_one_summary(stages):
    """A29"""
    stage = long(stages("messages"), 8, max_tokens=75_000, hard_limit_tokens=90_000)
    stage.faults = [Fault("context_exceeded", provider="main", requests="7-")]

    result = await stage.run()

    assert ("stopped", "context", 10) == (result.status, result.reason, result.exit_code)
    assert result.message.startswith("Context too large: ")
    assert (1, 8) == (len(briefs(stage)), len(stage.asked("main")))


async def test_the_warning_of_the_tokens_compresses_once_by_the_same_way(stages):
    """D42 D125"""
    stage = long(stages("messages"), 14, max_tokens=75_000, hard_limit_tokens=90_000)
    stage.policy(tokens={"total": 100_000, "warn_at": 0.2}, cache={"enabled": False})

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert (1, 1) == (len(briefs(stage)), len(stage.events(ContextTrimmed)))


# --- through the journal ---


def after_a_summary(stage, kind, purpose="summary"):
    """Interrupt this process at the first event of that kind that is about a summary."""

    def act():
        event = stage.stamped[-1].event
        if getattr(event, "purpose", purpose) == purpose:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            stage.when(kind, act)

    stage.when(kind, act)


@pytest.mark.parametrize("kind", [ModelReplied, ContextTrimmed], ids=["in hand", "trimmed"])
@pytest.mark.parametrize("api", APIS)
async def test_a_resumed_run_sends_byte_for_byte_what_it_would_have_sent(stages, api, kind, monkeypatch, tmp_path):
    """E35: also where the summary holds a secret, which the journal does not."""
    bodies = []
    for name in ("through", "stopped"):
        stage = long(stages(api), 20, brief=api)
        secret = Reply(text="- password: hunter-22x opens it.\n- The code is QX-7731.", provider="brief")
        stage.replies = [reply if reply.text != BULLETS else secret for reply in stage.replies]
        monkeypatch.setenv("AGENTCTL_HOME", str(tmp_path / name))
        if name == "stopped":
            after_a_summary(stage, kind)
            assert 130 == (await stage.run()).exit_code
            result = await stage.resume()
        else:
            result = await stage.run()
        assert 0 == result.exit_code
        bodies.append([seen.body for seen in stage.asked()])
        assert all("hunter-22x" not in one.event.summary for one in stage.of(ContextTrimmed))
        assert "hunter-22x opens it" in sent(stage.asked("main")[-1])

    assert bodies[0] == bodies[1]


@pytest.mark.slow
async def test_a_process_killed_while_it_waits_for_a_summary_asks_again(stages):
    """E19: what was in doubt is paid for, and the run loses nothing of what it knew."""
    stage = long(stages("messages"), 20)
    straight = long(stages("messages"), 20)
    await straight.run()
    order = [asked.purpose for asked in straight.events(ModelAsked)]

    code, _, err = await driver(stage, failpoint=f"after-model-intent:{order.index('summary') + 1}")
    assert -signal.SIGKILL == code, err
    result = await stage.resume()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    (lost,) = stage.events(ModelFailed)
    assert ("summary", "unknown_outcome") == (lost.purpose, lost.kind)
    assert 1 == len(stage.events(Resumed))
    assert [one.summary for one in straight.events(ContextTrimmed)] == [
        one.summary for one in stage.events(ContextTrimmed)
    ]
    assert stage.events(RunStarted)
