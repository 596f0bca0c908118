"""Limits of a session hold over all of its runs."""

import asyncio

import pytest

from agentctl.approvals.base import Answer
from agentctl.core.events import Resumed, RunStarted, ToolFinished
from agentctl.errors import Usage
from agentctl.rehearsal.script import ScriptUsage
from tests.runner.stage import Person, Reply, calls


def looks(*names: str):
    return [calls(*(("lookup", {"id": name}) for name in names))]


def codes(stage):
    answers = sorted((done for done in stage.events(ToolFinished) if done.final), key=lambda done: done.call_id)
    return [done.code for done in answers]


async def test_the_calls_of_a_session_are_counted_over_its_runs(stages):
    """D88: three calls in the session, not three in each run."""
    found = []
    for session in ("monday", "monday", "tuesday", ""):
        stage = stages()
        stage.tool("lookup", "cat", max_calls_per_session=3)
        stage.replies = [*looks("a", "b"), Reply(text="done")]
        await stage.run(session=session)
        found.append((stage.events(RunStarted)[0].earlier_calls, codes(stage)))

    assert [
        ({}, [None, None]),
        ({"lookup": 2}, [None, "CALL_LIMIT"]),
        ({}, [None, None]),
        ({}, [None, None]),
    ] == found


async def test_a_resumed_run_counts_what_others_called_meanwhile(stages):
    """D88"""
    one, two = stages(), stages()
    for stage in (one, two):
        stage.tool("lookup", "cat", max_calls_per_session=3)
    one.policy(budget={"max_steps": 1})
    one.replies = [*looks("a"), Reply(text="so far"), *looks("c", "d"), Reply(text="done")]
    two.replies = [*looks("b"), Reply(text="done")]

    await one.run(session="monday")
    await two.run(session="monday")
    await one.resume(steps=5)

    assert [{"lookup": 1}] == [event.earlier_calls for event in one.events(Resumed)]
    assert [None, None, "CALL_LIMIT"] == codes(one)


async def test_a_rehearsal_counts_rehearsals_alone(stages):
    for rehearsed in (False, True):
        stage = stages()
        stage.rehearsed = rehearsed
        stage.tool("lookup", "cat", max_calls_per_session=1)
        stage.replies = [*looks("a"), Reply(text="done")]
        await stage.run(session="monday")

        assert [None] == codes(stage)


async def test_a_limit_per_minute_holds_over_the_runs_of_a_session(stages):
    """D88: three calls in a minute, not three of each run in it."""
    found = []
    for session in ("monday", "monday", "tuesday", ""):
        stage = stages()
        stage.tool("lookup", "cat", max_calls_per_minute=3)
        stage.tool("other", "cat")
        stage.replies = [*looks("a", "b"), calls(("other", {})), Reply(text="done")]
        await stage.run(session=session)
        told = stage.events(RunStarted)[0].earlier_starts
        found.append(({tool: len(starts) for tool, starts in told.items()}, codes(stage)))

    assert [
        ({}, [None, None, None]),
        ({"lookup": 2}, [None, "CALL_LIMIT", None]),
        ({}, [None, None, None]),
        ({}, [None, None, None]),
    ] == found


async def test_what_a_session_called_more_than_a_minute_ago_counts_no_more(stages):
    """D88: nor what a clock wrote down that was set back since, nor in a rehearsal what was real."""
    for change in ("started - 61", "started + 3600"):
        stage = stages()
        stage.tool("lookup", "cat", max_calls_per_minute=1)
        stage.replies = [*looks("a"), Reply(text="done")]
        await stage.run(session="monday")

        assert ({}, [None]) == (stage.events(RunStarted)[0].earlier_starts, codes(stage))
        with stage.store() as journal:
            journal.write(lambda tx, change=change: tx.execute(f"UPDATE tool_calls SET started = {change}"))
    stage.rehearsed = True
    await stage.run(session="monday")

    assert {} == stage.events(RunStarted)[0].earlier_starts


async def test_a_resumed_run_counts_what_others_called_in_the_last_minute(stages):
    """D88"""
    one, two = stages(), stages()
    for stage in (one, two):
        stage.tool("lookup", "cat", max_calls_per_minute=3)
    one.policy(budget={"max_steps": 1})
    one.replies = [*looks("a"), Reply(text="so far"), *looks("c", "d"), Reply(text="done")]
    two.replies = [*looks("b"), Reply(text="done")]

    await one.run(session="monday")
    await two.run(session="monday")
    await one.resume(steps=5)

    assert [1] == [len(event.earlier_starts["lookup"]) for event in one.events(Resumed)]
    assert [None, None, "CALL_LIMIT"] == codes(one)


