"""What a task asks for beside the model: steps before it, a shape and a check after it, tools that stand in."""

import json

import pytest

from agentctl.core.events import Checked, Degraded, RunStarted, StepsPlanned, ToolFinished, ToolStarted
from agentctl.errors import Usage
from tests.runner.stage import APIS, Reply, calls, usage

DONE = Reply(text="Done.", usage=usage(100))


@pytest.mark.parametrize("spoken", APIS)
async def test_steps_are_done_before_the_model_speaks_and_it_finds_their_results(stages, spoken):
    """D10 G20"""
    stage = stages(spoken)
    stage.tool("lookup", "cat")
    stage.task["steps"] = [{"tool": "lookup", "args": {"id": "a"}}, {"tool": "lookup", "args": {"id": "b"}}]
    stage.replies = [DONE]

    done = await stage.run()

    assert (0, "Done.") == (done.exit_code, done.answer)
    kinds = [type(event) for event in stage.events(RunStarted, StepsPlanned, ToolStarted)]
    assert [RunStarted, StepsPlanned, ToolStarted, ToolStarted] == kinds
    (asked,) = stage.asked()
    body = json.dumps(asked.body)
    assert body.index("step_1") < body.index("step_2")
    assert 'id\\\\\\": \\\\\\"b' in body or '"b' in body


async def test_a_step_that_needs_a_person_parks_the_run_and_goes_on_when_it_is_approved(stage):
    """G20: steps pass the same guards as the model's own calls."""
    log = stage.effect("send", side_effects="irreversible")
    stage.task["steps"] = [{"tool": "send", "args": {"id": "a"}}]
    stage.replies = [DONE]

    parked = await stage.run()
    assert (12, []) == (parked.exit_code, stage.asked())
    stage.letter("approve", "s1")
    done = await stage.resume()

    assert 0 == done.exit_code
    assert 1 == len(log.read_text().split())


async def test_an_answer_of_the_wrong_shape_is_asked_for_again_and_then_given_as_json(stage):
    """A77"""
    stage.task["output"] = {"schema": {"type": "object", "required": ["status"]}, "retries": 2}
    stage.replies = [
        Reply(text="It is fine."),
        Reply(text='{"state": "lost"}'),
        Reply(text='```json\n{"status": "lost"}\n```'),
    ]

    done = await stage.run()

    assert (0, {"status": "lost"}, '{"status": "lost"}') == (done.exit_code, done.body["output"], done.answer)
    assert "It is not JSON" in json.dumps(stage.asked()[1].body)
    assert "'status' is a required property" in json.dumps(stage.asked()[2].body)


async def test_an_answer_that_never_takes_the_shape_fails_the_run(stage):
    stage.task["output"] = {"schema": {"type": "object"}, "retries": 1}
    stage.replies = [Reply(text="No.")]

    failed = await stage.run()

    assert ("failed", "output", 15, 2) == (failed.status, failed.reason, failed.exit_code, len(stage.asked()))


async def test_a_run_is_completed_only_when_its_check_agrees(stage):
    """D95 G20: the model is told what the check said, and may mend it."""
    stage.effect("mend", "touch mended")
    stage.task["check"] = {"command": ["sh", "-c", "test -e mended || { echo nothing is mended; exit 3; }"]}
    stage.replies = [Reply(text="All is well."), calls(("mend", {})), Reply(text="Now it is.")]

    done = await stage.run()

    assert (0, "Now it is.") == (done.exit_code, done.answer)
    assert [(False, 3), (True, 0)] == [(each.passed, each.code) for each in stage.events(Checked)]
    assert "nothing is mended" in json.dumps(stage.asked()[1].body)


async def test_a_check_that_never_passes_fails_the_run(stage):
    stage.task["check"] = {"command": ["false"], "retries": 1}
    stage.replies = [DONE]

    failed = await stage.run()

    assert ("failed", "check", 15) == (failed.status, failed.reason, failed.exit_code)
    assert 2 == len(stage.events(Checked))


async def test_a_tool_that_requires_the_check_runs_only_after_it_passed(stage):
    """D95"""
    log = stage.effect("merge", requires_check=True)
    stage.effect("mend", "touch mended")
    stage.task["check"] = {"command": ["test", "-e", "mended"]}
    stage.replies = [calls(("merge", {})), calls(("mend", {})), calls(("merge", {})), DONE]

    done = await stage.run()

    assert 0 == done.exit_code
    first, _, last = [each for each in stage.events(ToolFinished) if each.final]
    assert ("CHECK_REQUIRED", "success") == (first.code, last.status)
    assert 1 == len(log.read_text().split())


async def test_a_tool_whose_circuit_is_open_is_stood_in_for_and_the_model_is_told(stage):
    """E25"""
    stage.policy(circuit={"tools": {"failure_threshold": 1}}, results={"max_attempts": 1})
    stage.tool("search", "exit 75", fallback_tool="keywords")
    stage.tool("keywords", "cat")
    stage.replies = [calls(("search", {"id": "a"})), calls(("search", {"id": "b"})), DONE]

    done = await stage.run()

    assert 0 == done.exit_code
    answer = [each for each in stage.events(ToolFinished) if each.final][1]
    assert ("keywords", "success") == (answer.tool, answer.status)
    assert "search is unhealthy: answered by keywords" in answer.result["message"]
    assert "search is unhealthy: answered by keywords" in [each.notice for each in stage.events(Degraded)]


async def test_a_limit_per_minute_is_named(stage):
    """D05"""
    stage.tool("lookup", "cat", max_calls_per_minute=1)
    stage.replies = [calls(("lookup", {"id": "a"}), ("lookup", {"id": "b"})), DONE]

    await stage.run()

    assert "max_calls_per_minute of 1 reached" in stage.results()["c1.2"]["message"]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("session_usd", {"session": "talk"}),
        ("user_daily_usd", {}),
        ("tenant_daily_usd", {"tenant": "acme"}),
        ("hourly_usd", {}),
    ],
)
async def test_a_limit_that_runs_share_ends_the_next_one_with_a_landing(stage, key, order):
    """D43 D44 D48: reserved in all scopes at once, and named."""
    stage.policy(budget={key: 0.30, "landing": 0.2})
    stage.tool("lookup", "cat")
    stage.replies = [Reply(text="First.", usage=usage(76_000)), Reply(text="That is all.", usage=usage(1_000))]

    first = await stage.run(**order)
    stage.stamped, stage.states = [], []
    second = await stage.run(**order)

    assert (0, "First.") == (first.exit_code, first.answer)
    assert ("stopped", key, 10, "That is all.") == (second.status, second.reason, second.exit_code, second.answer)
    assert second.message.startswith(f"{key} limit exceeded: $0.23 + $")


async def test_a_limit_per_tenant_needs_a_tenant(stage):
    """C59"""
    stage.policy(budget={"tenant_daily_usd": 1.0})
    stage.replies = [DONE]

    with pytest.raises(Usage, match="none is named"):
        await stage.run()
