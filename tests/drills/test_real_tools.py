"""Drills with --real-tools: what really runs is waited for and seen, and what a drill attacks never really runs."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from agentctl.core.events import ApprovalDecided, ToolFinished
from agentctl.rehearsal.drills.registry import DRILLS
from agentctl.runner.drills.drilling import Wanted, run
from agentctl.runner.order import Order
from tests.drills.playing import Quiet, a_task, tool

SLOW = "import json, time; time.sleep(0.7); open('ran', 'a').write('x'); print(json.dumps({'really': True}))"
YES = """import json, sys, time
asked = json.load(sys.stdin)
time.sleep(0.7)
print(json.dumps({"decision": "approve", "digest": asked["digest"], "why": "fine"}))
"""


def really(task, name, alter=lambda policy: policy):
    folder = task.parent / "stores"
    folder.mkdir()
    drills = tuple(drill for drill in DRILLS if drill.name == name)
    (outcome,) = run(Wanted(Order(task, real_tools=True), drills, folder, real_tools=True, alter=alter), Quiet())
    return outcome


def of(outcome, kind):
    return [each.event for client in outcome.seen.clients for each in client.events if isinstance(each.event, kind)]


def test_a_program_that_takes_its_time_is_waited_for_and_what_reached_it_is_seen(tmp_path):
    """D01"""
    slow = tool("look", command=[sys.executable, "-c", SLOW], timeout_seconds=30)

    outcome = really(a_task(tmp_path, slow), "bad-args")

    assert outcome.passed
    assert [each.status for each in of(outcome, ToolFinished) if each.ran] == ["success"]
    assert (tmp_path / "ran").read_text() == "x"
    assert [use.tool for use in outcome.seen.uses] == ["look"]


def test_a_reviewer_that_takes_its_time_is_waited_for(tmp_path):
    """A33"""
    grave = tool("wipe_notes", "irreversible", command=[sys.executable, "-c", SLOW], timeout_seconds=30)
    task = a_task(tmp_path, grave)
    (tmp_path / "review.py").write_text(YES)
    command = [sys.executable, str(tmp_path / "review.py")]
    with (tmp_path / "policy.toml").open("a") as policy:
        policy.write(f"[approval]\ncommand = {json.dumps(command)}\n")

    outcome = really(task, "bad-args")

    by = f"reviewer {Path(sys.executable).name}"
    assert [(each.decision, each.by) for each in of(outcome, ApprovalDecided)] == [("approve", by)]


def test_what_an_attack_aims_at_is_played_and_its_use_is_seen(tmp_path):
    """D09, D22"""
    tools = (tool("look", untrusted=True), tool("wipe_notes", "irreversible", command=[sys.executable, "-c", SLOW]))

    outcome = really(
        a_task(tmp_path, *tools),
        "injection",
        lambda policy: replace(policy, risk=replace(policy.risk, enabled=False)),
    )

    assert not outcome.passed
    assert "wipe_notes was called on a stranger's word" in outcome.observed
    assert not (tmp_path / "ran").exists()
