"""Every way in which a run stops: its code, its landing answer, and the exact command that continues it."""

import pytest

from agentctl.core.events import Decided, HandedOff, LoopSeen
from agentctl.errors import Forbidden, Usage
from tests.runner.stage import (
    Answer,
    Completed,
    Fault,
    ModelAsked,
    Person,
    Reply,
    Resumed,
    ToolFinished,
    calls,
    sent,
    usage,
)

LANDED = Reply(text="This is how far I came.")
MORE = Reply(text="Now it is done.")


def looks(*names: str, tokens: int = 100):
    """One look-up a step."""
    return [calls(("lookup", {"id": name}), usage=usage(tokens)) for name in names]


# --- limits that can be raised ---


async def test_the_money_of_a_run_ends_it_with_a_landing_and_more_money_continues_it(stage):
    """C33 D46 D123: the next call would not fit, so the last answer is asked for while there is money for it."""
    stage.tool("lookup", "cat")
    stage.policy(budget={"run_usd": 0.60, "landing": 0.4})
    stage.replies = [
        *(calls(("lookup", {"id": n}), usage=usage(40_000, 500)) for n in "ab"),
        Reply(text=LANDED.text, usage=usage(1_000, 50)),
        Reply(text=MORE.text, usage=usage(1_000, 50)),
    ]

    stopped = await stage.run()

    assert ("stopped", "run_usd", 10) == (stopped.status, stopped.reason, stopped.exit_code)
    assert LANDED.text == stopped.answer
    assert stopped.message.startswith("run_usd limit exceeded: $0.26 + $")
    assert stopped.message.endswith(" > $0.60")
    assert f"agentctl resume {stage.run_id} --add-usd 0.6" == stopped.resume
    assert stopped.body["cost_usd"] <= 0.60
    assert "none" == stage.asked()[-1].body["tool_choice"]["type"]
    assert [tool["name"] for tool in stage.asked()[0].body["tools"]] == [
        tool["name"] for tool in stage.asked()[-1].body["tools"]
    ]

    done = await stage.resume(usd=0.6)

    assert ("completed", MORE.text) == (done.status, done.answer)
    assert 1.2 == done.body["budget"]["run_usd"]["limit"]
    assert "auto" == stage.asked()[-1].body["tool_choice"]["type"]


async def test_steps_end_a_run_and_more_steps_continue_it(stage):
    """B24 C32 E14"""
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 2})
    stage.replies = [*looks("a", "b"), LANDED, MORE]

    stopped = await stage.run()

    assert ("stopped", "max_steps", 10, LANDED.text) == (
        stopped.status, stopped.reason, stopped.exit_code, stopped.answer,
    )  # fmt: skip
    assert "Could not complete: max_steps of 2 reached. Please try a more specific query." == stopped.message
    assert f"agentctl resume {stage.run_id} --add-steps 2" == stopped.resume
    assert 2 == stopped.body["steps"]

    done = await stage.resume(steps=2)

    assert (0, MORE.text) == (done.exit_code, done.answer)
    assert 3 == done.body["steps"]
    assert [2] == [event.add_steps for event in stage.events(Resumed)]


async def test_a_limit_that_was_not_raised_stops_the_run_again(stage):
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 1})
    stage.replies = [*looks("a"), LANDED, Reply(text="Still here.")]

    await stage.run()
    again = await stage.resume()

    assert ("max_steps", 10) == (again.reason, again.exit_code)
    assert 1 == again.body["steps"]


async def test_tokens_end_a_run_and_more_tokens_continue_it(stage):
    """E15 D39 D41"""
    stage.tool("lookup", "cat")
    stage.policy(tokens={"total": 20_000})
    stage.replies = [*looks("a", tokens=9_000), LANDED, MORE]

    stopped = await stage.run()

    assert ("stopped", "tokens", 10, LANDED.text) == (
        stopped.status, stopped.reason, stopped.exit_code, stopped.answer,
    )  # fmt: skip
    assert "Token budget exceeded: 9010/20000" == stopped.message
    assert f"agentctl resume {stage.run_id} --add-tokens 20000" == stopped.resume

    done = await stage.resume(tokens=20_000)

    assert (0, MORE.text) == (done.exit_code, done.answer)


