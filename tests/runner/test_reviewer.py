"""A program that reviews calls (`[approval] command`): what it is told, what it may say, and that it fails closed."""

import json

import pytest

from agentctl.approvals.base import Answer
from agentctl.core.events import ApprovalDecided, ModelAsked
from agentctl.errors import Invalid
from agentctl.rehearsal.script import Reply

from .stage import Person, Stage, calls

DONE = Reply(text="done")


@pytest.fixture
def log(stage: Stage):
    stage.replies = [calls(("send", {"id": "A-1"})), DONE]
    return stage.effect("send", side_effects="irreversible", owner="payments")


@pytest.fixture
def reviewer(stage: Stage):
    """A reviewer that lies beside the policy; its body is in the shell's language."""

    def write(body, *, timeout_s=20.0):
        stage.folder.mkdir(exist_ok=True)
        program = stage.folder / "review.sh"
        program.write_text(f"#!/bin/sh\ncat > asked.json\n{body}\n")
        program.chmod(0o755)
        stage.policy(approval={"command": ["./review.sh"], "timeout_s": timeout_s})

    return write


def said(decision, **more):
    return f"echo '{json.dumps({'decision': decision} | more)}'"


def effects(log):
    return len(log.read_text().splitlines()) if log.exists() else 0


def decisions(stage):
    return [(one.decision, one.by, one.why) for one in stage.events(ApprovalDecided)]


async def test_it_says_yes_where_nobody_sits_and_is_told_all_that_a_person_would_be(stage: Stage, reviewer, log):
    reviewer(said("approve", why="refunds below $50 are fine"))

    done = await stage.run()

    assert (0, 1) == (done.exit_code, effects(log))
    assert [("approve", "reviewer review.sh", "refunds below $50 are fine")] == decisions(stage)
    asked = json.loads((stage.folder / "asked.json").read_text())
    assert ("send", "payments", {"id": "A-1"}, "high", 'side_effects = "irreversible"') == tuple(
        asked[key] for key in ("tool", "owner", "args", "tier", "rule")
    )
    assert {"run_id", "call_id", "digest", "copied", "untrusted", "spent_usd", "limit_usd"} < set(asked)


async def test_its_no_is_final_and_the_person_is_not_asked(stage: Stage, reviewer, log):
    reviewer(said("deny", why="not on a Friday"))
    person = Person([Answer("approve", "ada")])

    await stage.run(person)

    assert ([], 0) == (person.asked, effects(log))
    assert stage.results()["c1.1"]["message"].endswith("Reason: not on a Friday")


async def test_it_may_leave_it_to_a_person(stage: Stage, reviewer, log):
    reviewer(said("ask"))

    await stage.run(Person([Answer("approve", "ada")]))

    assert ([("approve", "ada", "")], 1) == (decisions(stage), effects(log))


async def test_what_a_person_alone_decides_it_can_only_deny(stage: Stage, reviewer, log):
    stage.tool("fetch", 'echo \'{"says": "x"}\'', untrusted=True, private=True)
    stage.tools[0]["egress"] = True
    stage.replies = [calls(("fetch", {})), calls(("send", {"id": "A-1"})), DONE]
    reviewer(said("approve"))
    person = Person([Answer("approve", "ada")])

    await stage.run(person)

    assert (1, ["ada"]) == (len(person.asked), [by for _, by, _ in decisions(stage)])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("exit 1", "the reviewer failed (exit 1)"),
        (said("approve") + "; exit 3", "the reviewer failed (exit 3)"),
        ("true", "the reviewer's answer is not JSON"),
        ("echo yes", "the reviewer's answer is not JSON"),
        ("echo '\"approve\"'", 'the reviewer said neither "approve" nor "deny" nor "ask"'),
        (said("Approve"), 'the reviewer said neither "approve" nor "deny" nor "ask"'),
        ('echo \'{"decision": ["approve"]}\'', 'the reviewer said neither "approve" nor "deny" nor "ask"'),
        ('echo \'{"decision": "deny", "decision": "approve"}\'', "the reviewer's answer is not JSON"),
        (said("approve", digest="another"), "the reviewer answered another question"),
        ("head -c 3000000 /dev/zero", "the reviewer said more than 1 MB"),
        ("kill -9 $$", "the reviewer failed (exit -9)"),
    ],
)
async def test_whatever_goes_wrong_is_a_no(stage: Stage, reviewer, log, body, why):
    reviewer(body)

    await stage.run()

    assert ([("deny", "reviewer review.sh", why)], 0) == (decisions(stage), effects(log))


async def test_silence_is_a_no(stage: Stage, reviewer, log):
    reviewer("sleep 60", timeout_s=0.3)

    await stage.run()

    assert [("deny", "reviewer review.sh", "the reviewer did not answer within 0.3s")] == decisions(stage)


async def test_one_that_is_not_there_is_told_before_anything_is_sent(stage: Stage, log):
    stage.policy(approval={"command": ["./nowhere.sh"]})

    with pytest.raises(Invalid, match=r"approval.command: expected a program that can be started; './nowhere.sh'"):
        await stage.run()

    assert [] == stage.asked()


async def test_one_that_goes_away_meanwhile_is_a_no(stage: Stage, reviewer, log):
    reviewer(said("approve"))
    stage.when(ModelAsked, (stage.folder / "review.sh").unlink)

    await stage.run()

    ((decision, _, why),) = decisions(stage)
    assert ("deny", "the reviewer has changed since the run began") == (decision, why)
    assert 0 == effects(log)


async def test_no_tool_of_the_run_rewrites_it(stage: Stage, reviewer, log):
    reviewer(said("deny"))
    stage.tools.append({"use": "builtin:write_file"})
    stage.replies = [calls(("write_file", {"path": "review.sh", "text": "#!/bin/sh\necho '{}'\n"})), DONE]

    await stage.run()

    assert "echo '{}'" not in (stage.folder / "review.sh").read_text()


async def test_a_policy_that_is_named_by_a_relative_path_has_its_reviewer_beside_it(
    stage: Stage, reviewer, log, monkeypatch
):
    reviewer(said("approve"))
    monkeypatch.chdir(stage.folder.parent)

    await stage.run(policy=f"{stage.folder.name}/policy.toml")

    assert [("approve", "reviewer review.sh", "")] == decisions(stage)


async def test_it_is_given_none_of_our_keys(stage: Stage, reviewer, log):
    reviewer(f"env > {stage.folder}/env; {said('deny')}")

    await stage.run()

    assert "STAGE_KEY" not in (stage.folder / "env").read_text()
