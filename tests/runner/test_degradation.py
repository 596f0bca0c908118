"""The way down of each dependency, worked out of a task and its policy."""

import sys
from pathlib import Path

import pytest

from tests.runner.audited import Ready, evidence

SERVER = Path(__file__).parents[1] / "tools" / "mcp_server.py"


@pytest.fixture
def ready(tmp_path):
    evidence()
    return Ready(tmp_path)


def ways(ready):
    return {way.dependency: way for way in ready.audit().degradation}


def test_each_provider_is_waited_for_tried_left_alone_and_followed(ready):
    """E32"""
    ready.policy["retry"] = {"max_attempts": 2, "base_delay_s": 0.5, "max_delay_s": 4.0}
    ready.policy["providers"][0] |= {"timeout_s": 20, "deadline_s": 90}
    found = ways(ready)

    assert found["first"].path == (
        "20s of silence or 90s in all is a failure",
        "2 attempts, waits of 0.5s to 4s, with jitter",
        "after 5 failures in a row left alone for 60s, then probed",
        "then (gpt-5.4) answers, and the user is told that the answer may be less polished",
        "nobody left: exit 14, saved; agentctl resume goes on",
    )
    assert found["then"].path[-1] == found["first"].path[-1]
    assert all("answers" not in step for step in found["then"].path)


def test_providers_follow_each_other_by_priority_whatever_their_order_in_the_file(ready):
    ready.policy["providers"][0]["priority"] = 5
    found = ready.audit()

    assert ["then", "first"] == [way.dependency for way in found.degradation if way.kind == "provider: answer"]


def test_an_only_provider_has_no_way_down_and_its_fix_gives_it_one(ready):
    """E32"""
    ready.policy["providers"].pop()
    alone = ways(ready)["first"]

    assert not alone.ok

    ready.type(alone.fix)

    assert ways(ready)["first"].ok
    assert "second" in ways(ready)


def test_a_role_of_its_own_has_a_chain_of_its_own(ready):
    ready.policy["providers"].append(
        {"name": "short", "sdk": "openai", "model": "gpt-5.4-mini", "priority": 3, "roles": ["summary"]}
    )
    way = ways(ready)["short"]

    assert "provider: summary" == way.kind
    assert "the oldest turns go without a summary" == way.path[-1]


def test_a_tool_says_how_long_how_often_who_stands_in_and_what_the_model_hears(ready):
    """E32 E25"""
    found = ways(ready)

    assert found["lookup"].path == (
        "timeout 5s",
        "3 attempts",
        "after 5 failures in a row left alone for 60s, then probed",
        "circuit open: search takes the call, and the model is told",
        "the model is told that it failed, and goes on without it",
    )
    assert "1 attempt" in found["refund"].path
    assert "outcome unknown: not retried; after a crash a person is asked" in found["refund"].path


def test_a_stand_in_that_would_have_to_ask_is_no_way_down(ready):
    """E25"""
    ready.policy["risk"] = {"tiers": {"search": "high"}}
    way = ways(ready)["lookup"]

    assert not way.ok
    assert "circuit open: search can't take the call: it would have to ask a person" in way.path


def test_everything_else_that_a_run_leans_on_is_named(ready):
    """E32"""
    ready.task["check"] = {"command": ["true"], "retries": 2}
    ready.policy["approval"] = {"command": ["true"], "timeout_s": 30}
    ready.policy["telemetry"] = {"otlp_endpoint": "http://127.0.0.1:9"}
    ready.policy["sandbox"] = {"mode": "auto"}
    kinds = {way.kind: way for way in ready.audit().degradation}

    assert {
        *("provider: answer", "tool", "reviewer", "check", "sandbox", "store", "keys", "collector", "alert receiver"),
    } == set(kinds)
    assert "silence for 30s, failure or nonsense" == kinds["reviewer"].path[0]
    assert "exit 15" in kinds["check"].path[-1]
    assert "json://127.0.0.1:9" == kinds["alert receiver"].dependency


def test_without_circuits_nobody_is_left_alone(ready):
    ready.policy["circuit"] = {"enabled": False}

    assert "no circuit: it is asked each time" in ways(ready)["lookup"].path


@pytest.mark.slow
def test_the_tools_of_a_server_are_judged_as_any_other(ready):
    """E32"""
    entry = {"use": "mcp", "name": "fs", "command": [sys.executable, str(SERVER)], "include": ["add", "note"]}
    ready.task["tools"].append(entry)
    found = ready.audit()
    kinds = {way.dependency: way.kind for way in found.degradation}

    assert ("MCP server", "tool", "tool") == (kinds["fs"], kinds["fs.add"], kinds["fs.note"])
    assert ["D111"] == [each.id for each in found.missing]

    (fixes,) = [each.fix.split("; ") for each in found.missing]
    for fix in fixes:
        ready.type(fix)

    assert found.missing != ready.audit().missing
    assert ready.audit().ok