async def test_the_limit_of_a_session_holds_at_the_moment_of_the_call(stages):
    """D88: of two runs at the same time, that began when nothing had been called."""
    for limit in ("max_calls_per_session", "max_calls_per_minute"):
        both = [stages(), stages()]
        for stage in both:
            counter = stage.effect(**{limit: 3})
            stage.policy(risk={"tiers": {"send": "safe"}})
            stage.replies = [calls(("send", {"id": name}), delay_s=0.5) for name in "ab"] + [Reply(text="done")]
        await asyncio.gather(*(stage.run(session=limit) for stage in both))

        assert [{}, {}] == [stage.events(RunStarted)[0].earlier_calls for stage in both]
        assert 3 == sum(len((stage.folder / counter.name).read_text().split()) for stage in both)
        assert ["CALL_LIMIT"] == [code for stage in both for code in codes(stage) if code]


async def test_the_last_call_of_a_session_is_not_lost_to_calls_beside_it(stages):
    """D88: a run counts its own calls as they were when each began."""
    stage = stages()
    stage.tool("lookup", "cat", max_calls_per_session=2)
    stage.replies = [calls(("lookup", {"id": "a"}), ("lookup", {"id": "b"}), ("lookup", {"id": "c"})), Reply(text="x")]
    await stage.run(session="monday")

    assert [None, None, "CALL_LIMIT"] == codes(stage)


async def test_approvals_and_repeats_are_of_a_run_and_not_of_its_session(stages):
    """A76: what was remembered in one run is asked again in the next; and what it repeated is no repeat there."""
    asked = []
    for run in ("first", "second", "third"):
        stage, person = stages(), Person([Answer("approve", "eve", remember=True)])
        stage.effect()
        stage.policy(risk={"tiers": {"send": "high"}})
        stage.replies = [calls(("send", {"id": "a"})), Reply(text=f"the {run} is done")]
        await stage.run(person, session="monday")
        asked.append(len(person.asked))
        assert [None] == codes(stage)

    assert [1, 1, 1] == asked


async def test_a_session_s_budget_holds_over_two_runs_at_the_same_moment(stages):
    """D44: each reserves before it asks, so that one of them finds no room."""
    both = [stages(), stages()]
    for stage in both:
        stage.providers = [{"name": "main", "api": "messages", "max_output_tokens": 1_100}]
        stage.policy(budget={"session_usd": 0.025})
        stage.replies = [Reply(text="done", delay_s=0.5)]
    results = await asyncio.gather(*(stage.run(session="monday") for stage in both))
    stranger = stages()
    stranger.policy(budget={"session_usd": 0.025})
    stranger.providers, stranger.replies = both[0].providers, [Reply(text="done")]

    assert [("done", 0), ("session_usd", 10)] == sorted((each.reason, each.exit_code) for each in results)
    assert 0 == (await stranger.run(session="monday", tenant="acme")).exit_code


async def test_a_user_of_another_tenant_has_a_budget_of_their_own(stages):
    """A76: tenants never see each other, in money either, though both have an ada."""
    found = []
    for tenant in ("acme", "beta", "", "acme"):
        stage = stages()
        stage.providers = [{"name": "main", "api": "messages", "max_output_tokens": 1_100}]
        stage.policy(budget={"user_daily_usd": 0.025})
        stage.replies = [Reply(text="done", usage=ScriptUsage(input=4_000))]
        found.append((await stage.run(tenant=tenant)).reason)

    assert ["done", "done", "done", "user_daily_usd"] == found


@pytest.mark.parametrize("name", ["a:b", "..", "a/b", "\u00e9", "a" * 129, "*", "%", "a b", "a\n", "\u017fs"])
async def test_an_id_that_could_reach_another_scope_starts_nothing(stages, name: str):
    """A76: not as a user, a tenant or a session; `..` is an id like any other."""
    stage = stages()
    stage.replies = [Reply(text="done")]
    for what in ("tenant", "session"):
        if name == "..":
            assert 0 == (await stage.run(**{what: name})).exit_code
            continue
        with pytest.raises(Usage, match=what):
            await stage.run(**{what: name})
        assert [] == stage.stamped
