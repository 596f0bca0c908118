"""The program on a PostgreSQL store: a run that is killed, followed and resumed, and what the commands say of it."""

import base64
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.journal import server


@pytest.fixture
def url(request, monkeypatch):
    server.or_skip(request.node)
    made = server.database()
    monkeypatch.setenv("AGENTCTL_STORE", made)
    monkeypatch.setenv("AGENTCTL_SEAL_KEY", base64.b64encode(os.urandom(32)).decode())
    return made


def begin(*arguments, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "agentctl", *map(str, arguments)],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_run_that_is_killed_is_followed_and_resumed(agentctl, url, demo):
    """G6 H3 D103"""
    told = agentctl("doctor", "--json").json["items"]
    assert "made by the first run" in next(each["said"] for each in told if each["name"] == "server")
    killed = begin(
        "run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", AGENTCTL_FAILPOINT="server-after-commit:6"
    )
    _, err = killed.communicate(timeout=60)
    assert -signal.SIGKILL == killed.returncode, err
    (row,) = agentctl("runs", "--json").json["items"]
    assert "crashed" == row["status"]
    told = agentctl("doctor", "--json").json["items"]
    assert f"agentctl resume {row['run_id']}" in [each["fix"] for each in told]
    assert any("PostgreSQL" in each["said"] and "1 runs" in each["said"] for each in told)

    follower = begin("events", row["run_id"], "-f")
    resumed = agentctl("resume", row["run_id"], "--json")
    assert (0, "completed") == (resumed.code, resumed.json["status"]), resumed.err
    seen, err = follower.communicate(timeout=60)

    assert seen == agentctl("events", row["run_id"]).out, err
    lines = [json.loads(line) for line in seen.splitlines()]
    assert list(range(1, len(lines) + 1)) == [line["seq"] for line in lines]
    kinds = [line["event_type"] for line in lines]
    assert 1 == kinds.count("run_started") == kinds.count("resumed")
    assert agentctl("budget", "--rehearsed").code == agentctl("cache", "stats", "--rehearsed").code == 0
    assert agentctl("trace", row["run_id"]).code == agentctl("circuits").code == 0
    with server.asking(url.partition("?")[0].rpartition("/")[2]) as operator:
        assert [] == operator.execute("SELECT * FROM agentctl.holds WHERE state = 'open'").fetchall()
        assert [] == operator.execute("SELECT * FROM agentctl.sealed").fetchall()


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_from_a_backup_of_the_server(agentctl, url, demo, tmp_path):
    """E19"""
    killed = begin(
        "run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", AGENTCTL_FAILPOINT="server-after-commit:9"
    )
    killed.communicate(timeout=60)
    assert 0 == agentctl("store", "backup", tmp_path / "copy.db").code
    copy = ("--store", f"sqlite:///{tmp_path}/copy.db")
    (row,) = agentctl("runs", "--json", *copy).json["items"]

    ended = [agentctl("resume", row["run_id"], "--json", *at) for at in ((), copy)]

    assert [(0, "completed")] * 2 == [(each.code, each.json["status"]) for each in ended], ended
    shown = [agentctl("events", row["run_id"], *at).out.splitlines() for at in ((), copy)]
    kinds = [[json.loads(line)["event_type"] for line in lines] for lines in shown]
    assert kinds[0] == kinds[1]
    assert 0 == agentctl("store", "check", *copy).code == agentctl("store", "check").code


def test_a_server_that_is_not_there_is_3_and_told_by_doctor(agentctl):
    called = agentctl("doctor", "--store", "postgresql://ada@127.0.0.1:1/db", "--json")
    (check,) = [each for each in called.json["items"] if each["name"] == "server"]

    assert (3, "fail") == (called.code, check["state"])
    assert check["said"].startswith("store postgresql://ada@127.0.0.1:1/db: it can't be connected to")


@pytest.mark.slow
def test_a_run_is_forked_and_replayed(agentctl, url, demo):
    """B48: the same on a server; what it copies is not billed again."""
    run = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--json").json
    fork = agentctl("fork", run["run_id"], "--at", "18", "--goal", "Be brief.", "--json")

    assert (0, "completed") == (fork.code, fork.json["status"]), fork.err
    page = agentctl("show", fork.json["run_id"], "--json").json
    assert (1, fork.json["cost_usd"]) == (page["steps"], page["cost_usd"])
    assert "goal: Be brief." in agentctl("replay", fork.json["run_id"]).out
    assert 0 == agentctl("replay", run["run_id"], "--check").code


@pytest.mark.slow
def test_stats_and_what_a_run_will_take(agentctl, url, demo, tmp_path):
    """E22"""
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"order": "A-1001"}\n' * 5)
    again = agentctl("run", demo / "task.toml", "--rehearse", "--lines", lines, "--parallel", 5, "--user", "ada")
    assert 0 == again.code, again.err
    one = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--user", "bob")
    refused = agentctl(
        "run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--require-p95-under", "1", "--json"
    )
    told = agentctl("stats", "--rehearsed", "--user", "ada", "--json").json

    assert "expected: cost p50 $0.0097, max $0.0097 · steps p50 4, max 4" in one.err
    assert (17, 0) == (refused.code, agentctl("stats", "--rehearsed").code)
    assert "(n=6): 14 more runs needed" in refused.json["error"]["message"]
    assert (5, 20, {"ada"}) == (told["runs"], told["steps"], {item["user"] for item in told["by"]["user"]})
