"""`run` and `resume`, end to end against the stand-in."""

import json

import pytest


def go(agentctl, demo, *flags, **more):
    return agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", *flags, **more)


def test_the_answer_and_only_it_is_on_stdout(agentctl, demo):
    """A52: the hit ratio closes every run."""
    called = go(agentctl, demo)

    assert called.code == 0
    assert called.out.startswith("Your order A-1001")
    assert called.out.count("\n") == 1
    assert "\nCache hit ratio: 0.0%\n" in called.err
    assert called.err.splitlines()[-1].startswith("trace:   agentctl trace r_")
    assert "\x1b" not in called.out + called.err


def test_json_is_the_contract_s_object(agentctl, demo):
    body = go(agentctl, demo, "--json", "--user", "ada", "--session", "s_9").json

    wanted = [
        "run_id", "session_id", "status", "reason", "exit_code", "answer", "output", "cost_usd", "usage",
        "cache_hit_ratio", "steps", "tool_calls", "retries", "providers", "degraded", "budget", "duration_s", "policy",
        "rehearsed", "resume",
    ]  # fmt: skip
    assert [] == [key for key in wanted if key not in body]
    assert (body["status"], body["exit_code"], body["session_id"], body["rehearsed"]) == ("completed", 0, "s_9", True)
    assert agentctl("show", body["run_id"], "--json").json["user"] == "ada"


def test_events_are_lines_and_the_last_is_complete(agentctl, demo):
    called = go(agentctl, demo, "--events")
    lines = [json.loads(line) for line in called.out.splitlines()]

    assert lines[0]["event_type"] == "run_started"
    assert lines[-1]["event_type"] == "complete"
    assert list(range(1, len(lines) + 1)) == [line["seq"] for line in lines]
    assert agentctl("events", lines[0]["run_id"]).out == called.out


def test_variables_come_from_stdin_too(agentctl, demo):
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=-", stdin="A-1001\n")

    assert called.code == 0


def test_explain_sends_nothing(agentctl, demo):
    called = go(agentctl, demo, "--explain")
    body = go(agentctl, demo, "--explain", "--json").json

    assert called.code == 0
    line = next(each for each in called.out.splitlines() if each.strip().startswith("send_refund"))
    assert ["high", "risk.tiers.send_refund", "(policy.toml:20)", "ask"] == line.split()[1:5]
    assert body["limits"]["run_usd"] == 0.5
    assert agentctl("runs").err == "no runs yet\n"


@pytest.mark.parametrize(
    ("flags", "code"), [(["--max-usd", "5"], 2), (["--auto-approve", "high"], 2), (["--policy", "nope"], 3)]
)
def test_what_is_wrong_before_the_run_starts(agentctl, demo, flags, code):
    called = go(agentctl, demo, *flags, "--json")

    assert called.code == code
    assert called.json["error"]["message"]
    assert agentctl("runs").err == "no runs yet\n"


def test_without_a_key_both_ways_are_named(agentctl, demo):
    called = agentctl("run", demo / "task.toml", "--var", "order=A-1001")

    assert called.code == 3
    assert "ANTHROPIC_API_KEY" in called.err
    assert "agentctl auth set" in called.err
    assert "--rehearse" in called.err


def test_parked_then_denied_then_resumed(agentctl, nobody):
    parked = go(agentctl, nobody)
    (item,) = agentctl("approvals", "--json").json["items"]
    run = item["run_id"]

    assert parked.code == 12
    assert parked.out == ""
    assert f"decide:  agentctl approve {run}" in parked.err
    assert f"resume:  agentctl resume {run}" in parked.err
    assert agentctl("deny", run, "--why", "ask first").code == 0
    resumed = agentctl("resume", run)
    assert resumed.code == 0
    assert f"resuming {run} (parked) at step 3" in resumed.err
    assert "Reason: ask first" in resumed.err
    assert resumed.out.startswith("Your order A-1001")
    trace = agentctl("trace", run).out
    assert "├── run.parked [approval]\n├── run.resumed [by " in trace
    assert "approval.send_refund [denied by " in trace


def test_a_limit_is_never_0_and_says_how_to_go_on(agentctl, demo):
    policy = demo / "policy.toml"
    policy.write_text(policy.read_text().replace("max_steps = 8", "max_steps = 1"))
    stopped = go(agentctl, demo)

    assert stopped.code == 10
    assert "stopped: max_steps" in stopped.err
    command = next(line for line in stopped.err.splitlines() if line.startswith("resume:")).split()[1:]
    assert command[:2] == ["agentctl", "resume"]
    assert command[3] == "--add-steps"
    assert agentctl("resume", command[2], "--add-steps", "9").code == 0


def test_a_finished_run_can_not_be_resumed(agentctl, demo):
    run = go(agentctl, demo, "--json").json["run_id"]

    assert agentctl("resume", run).code == 20
