"""`pause`, `cancel` and `approve --happened`, typed as a user would."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentctl.runner.stores import open_journal

TASK = """version = 1
name = "errand"
goal = "Pay."
rehearsal = "script.toml"
[[tools]]
name = "pay"
description = "Pays."
command = ["sh", "pay.sh"]
parameters = { type = "object", properties = { id = { type = "string" } } }
side_effects = "irreversible"
untrusted = false

"""
SCRIPT = """[[reply]]
calls = [{ tool = "pay", args = { id = "A-1" } }]
[[reply]]
text = "Paid."
"""


@pytest.fixture
def errand(tmp_path):
    (tmp_path / "task.toml").write_text(TASK)
    (tmp_path / "policy.toml").write_text('version = 1\n[risk]\nauto_approve = "high"\n')
    (tmp_path / "script.toml").write_text(SCRIPT)
    (tmp_path / "pay.sh").write_text("echo x >> pay.log; echo '{}'\n")
    return tmp_path


def started(errand, *more, failpoint=""):
    line = [sys.executable, "-m", "agentctl", "run", str(errand / "task.toml"), "--policy", str(errand / "policy.toml")]
    return subprocess.Popen(
        [*line, "--rehearse", "--real-tools", *more],
        env={**os.environ, "AGENTCTL_FAILPOINT": failpoint},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def running(agentctl):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        items = agentctl("runs", "--json").json["items"]
        if items and items[0]["status"] == "running":
            return items[0]["run_id"]
        time.sleep(0.05)
    raise AssertionError("it never began")


@pytest.mark.parametrize(("wish", "status", "code"), [("pause", "paused", 143), ("cancel", "cancelled", 20)])
def test_a_run_of_another_terminal_is_stopped_by_its_id(agentctl, errand, wish, status, code):
    """E20"""
    (errand / "script.toml").write_text(
        '[[reply]]\ntext = "x"\n[[fault]]\nkind = "status"\nstatus = 529\nrequests = "1-"\n'
        'headers = { "retry-after" = "9" }\n'
    )
    child = started(errand)
    run_id = running(agentctl)

    said = agentctl(wish, run_id)

    assert code == child.wait(60)
    assert 0 == said.code
    # Where the machine is too busy to let go of it while the command waits, it says that it asked.
    assert f"{run_id} is {status}" in said.out or f"{run_id} is asked to {wish}" in said.out
    (item,) = agentctl("runs", "--json").json["items"]
    assert status == item["status"]


def test_what_happened_is_said_from_elsewhere(agentctl, errand):
    """E30: the prompt's third answer, for whoever is not at the prompt."""
    child = started(errand, failpoint="before-outcome:1")
    assert -signal.SIGKILL == child.wait(60)
    (item,) = agentctl("runs", "--json").json["items"]
    run_id = item["run_id"]
    assert "crashed" == item["status"]
    assert 12 == agentctl("resume", run_id).code
    page = agentctl("approvals", run_id)
    assert "doubt  started " in page.out
    assert f"its key is {run_id}:" in page.out

    said = agentctl("approve", run_id, "--happened", '{"receipt": "R-77"}', "--json")

    assert "happened" == said.json["decision"]
    done = agentctl("resume", run_id)
    assert (0, "Paid.") == (done.code, done.out.strip())
    assert 1 == len((errand / "pay.log").read_text().split())
    assert "says that it happened" in agentctl("trace", run_id).out
    assert 20 == agentctl("approve", run_id, "--happened", "x").code


def test_what_was_never_started_can_not_have_happened(agentctl, errand):
    (errand / "policy.toml").write_text("version = 1\n")
    assert 12 == started(errand).wait(60)
    (item,) = agentctl("runs", "--json").json["items"]

    said = agentctl("approve", item["run_id"], "--happened", "x")

    assert 20 == said.code
    assert "was not started" in said.err
    assert 2 == agentctl("approve", item["run_id"], "--happened", "x", "--args", "{}").code
    assert not Path(errand / "pay.log").exists()


def test_a_cancellation_that_waits_for_a_driver_is_not_told_as_done(agentctl, errand):
    """E20: its driver, on another machine, has parked it and holds its lease still."""
    (errand / "policy.toml").write_text("version = 1\n")
    assert 12 == started(errand).wait(60)
    (item,) = agentctl("runs", "--json").json["items"]
    with open_journal(None) as journal:
        journal.write(
            lambda tx: tx.execute("UPDATE runs SET owner = 'else/x/y:1:1:a', lease_until = ?", (time.time() + 25,))
        )

    said = agentctl("cancel", item["run_id"])

    assert 0 == said.code
    assert "is parked and asked to cancel" in said.out
    assert "agentctl resume" not in said.err


def test_wishes_that_nobody_can_grant_are_told_with_the_way_out(agentctl, errand):
    assert 20 == agentctl("pause", "r_0000").code
    (errand / "policy.toml").write_text("version = 1\n")
    assert 12 == started(errand).wait(60)
    (item,) = agentctl("runs", "--json").json["items"]
    paused = agentctl("pause", item["run_id"])
    assert (20, True) == (paused.code, "is parked: nothing runs that could be paused" in paused.err)

    cancelled = agentctl("cancel", item["run_id"], "--json")

    assert {"run_id": item["run_id"], "status": "cancelled", "asked": "cancel", "unsure": []} == json.loads(
        cancelled.out
    )
    assert 20 == agentctl("resume", item["run_id"]).code
