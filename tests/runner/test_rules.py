"""Whole runs under `[[risk.rules]]`: the same tool runs, asks or is refused by what its arguments say."""

import pytest

from agentctl.approvals.base import Answer
from agentctl.core.events import ApprovalRequested, ToolFinished, ToolStarted
from agentctl.core.tiers import Tier
from tests.runner.stage import Person, Reply, Stage, calls

pytestmark = pytest.mark.asyncio


def rules(stage: Stage, *entries: dict, **table: str) -> None:
    stage.policy(risk={"rules": list(entries), **table})


def by_call(each: ToolFinished) -> str:
    return each.call_id


async def test_one_tool_runs_asks_and_is_refused_by_its_arguments(stage: Stage):
    """B40, B42: and the question names the rule by its file and line."""
    rules(
        stage,
        {"tool": "look", "args": {"id": "^A"}, "tier": "high", "why": "costly"},
        {"tool": "look", "args": {"id": "^B"}, "tier": "forbid"},
    )
    stage.tool("look", "echo '{}'")
    stage.replies = [calls(*(("look", {"id": each}) for each in ("A1", "B1", "C1"))), Reply(text="done")]
    person = Person([Answer("approve", "ada")])
    await stage.run(approver=person)

    assert [(Tier.HIGH, {"id": "A1"})] == [(each.tier, each.args) for each in person.asked]
    assert person.asked[0].rule.startswith("policy.toml:")
    assert person.asked[0].rule.endswith(" (costly)")
    assert [None, "FORBIDDEN", None] == [each.code for each in sorted(stage.events(ToolFinished), key=by_call)]
    assert 2 == len(stage.events(ToolStarted))


async def test_a_forbidden_tool_is_not_shown_to_the_model(stage: Stage):
    rules(stage, {"tool": "lo*", "tier": "forbid", "why": "not here"}, auto_approve="high")
    stage.tool("look", "echo '{}'")
    stage.tool("other", "echo '{}'")
    stage.replies = [calls(("other", {"id": "1"})), Reply(text="done")]
    await stage.run()

    assert [{"other"}] * 2 == [{tool["name"] for tool in seen.body["tools"]} for seen in stage.asked()]


async def test_line_breaks_fool_no_pattern(stage: Stage):
    rules(stage, {"tool": "look", "args": {"id": "^A$"}, "tier": "safe"})
    stage.tool("look", "echo '{}'", side_effects="irreversible")
    wanted = (("look", {"id": each}) for each in ("A", "A\nB", "A\n"))
    stage.replies = [calls(*wanted), Reply(text="done")]
    await stage.run()

    assert 1 == len(stage.events(ToolStarted))
    assert stage.events(ApprovalRequested)