# --- limits that another policy raises ---


@pytest.mark.parametrize(
    ("key", "tight", "loose"),
    [("max_tool_calls", 2, 50), ("max_tool_errors", 2, 50), ("max_wall_s", 2.8, 600)],
)
async def test_another_limit_ends_a_run_and_a_wider_policy_continues_it(stage, key, tight, loose):
    """D03"""
    body = {"max_tool_errors": "exit 3", "max_wall_s": "sleep 1.7; cat"}.get(key, "cat")
    stage.tool("lookup", body)
    stage.policy(budget={key: tight})
    stage.replies = [*looks("a", "b"), LANDED, *looks("c"), MORE]

    stopped = await stage.run()
    assert ("stopped", key, 10, LANDED.text) == (stopped.status, stopped.reason, stopped.exit_code, stopped.answer)
    assert f"Could not complete: {key} of {tight:g} reached. Please try a more specific query." == stopped.message
    assert f"agentctl resume {stage.run_id}" == stopped.resume

    stage.policy(budget={key: loose})
    done = await stage.resume()

    assert (0, MORE.text) == (done.exit_code, done.answer)


async def test_the_call_over_the_limit_is_refused_within_a_step(stage):
    stage.tool("lookup", "echo x >> n.log; cat")
    stage.policy(budget={"max_tool_calls": 2})
    stage.replies = [calls(*(("lookup", {"id": each}) for each in "abcd")), LANDED]

    stopped = await stage.run()

    assert "max_tool_calls" == stopped.reason
    assert 2 == len((stage.folder / "n.log").read_text().split())
    assert ["LIMIT", "LIMIT"] == [done.code for done in stage.events(ToolFinished) if not done.ran]


async def test_what_does_not_fit_is_never_sent(stage):
    """A28 A29 A30"""
    stage.task["goal"] = "word " * 3_000
    stage.policy(context={"max_tokens": 500, "hard_limit_tokens": 1_000})
    stage.replies = [Reply(text="Never.")]

    stopped = await stage.run()

    assert ("stopped", "context", 10) == (stopped.status, stopped.reason, stopped.exit_code)
    assert stopped.message.startswith("Context too large: ")
    assert stopped.message.endswith(" tokens")
    assert [] == stage.asked()
    assert f"agentctl resume {stage.run_id}" == stopped.resume

    stage.policy(context={"max_tokens": 75_000, "hard_limit_tokens": 90_000})
    done = await stage.resume()

    assert (0, "Never.") == (done.exit_code, done.answer)


# --- the same again and again ---


async def test_a_loop_is_reflected_on_and_then_ends_the_run(stage):
    """B25 B26 E16"""
    stage.tool("lookup", "echo x >> n.log; cat")
    stage.replies = [*looks("a", "a", "a"), LANDED, Reply(text="Another way then.")]

    stopped = await stage.run()

    assert ("stopped", "loop", 11, LANDED.text) == (
        stopped.status, stopped.reason, stopped.exit_code, stopped.answer,
    )  # fmt: skip
    assert stopped.message.startswith("Could not complete: lookup was called ")
    assert 1 == len((stage.folder / "n.log").read_text().split())
    assert ["LOOP", "LOOP"] == [done.code for done in stage.events(ToolFinished) if not done.ran]
    assert 2 == len(stage.events(LoopSeen))
    assert "You've called the same tool with the same arguments multiple times." in sent(stage.asked()[2])
    assert f"agentctl resume {stage.run_id}" == stopped.resume

    done = await stage.resume()

    assert (0, "Another way then.") == (done.exit_code, done.answer)
    assert "Take another way than the one that led nowhere." in sent(stage.asked()[-1])


async def test_a_loop_that_is_heeded_costs_one_step(stage):
    """A40 G2: the reflection is a result, and the run goes on."""
    stage.tool("lookup", "cat")
    stage.replies = [*looks("a", "a", "b"), MORE]

    assert (0, MORE.text) == ((done := await stage.run()).exit_code, done.answer)


