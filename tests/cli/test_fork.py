"""`agentctl fork`: what it says, prints and refuses. What it does is in tests/runner/test_forking.py."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from agentctl.core import events as e
from agentctl.journal import lease

from .conftest import replied, started


@pytest.fixture
def parent(agentctl, demo):
    """A rehearsed run that has its answer."""
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--json")
    assert called.code == 0
    return called.json


def test_a_fork_ends_with_its_own_answer_cost_and_id(agentctl, parent):
    """B48"""
    called = agentctl("fork", parent["run_id"], "--json")
    fork = called.json

    assert called.code == 0
    assert parent["answer"] == fork["answer"]
    assert parent["run_id"] != fork["run_id"]
    assert (1, 0) == (fork["steps"], fork["tool_calls"])
    assert 0 < fork["cost_usd"] < parent["cost_usd"]
    assert f"forking {parent['run_id']} at 22 of 25, step 3; what it cost stays its own" in called.err


def test_show_runs_and_trace_of_a_fork_count_what_is_its_own(agentctl, parent):
    fork = agentctl("fork", parent["run_id"], "--json").json
    page = agentctl("show", fork["run_id"], "--json").json
    row = agentctl("runs", "--json").json["items"][0]
    trace = agentctl("trace", fork["run_id"], "--json").json

    assert {"run_id": parent["run_id"], "seq": 22} == page["forked_from"]
    assert fork["cost_usd"] == page["cost_usd"] == row["cost_usd"] == trace["cost_usd"]
    assert (1, 0, 1) == (page["steps"], page["tool_calls"], row["steps"])
    assert f"forked from {parent['run_id']} at 22" in agentctl("show", fork["run_id"]).out
    assert f"run.forked [from {parent['run_id']} at 22" in agentctl("trace", fork["run_id"]).out
    assert agentctl("show", parent["run_id"], "--json").json["forked_from"] is None
    assert agentctl("store", "check").code == 0


def test_what_caches_did_for_a_copied_call_is_counted_for_its_own_run_alone(agentctl, parent):
    before = agentctl("cache", "stats", "--rehearsed", "--json").json["items"][0]["requests"]
    fork = agentctl("fork", parent["run_id"], "--json").json
    after = agentctl("cache", "stats", "--rehearsed", "--json").json["items"][0]["requests"]

    assert before + fork["steps"] == after


def test_a_fork_tells_nothing_of_what_the_task_takes(agentctl, parent):
    """C75: else twenty forks of the last step would open the gate for all of it."""
    agentctl("fork", parent["run_id"])
    told = agentctl("stats", "--rehearsed", "--json").json

    assert 2 == told["runs"]
    assert {1} == {figure["runs"] for figure in told["a_run"]}


def test_events_of_a_fork_begin_with_the_one_that_says_where_it_is_from(agentctl, parent):
    called = agentctl("fork", parent["run_id"], "--at", "18", "--goal", "Be brief.", "--events")
    lines = [json.loads(line) for line in called.out.splitlines()]

    assert ["forked", "resumed"] == [line["event_type"] for line in lines[:2]]
    assert "complete" == lines[-1]["event_type"]
    assert (19, 18, "Be brief.") == (lines[0]["seq"], lines[0]["data"]["at"], lines[0]["data"]["goal"])


def test_another_policy_is_the_fork_s_from_there_on(agentctl, parent, demo):
    (demo / "tight.toml").write_text('version = 1\nextends = "policy.toml"\n[budget]\nmax_steps = 1\n')
    fork = agentctl("fork", parent["run_id"], "--at", "8", "--policy", demo / "tight.toml", "--json").json
    page = agentctl("show", fork["run_id"], "--json").json

    assert ("stopped", "max_steps") == (fork["status"], fork["reason"])
    assert fork["policy"] == page["policy"]
    assert "tight" == page["policy"]["name"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--at", "9"], 20, "can't be forked at 9: a call is under way there, or the run has its answer. The nearest"),
        (["--at", "99"], 20, "can't be forked at 99: it ends at 25. The nearest safe points: 22 before it"),
        (["--at", "0"], 2, "Invalid value for '--at'"),
        (["--policy", "nowhere"], 3, "nowhere"),
        (["--max-usd", "9"], 2, "--max-usd 9 is above the policy's budget.run_usd = 0.5"),
        (["--json", "--events"], 2, "--json and --events exclude each other"),
    ],
)
def test_what_can_not_be_forked_is_one_line_and_makes_no_run(agentctl, parent, arguments, code, said):
    called = agentctl("fork", parent["run_id"], *arguments)

    assert code == called.code
    assert said in called.err
    assert 1 == len(agentctl("runs", "--json").json["items"])


def test_the_point_of_the_help_is_a_safe_one_of_the_demo(agentctl, parent):
    (point,) = set(re.findall(r"--at (\d+)", agentctl("help", "replay").out + agentctl("fork", "--help").out))

    assert f"at {point} of 25" in agentctl("fork", parent["run_id"], "--at", point).err


def test_an_unknown_run_and_one_of_several_that_begin_so(agentctl, record):
    record("r_aaa111", started(), replied())
    record("r_aaa222", started(), replied())

    assert "there is no run r_zzz" in agentctl("fork", "r_zzz").err
    assert "several runs begin with r_aaa: r_aaa111, r_aaa222" in agentctl("fork", "r_aaa").err


@pytest.mark.parametrize("point", ["writer-after-commit:1", "lease-taken:1"])
def test_a_fork_that_died_before_its_first_call_is_crashed_offered_and_resumed(agentctl, parent, point):
    """E36"""
    made = [sys.executable, "-m", "agentctl", "fork", parent["run_id"]]
    died = subprocess.run(made, check=False, env={**os.environ, "AGENTCTL_FAILPOINT": point}, capture_output=True)
    assert -signal.SIGKILL == died.returncode
    now = time.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now + lease.LEASE_S + 1)  # nobody waits for who has just made it
        (item,) = agentctl("runs", "--status", "crashed", "--json").json["items"]
        resume = f"agentctl resume {item['run_id']}"
        assert resume in agentctl("show", item["run_id"]).out
        assert resume in agentctl("doctor").out

    assert 0 == agentctl("resume", item["run_id"]).code


def test_a_journal_without_a_beginning_can_not_be_forked(agentctl, record):
    called = agentctl("fork", record("r_aaa111", e.ModelAsked("p", "i", "m", 1, "answer", 1, 1, 1)))

    assert 20 == called.code
    assert "the journal of r_aaa111 has no beginning" in called.err
