"""Whole runs with a shell in them: what runs by itself, what is asked, and what the question shows."""

import hashlib

import pytest

from agentctl.approvals.base import Answer
from agentctl.core.events import ApprovalRequested, Completed, ToolFinished, ToolStarted
from agentctl.core.tiers import Tier
from tests.runner.stage import Person, Reply, Stage, calls

pytestmark = pytest.mark.asyncio


@pytest.fixture
def shelled(stage: Stage) -> Stage:
    stage.tools.append({"use": "builtin:shell"})
    stage.policy(sandbox={"mode": "off"})
    return stage


async def test_a_plain_command_that_only_reads_runs_without_asking(shelled: Stage):
    shelled.replies = [calls(("shell", {"command": "ls -a"})), Reply(text="done")]
    person = Person([])
    await shelled.run(approver=person)

    assert [] == person.asked
    assert ["safe"] == [event.tier for event in shelled.events(ToolStarted)]
    assert 0 == shelled.events(ToolFinished)[0].result["data"]["exit_code"]


async def test_a_compound_is_asked_part_by_part_with_the_digest_of_what_it_runs(shelled: Stage):
    shelled.folder.mkdir(parents=True, exist_ok=True)
    script = shelled.folder / "go.sh"
    script.write_text("echo went\n")
    shelled.replies = [calls(("shell", {"command": "ls && sh go.sh > out"})), Reply(text="done")]
    person = Person([Answer("approve", "ada")])
    await shelled.run(approver=person)

    (question,) = person.asked
    assert ["ls", "sh go.sh", "> out"] == [text for text, _ in question.parts]
    assert question.parts[0][1].startswith("safe: ls only reads")
    assert "high: it has a redirection in it" == question.parts[2][1]
    assert (("go.sh", f"sha256 {hashlib.sha256(script.read_bytes()).hexdigest()[:32]}"),) == question.files
    assert "went\n" == (shelled.folder / "out").read_text()


async def test_the_question_shows_what_the_rules_say_of_each_part(shelled: Stage):
    rule = {"tool": "shell", "args": {"command": "^make$"}, "tier": "low", "why": "builds"}
    shelled.policy(sandbox={"mode": "off"}, risk={"rules": [rule]})
    shelled.replies = [calls(("shell", {"command": "make && make install"})), Reply(text="done")]
    person = Person([Answer("deny", "ada")])
    await shelled.run(approver=person)

    (question,) = person.asked
    assert ("make", "make install") == tuple(text for text, _ in question.parts)
    assert question.parts[0][1].startswith("low: policy.toml:")
    assert question.parts[0][1].endswith("(builds)")
    assert "high: make starts other programs" == question.parts[1][1]
    assert Tier.HIGH == question.tier


async def test_a_part_that_is_forbidden_is_refused_and_nobody_is_asked(shelled: Stage):
    rule = {"tool": "shell", "args": {"command": "^rm( |$)"}, "tier": "forbid"}
    shelled.policy(sandbox={"mode": "off"}, risk={"rules": [rule]})
    shelled.replies = [calls(("shell", {"command": "ls && sh -c \"r''m x\""})), Reply(text="done")]
    person = Person([])
    await shelled.run(approver=person)

    assert [] == person.asked
    assert [] == shelled.events(ToolStarted)
    assert "FORBIDDEN" == shelled.events(ToolFinished)[0].result["code"]


async def test_a_script_that_changes_after_the_approval_is_asked_about_again(shelled: Stage):
    shelled.folder.mkdir(parents=True, exist_ok=True)
    script = shelled.folder / "go.sh"
    script.write_text("echo one > out\n")
    shelled.replies = [calls(("shell", {"command": "sh go.sh"})), Reply(text="done")]

    class Swapping(Person):
        async def ask(self, question):
            answer = await super().ask(question)
            script.write_text(f"echo {len(self.asked) + 1} > out\n")
            return answer

    person = Swapping([Answer("approve", "ada"), Answer("deny", "ada", "it changed")])
    await shelled.run(approver=person)

    assert 2 == len(person.asked)
    assert person.asked[0].files != person.asked[1].files
    assert person.asked[0].digest != person.asked[1].digest
    assert not (shelled.folder / "out").exists()


async def test_where_nobody_is_there_a_risky_command_parks_the_run(shelled: Stage):
    shelled.replies = [calls(("shell", {"command": "rm -rf x"})), Reply(text="done")]
    await shelled.run()

    assert "approval" == shelled.events(Completed)[0].reason
    (asked,) = shelled.events(ApprovalRequested)
    assert "high" == asked.tier
    assert "rm is not on the list" in asked.rule