async def test_halt_ends_at_the_first_repeat(stage):
    stage.tool("lookup", "cat")
    stage.policy(loops={"on_loop": "halt"})
    stage.replies = [*looks("a", "a"), LANDED]

    stopped = await stage.run()

    assert ("loop", 11, LANDED.text) == (stopped.reason, stopped.exit_code, stopped.answer)


async def test_a_circle_of_five_calls_ends_too(stage):
    """H8, C44"""
    stage.tool("lookup", "cat")
    stage.replies = [*looks(*"abcde" * 2, "a", "b"), LANDED]

    stopped = await stage.run()

    assert ("loop", 11, LANDED.text) == (stopped.reason, stopped.exit_code, stopped.answer)
    assert ["cycle", "cycle"] == [seen.kind for seen in stage.events(LoopSeen)]


async def test_a_search_that_finds_nothing_is_told_and_then_ended(stage):
    """A31 C37 B63: other words each time, always nothing."""
    stage.tool("lookup", 'echo \'{"results": [], "total": 0}\'')
    stage.replies = [*looks("late orders", "delayed orders", "orders overdue", "what is late"), LANDED, MORE]

    stopped = await stage.run()

    assert ("stopped", "no_progress", 11, LANDED.text) == (
        stopped.status, stopped.reason, stopped.exit_code, stopped.answer,
    )  # fmt: skip
    words = "Could not complete: the last 4 results of lookup were the same. Please try a more specific query."
    assert words == stopped.message
    assert "The last 3 results of lookup were the same" in sent(stage.asked()[3])
    assert [("stall", False), ("stall", True)] == [(seen.kind, seen.halt) for seen in stage.events(LoopSeen)]
    assert f"agentctl resume {stage.run_id}" == stopped.resume

    done = await stage.resume()

    assert (0, MORE.text) == (done.exit_code, done.answer)


async def test_polling_and_paging_go_on(stage):
    """D02 G3: a pollable tool says the same for long, and every page says something else."""
    stage.tool("poll", 'echo \'{"state": "running"}\'', pollable=True)
    pages = 'n=$(cat page 2>/dev/null || echo 0); echo $((n+1)) > page; echo "[\\"row $n\\", \\"line $((n*7))\\"]"'
    stage.tool("page", pages, parameters={"type": "object", "properties": {"n": {"type": "integer"}}})
    turns = [calls(("poll", {}), ("page", {"n": n}), usage=usage(100)) for n in range(7)]
    stage.replies = [*turns, MORE]

    done = await stage.run()

    assert (0, MORE.text, []) == (done.exit_code, done.answer, stage.events(LoopSeen))
    assert 14 == len([one for one in stage.events(ToolFinished) if one.ran])


# --- somebody else takes over ---


async def test_after_many_errors_the_case_is_handed_over_and_a_resume_goes_on(stage):
    """D92 D93: one message with reason and contact; nothing more is asked of the model."""
    stage.tool("lookup", "echo no such order >&2; exit 3")
    stage.policy(handoff={"enabled": True, "contact": "ops@example.com", "after_tool_errors": 2})
    stage.replies = [*looks("a", "b"), MORE]

    handed = await stage.run()

    words = "Handed over to ops@example.com: 2 tool errors in a row, the last of lookup."
    assert ("stopped", "handoff", 19, words) == (handed.status, handed.reason, handed.exit_code, handed.answer)
    assert [("2 tool errors in a row, the last of lookup", "ops@example.com")] == [
        (event.reason, event.contact) for event in stage.events(HandedOff)
    ]
    assert 2 == len(stage.asked())
    assert f"agentctl resume {stage.run_id}" == handed.resume

    done = await stage.resume()

    assert (0, MORE.text) == (done.exit_code, done.answer)


