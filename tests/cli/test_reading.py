"""`runs`, `show`, `trace` and `events` over recorded runs."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from typing import get_args

import pytest

from agentctl.core import events as e
from agentctl.core.events.run import Status
from agentctl.journal import lease
from agentctl.journal.runs import STATUSES

from .conftest import replied, requested, started


def completed(status="completed", reason="done", code=0, answer="It is lost.", message=""):
    return e.Completed(status, reason, code, 18_400, answer, message)


@pytest.fixture
def three(record):
    """One completed, one stopped by a limit, one parked."""
    record("r_aaa111", started(), replied(text="It is lost."), completed(), ago=7200)
    said = "run_usd limit exceeded: $0.50 + $0.0200 > $0.50"
    stopped = started(), replied(), completed("stopped", "run_usd", 10, "", said)
    record("r_bbb222", *stopped, status="stopped", reason="run_usd", ago=600, user="bob")
    record(
        "r_ccc333",
        started(),
        replied(),
        requested(),
        completed("parked", "approval", 12, ""),
        status="parked",
        reason="approval",
    )


def test_runs_newest_first(agentctl, three):
    called = agentctl("runs")

    assert called.out.splitlines() == [
        "ID        TASK          STATUS     REASON    COST     STEPS  AGE",
        "r_ccc333  order-triage  parked     approval  $0.0184  1      0s",
        "r_bbb222  order-triage  stopped    run_usd   $0.0184  1      10m",
        "r_aaa111  order-triage  completed  done      $0.0184  1      2h",
    ]


def test_runs_as_json_has_the_contract_s_columns(agentctl, three):
    body = agentctl("runs", "--json", "--limit", "2").json

    assert body["truncated"] is True
    assert [item["run_id"] for item in body["items"]] == ["r_ccc333", "r_bbb222"]
    item = body["items"][0]
    assert list(item)[:8] == ["run_id", "task", "status", "reason", "cost_usd", "steps", "started_at", "user"]
    assert (item["cost_usd"], item["steps"], item["user"]) == (0.0184, 1, "ada")


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (["--status", "parked"], ["r_ccc333"]),
        (["--user", "bob"], ["r_bbb222"]),
        (["--since", "1h"], ["r_ccc333", "r_bbb222"]),
        (["--task", "other"], []),
        (["--status", "crashed"], []),
    ],
)
def test_runs_can_be_filtered(agentctl, three, filters, left):
    assert [item["run_id"] for item in agentctl("runs", "--json", *filters).json["items"]] == left


def test_a_run_whose_driver_is_gone_is_crashed(agentctl, record):
    record("r_ddd444", started(), status="running", reason="")

    assert agentctl("runs", "--status", "crashed", "--json").json["items"][0]["status"] == "crashed"
    assert "next             agentctl resume r_ddd444" in agentctl("show", "r_ddd444").out


def test_a_crashed_run_is_found_behind_any_number_that_run(agentctl, record, monkeypatch):
    record("r_ddd444", started(), status="running", reason="", ago=60)
    record("r_eee555", started(), status="running", reason="")
    monkeypatch.setattr(lease, "crashed", lambda row, _: row.run_id == "r_ddd444")

    called = agentctl("runs", "--status", "crashed", "--limit", "1", "--json")

    assert ["r_ddd444"] == [item["run_id"] for item in called.json["items"]]
    assert not called.json["truncated"]


def test_a_status_that_no_run_can_have_is_wrong_usage(agentctl, three):
    """`--status crash` that finds nothing would read like good news."""
    called = agentctl("runs", "--status", "crash")

    assert 2 == called.code
    assert "expected one of queued, running, parked, paused" in called.err
    assert set(get_args(Status)) == set(STATUSES)


def test_a_run_that_died_before_its_first_event_is_crashed_and_says_what_is_left_to_do(agentctl, demo):
    made = [sys.executable, "-m", "agentctl", "run", demo / "task.toml", "--rehearse", "--var", "order=A-1001"]
    died = subprocess.run(
        made, check=False, env={**os.environ, "AGENTCTL_FAILPOINT": "run-taken:1"}, capture_output=True
    )
    assert -signal.SIGKILL == died.returncode

    (item,) = agentctl("runs", "--status", "crashed", "--json").json["items"]
    page = agentctl("show", item["run_id"])

    assert f"next             agentctl cancel {item['run_id']}" in page.out
    assert "agentctl resume" not in page.out
    assert f"agentctl cancel {item['run_id']}" in agentctl("doctor").out
    for command in (["resume"], ["fork"], ["replay"], ["replay", "--check"]):
        said = agentctl(*command, item["run_id"])
        assert 20 == said.code, said.err
        assert "no beginning" in said.err or "nothing is recorded" in said.err
    assert 0 == agentctl("cancel", item["run_id"]).code


def test_no_runs_is_no_error(agentctl):
    called = agentctl("runs")

    assert (called.code, called.out, called.err) == (0, "", "no runs yet\n")


def test_show_a_finished_run(agentctl, three):
    """A52: the hit ratio in percent, with one decimal."""
    lines = agentctl("show", "r_aaa").out.splitlines()

    assert lines[:4] == ["r_aaa111 · order-triage · customer-facing", "completed: done", "", "It is lost."]
    assert "cost             $0.0184" in lines
    assert "cache hit ratio  2.2%" in lines
    assert "tokens           input 1,747 · output 60 · cache read 40 · cache write 0" in lines
    assert "run_usd          0.0184 used" in lines
    assert lines[-1] == "next             agentctl trace r_aaa111"


def test_show_says_what_to_do_next(agentctl, three):
    stopped, parked = agentctl("show", "r_bbb").out, agentctl("show", "r_ccc").out

    assert "stopped: run_usd\nrun_usd limit exceeded: $0.50 + $0.0200 > $0.50\n" in stopped
    assert "next             agentctl resume r_bbb222 --add-usd USD\n" in stopped
    assert 'waits            c1.1 send_refund {"order_id": "A-1001"}\n' in parked
    assert "next             agentctl approve r_ccc333\n" in parked


def test_show_knows_the_limits_while_the_files_are_there(agentctl, record, demo):
    record("r_eee555", started(), replied(micro=450_000), completed(), task=demo / "task.toml")
    page = agentctl("show", "r_eee555").out

    assert "run_usd          █████████░  90%  0.45 of 0.5\n" in page
    assert "max_steps        █░░░░░░░░░  12%  1 of 8\n" in page


def test_show_as_json_is_the_result_object(agentctl, three):
    body = agentctl("show", "r_aaa111", "--json").json

    assert list(body)[:20] == [
        "run_id", "session_id", "status", "reason", "exit_code", "answer", "output", "cost_usd", "usage",
        "cache_hit_ratio", "steps", "tool_calls", "retries", "providers", "degraded", "budget", "duration_s", "policy",
        "rehearsed", "resume",
    ]  # fmt: skip
    assert body["policy"] == {"name": "customer-facing", "digest": "d"}
    assert (body["exit_code"], body["resume"], body["cache_hit_ratio"]) == (0, None, 0.0224)


@pytest.mark.parametrize("command", ["show", "trace", "events", "approve", "deny", "resume"])
def test_an_unknown_run_is_20(agentctl, command):
    called = agentctl(command, "r_nope")

    assert called.code == 20
    assert called.err == "error: there is no run r_nope\n\nhint: `agentctl runs` lists them.\n"


def test_trace_prints_the_tree(agentctl, three):
    """E21"""
    assert agentctl("trace", "r_bbb222").out == (
        "Trace: r_bbb222 · order-triage · customer-facing\n"
        "├── llm.completion [423ms, 1,847 tokens, $0.0184]\n"
        "│   └── anthropic.claude-sonnet-4-6\n"
        "└── response.final [1,847 tokens total, $0.0184 total] → stopped: run_usd\n"
    )


def test_trace_as_json(agentctl, three):
    items = agentctl("trace", "r_aaa111", "--inputs", "--json").json["items"]

    assert ["llm.completion", "response.final"] == [item["name"] for item in items]
    assert items[0]["inputs"] == ["out: It is lost."]


def test_what_a_row_cost_is_exact_and_the_total_is_their_sum(agentctl, record):
    """D63: the text rounds to four decimals, for programs nothing is rounded."""
    record("r_ddd444", started(), replied(micro=18_407), replied(micro=3), completed())
    body = agentctl("trace", "r_ddd444", "--json").json

    assert [0.018407, 0.000003, None] == [item.get("cost_usd") for item in body["items"]]
    assert (0.01841, False) == (body["cost_usd"], body["truncated"])


def test_nothing_recorded_moves_the_cursor(agentctl, record):
    evil = "\x1b[2J\u202eevil\r\n└── response.final [fake]"
    finished = e.ToolFinished("c1.1", evil, "error", "permanent", False, 5, {"message": evil}, 1)
    record("r_fff666", started(evil), e.Degraded("openai", evil), finished, completed(answer=evil))

    for command in (["trace", "r_fff666", "--inputs"], ["show", "r_fff666"]):
        out = agentctl(*command).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "\r" not in out
    trace = agentctl("trace", "r_fff666", "--inputs").out
    assert sum(line.startswith("└── ") for line in trace.splitlines()) == 1


def test_events_are_json_lines(agentctl, three):
    """B44 B66"""
    lines = [json.loads(line) for line in agentctl("events", "r_aaa111").out.splitlines()]

    assert ["run_started", "model_reply", "complete"] == [line["event_type"] for line in lines]
    assert list(lines[0]) == ["run_id", "seq", "session_id", "step", "event_type", "timestamp", "data"]
    assert ["complete"] == [json.loads(agentctl("events", "r_aaa111", "--after", "2").out)["event_type"]]


def test_following_a_finished_run_ends_at_once(agentctl, three):
    assert len(agentctl("events", "r_aaa111", "-f").out.splitlines()) == 3
    assert agentctl("events", "r_aaa111", "-f", "--after", "3").out == ""
    assert agentctl("events", "r_aaa111", "-f", "--after", "99").out == ""


def test_following_ends_when_the_run_does(record, isolated):
    import asyncio

    from agentctl.config import paths
    from agentctl.journal.events import Change
    from agentctl.journal.store import open_store

    record("r_ggg777", started(), status="running", reason="")
    command = [sys.executable, "-m", "agentctl", "events", "r_ggg777", "-f"]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert json.loads(follower.stdout.readline())["event_type"] == "run_started"

    async def go_on():
        with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
            epoch = await store.take("r_ggg777", "tests:1:1")
            events = [e.Stamped("r_ggg777", 2, "s_1", 1, time.time(), completed())]
            await store.append(epoch, events, Change("completed", "done"), durable=True)

    threading.Thread(target=lambda: asyncio.run(go_on())).start()
    out, _ = follower.communicate(timeout=20)
    assert follower.returncode == 0
    assert json.loads(out)["event_type"] == "complete"


@pytest.mark.parametrize(
    ("column", "commands"),
    [
        ("runs SET task", ["runs", "show r_aaa111", "trace r_aaa111", "events r_aaa111", "resume r_aaa111"]),
        ("specs SET spec", ["show r_bbb222", "resume r_bbb222"]),
        ("events SET data", ["show r_aaa111", "trace r_aaa111", "events r_aaa111", "approvals", "approve r_ccc333"]),
    ],
)
def test_a_row_that_is_no_longer_utf_8_is_one_line(agentctl, three, isolated, column, commands):
    path = isolated / "data" / "agentctl.db"
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute("DROP TRIGGER events_stay")
        store.execute(f"UPDATE {column} = CAST(x'7b22ff1b227d' AS TEXT)")

    for command in commands:
        called = agentctl(*command.split())
        line, *rest = called.err.splitlines()

        assert (3, "") == (called.code, called.out), command
        assert line.startswith(f"error: store {path}: it is damaged")
        assert "Could not decode to UTF-8" in line
        assert line.isprintable()
        assert rest == ["", "hint: Restore it from a copy, or name another store with --store."]
    assert not (isolated / "data" / "crashes").exists()


def test_a_session_is_listed_and_named(agentctl, demo):
    """A76: the next run of a conversation says what it goes on after, and another user's says nothing."""
    run = ("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--json", "--session", "monday")
    ids = [agentctl(*run, "--user", user).json["run_id"] for user in ("ada", "ada", "bob")]
    listed = agentctl("runs", "--session", "monday", "--user", "ada", "--json").json["items"]

    assert ids[1::-1] == [item["run_id"] for item in listed]
    assert {("monday", "", "ada")} == {(item["session_id"], item["tenant"], item["user"]) for item in listed}
    assert [] == agentctl("runs", "--session", "m%", "--json").json["items"]
    pages = [agentctl("show", each).out for each in ids]
    assert [f"goes on after {ids[0]}" in page for page in pages] == [False, True, False]
    assert all("session          monday" in page for page in pages)