async def test_instead_of_a_question_the_case_is_handed_over(stage):
    """D94: before ambiguous money moves; who resumes is asked."""
    log = stage.effect("refund", side_effects="irreversible")
    stage.policy(handoff={"enabled": True, "contact": "finance", "before_tier": "high"})
    stage.replies = [calls(("refund", {"id": "a"})), MORE]
    person = Person([Answer("approve", "ada")])

    handed = await stage.run(person)

    assert ("handoff", 19) == (handed.reason, handed.exit_code)
    assert "Handed over to finance: refund needs a person's decision (risk high)." == handed.answer
    assert ([], False) == (person.asked, log.exists())

    done = await stage.resume(person)

    assert (0, 1, True) == (done.exit_code, len(person.asked), log.exists())


# --- people ---


async def test_nobody_there_parks_the_run_and_an_approval_continues_it(stage):
    """B59 D118 F05: what needs a person is not done before somebody says so, in whatever process."""
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), MORE]

    parked = await stage.run()

    assert ("parked", "approval", 12) == (parked.status, parked.reason, parked.exit_code)
    assert f"agentctl resume {stage.run_id}" == parked.resume
    assert not log.exists()
    stage.letter("approve", "c1.1", by="eve")

    done = await stage.resume()

    assert (0, MORE.text) == (done.exit_code, done.answer)
    assert [f"{stage.run_id}:c1.1"] == log.read_text().split()


async def test_a_park_stays_a_park_until_somebody_decides(stage):
    stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), MORE]

    first = await stage.run()
    again = await stage.resume()

    assert (12, 12) == (first.exit_code, again.exit_code)
    assert 1 == len(stage.asked())


async def test_a_denial_from_another_terminal_reaches_the_model_with_its_reason(stage):
    """B42"""
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), MORE]

    await stage.run()
    stage.letter("deny", "c1.1", why="ask the customer first")
    done = await stage.resume()

    assert 0 == done.exit_code
    assert not log.exists()
    denied = "Action denied by user. Cannot proceed with refund. Reason: ask the customer first"
    assert denied == stage.results()["c1.1"]["message"]
    assert denied in sent(stage.asked()[1])


async def test_all_calls_of_a_reply_can_be_decided_at_once(stage):
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"}), ("refund", {"id": "b"})), MORE]

    await stage.run()
    stage.letter("approve", "c1.1")
    stage.letter("deny", "c1.2")
    done = await stage.resume()

    assert 0 == done.exit_code
    assert [f"{stage.run_id}:c1.1"] == log.read_text().split()


async def test_a_letter_decides_while_the_run_waits(stage):
    """The prompt stands, somebody else answers: the run goes on without the prompt's answer."""
    import asyncio

    class Silent:
        async def ask(self, question):
            stage.run_id = question.run_id
            await asyncio.get_running_loop().run_in_executor(None, stage.letter, "approve", question.call_id)
            await asyncio.Event().wait()

    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), MORE]

    done = await stage.run(Silent())

    assert (0, True) == (done.exit_code, log.exists())


async def test_an_approval_under_another_policy_still_runs_what_was_approved_or_asks_again(stage):
    """An approval holds for the policy that it was given under."""
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), MORE]

    await stage.run()
    stage.policy(risk={"tiers": {"refund": "medium"}})
    parked = await stage.resume()

    assert (12, False) == (parked.exit_code, log.exists())
    stage.letter("approve", "c1.1")
    assert 0 == (await stage.resume()).exit_code


async def test_a_stop_ends_the_run(stage):
    log = stage.effect("refund", side_effects="irreversible")
    stage.replies = [calls(("refund", {"id": "a"})), MORE]

    stopped = await stage.run(Person([Answer("stop", "ada")]))

    assert ("stopped", "denied", 13) == (stopped.status, stopped.reason, stopped.exit_code)
    assert not log.exists()
    assert f"agentctl resume {stage.run_id}" == stopped.resume

    done = await stage.resume(Person([Answer("approve", "ada")]))

    assert (0, True) == (done.exit_code, log.exists())


async def test_three_denials_in_a_row_end_the_run(stage):
    """The fourth question is never asked."""
    stage.effect("refund", side_effects="irreversible")
    stage.replies = [*(calls(("refund", {"id": each})) for each in "abc"), MORE]
    person = Person([Answer("deny", "ada", "no")] * 4)

    stopped = await stage.run(person)

    assert ("stopped", "denied", 13) == (stopped.status, stopped.reason, stopped.exit_code)
    assert 3 == len(person.asked)

    done = await stage.resume(person)

    assert (0, MORE.text) == (done.exit_code, done.answer)


async def test_deny_where_nobody_can_answer_goes_on_without(stage):
    log = stage.effect("refund", side_effects="irreversible")
    stage.policy(approval={"non_interactive": "deny"})
    stage.replies = [calls(("refund", {})), MORE]

    done = await stage.run()

    assert (0, False) == (done.exit_code, log.exists())


async def test_a_question_shows_what_will_be_done_and_nothing_secret(stage):
    stage.effect("refund", side_effects="irreversible", owner="billing", parameters={"type": "object"})
    stage.replies = [calls(("refund", {"id": "a", "api_key": "hush-hush-hush"})), MORE]
    person = Person([Answer("approve", "ada")])

    await stage.run(person)

    (question,) = person.asked
    assert ("refund", "billing", {"id": "a", "api_key": "[REDACTED]"}) == (
        question.tool, question.owner, question.args,
    )  # fmt: skip
    assert 0 < question.spent_usd < question.limit_usd == 1.5


# --- what can't go on ---


async def test_no_provider_left_is_a_failure_that_a_resume_may_mend(stage):
    """C26"""
    stage.faults = [Fault("status", status=503, requests="1-4")]
    stage.replies = [MORE]

    failed = await stage.run()

    assert ("failed", "providers", 14) == (failed.status, failed.reason, failed.exit_code)
    assert failed.message.startswith("Max retries exceeded")
    assert f"agentctl resume {stage.run_id}" == failed.resume
    assert 0 == (await stage.resume()).exit_code


@pytest.mark.parametrize("api", ["messages", "responses", "chat"])
async def test_a_refusal_is_its_own_end(stages, api):
    stage = stages(api)
    stage.replies = [Reply(text="I will not.", stop="refusal")]

    failed = await stage.run()

    assert ("failed", "refusal", 18, None) == (failed.status, failed.reason, failed.exit_code, failed.resume)
    with pytest.raises(Forbidden):
        await stage.resume()


async def test_thrown_arguments_fail_the_run(stage):
    """C69"""
    stage.policy(args={"error_format": "throw"})
    stage.tool("lookup", "cat")
    stage.replies = [calls(("lookup", {"id": 5})), MORE]

    failed = await stage.run()

    assert ("failed", "invalid_args", 15, None) == (failed.status, failed.reason, failed.exit_code, failed.resume)
    assert failed.message.startswith("Bad tool arguments: ")
    assert 1 == len(stage.asked())


async def test_what_is_over_is_over(stage):
    stage.replies = [MORE]

    await stage.run()

    with pytest.raises(Forbidden) as refused:
        await stage.resume(steps=5)
    assert 20 == refused.value.exit_code
    stage.run_id = "r_0000000000"
    with pytest.raises(Forbidden):
        await stage.resume()


async def test_limits_only_rise(stage):
    with pytest.raises(Usage):
        await stage.resume(usd=-1.0)


async def test_the_landing_note_is_not_repeated_and_says_why(stage):
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 1})
    stage.replies = [*looks("a"), LANDED]

    await stage.run()

    assert ["land"] == [event.decision for event in stage.events(Decided)]
    assert "A limit of this run is reached (max_steps)" in sent(stage.asked()[-1])
    assert ["answer", "landing"] == [event.purpose for event in stage.events(ModelAsked)]
    assert LANDED.text == stage.events(Completed)[-1].answer


async def test_a_landing_that_fails_still_ends_as_the_limit(stage):
    stage.tool("lookup", "cat")
    stage.policy(budget={"max_steps": 1}, retry={"max_attempts": 1})
    stage.replies = [*looks("a"), LANDED]
    stage.faults = [Fault("status", status=500, requests="2-")]

    stopped = await stage.run()

    assert ("max_steps", 10) == (stopped.reason, stopped.exit_code)
