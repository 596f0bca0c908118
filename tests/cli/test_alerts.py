"""`agentctl alerts`: what a check prints and how it exits, what is listed, what a test says of each receiver."""

import json
import os
import secrets
import subprocess
import sys
import time

import pytest

from agentctl.config import receiving
from agentctl.core import events as e
from agentctl.telemetry import alerts
from tests.cli.conftest import requested, started
from tests.telemetry.conftest import Hook, Mailbox, dead, free


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def policy(tmp_path):
    """Write a policy with these receivers; its path."""

    def write(*urls, **rules):
        path = tmp_path / "ops.toml"
        lines = [f"{name} = {json.dumps(value)}" for name, value in {"urls": urls, **rules}.items()]
        path.write_text("\n".join(["version = 1", "[alerts]", *lines]) + "\n")
        return path

    return write


@pytest.fixture
def failing(record):
    """A tool that has failed five times of six, and a run that failed."""
    bad = [e.ToolFinished("c1", "look", "error", "permanent", False, 5, {}, 1)] * 5
    good = e.ToolFinished("c1", "look", "success", None, False, 5, {}, 1)
    return record("r_aaaa000001", started(), *bad, good, status="failed", reason="providers", ago=10)


def test_without_a_store_nothing_is_open_and_none_is_made(agentctl, isolated):
    done = agentctl("alerts", "check")
    listed = agentctl("alerts", "--json")

    assert (0, "", "no alert is open\n") == (done.code, done.out, done.err)
    assert {"items": [], "truncated": False} == listed.json
    assert 3 == agentctl("alerts", "check", "--store", "sqlite:///nowhere.db").code
    assert not list(isolated.rglob("*.db"))


def test_what_fires_is_a_table_and_an_exit_code_for_cron(agentctl, failing, hook, policy):
    """B58 C74 D106"""
    first = agentctl("alerts", "check", "--policy", policy(hook.url))
    second = agentctl("alerts", "check", "--policy", policy(hook.url))

    assert (17, 17) == (first.code, second.code)
    rows = [line.split() for line in first.out.splitlines()]
    assert ["RULE", "SUBJECT", "VALUE", "LIMIT", "SINCE", "STATE", "NEXT"] == rows[0]
    assert {"run_failed", "tool_error_rate"} == {row[0] for row in rows[1:]}
    assert all("new" in row for row in rows[1:])
    assert second.out.count(" known ") == 2
    assert "83.3%  20.0%" in first.out
    assert ["agentctl: 2 alerts: run_failed, tool_error_rate"] == [got["title"] for got in hook.messages]
    assert hook.messages[0]["message"].count(f"next: agentctl trace {failing}") == 2


def test_a_program_reads_where_each_limit_is_from(agentctl, record):
    """C75 D108"""
    for number in range(5):
        record(f"r_bbbb00000{number}", started(), ago=86_400)
    record("r_cccc000001", started(), e.Completed("stopped", "pace", 10, 9_000_000, ""), status="stopped", ago=1)
    time.sleep(0.01)
    body = agentctl("alerts", "check", "--json", "--dry-run").json

    assert {"items", "truncated", "closed", "sent"} == set(body)
    assert all(each["rule"] == "slow_vs_median" and each["state"] == "new" for each in body["items"])
    for each in body["items"]:
        assert (5.0, 7) == (each["baseline"]["factor"], each["baseline"]["days"])
        assert each["limit"] == pytest.approx(5 * each["baseline"]["value"], abs=1e-5)
    assert [] == agentctl("alerts", "--json").json["items"], "a dry run keeps nothing"


def test_incidents_are_listed_with_their_times(agentctl, failing, hook, policy):
    agentctl("alerts", "check", "--policy", policy(hook.url))
    plain, listed = agentctl("alerts"), agentctl("alerts", "list", "--open", "--json").json["items"]

    assert 0 == plain.code
    assert ["run_failed", "tool_error_rate"] == sorted(line.split()[0] for line in plain.out.splitlines()[1:])
    assert {"order-triage: providers", "look"} == {each["subject"] for each in listed}
    assert all(each["closed"] is None and each["told"] and each["opened"] <= each["last_seen"] for each in listed)
    assert 1 == len(agentctl("alerts", "--limit", "1", "--json").json["items"])


def test_a_parked_run_is_named_with_the_command_that_shows_it(agentctl, record, policy):
    record("r_dddd000001", started(), requested(), status="parked", reason="approval", ago=60)
    path = policy()
    path.write_text(path.read_text() + "[approval]\ntimeout_s = 0.000001\n")

    assert 0 == agentctl("alerts", "check").code
    assert "agentctl approvals r_dddd000001" in agentctl("alerts", "check", "--policy", path).out


def test_switched_off_nothing_is_looked_for(agentctl, failing, policy):
    done = agentctl("alerts", "check", "--policy", policy(enabled=False))

    assert 0 == done.code
    assert "switched off by policy ops" in done.err


def test_a_test_says_of_each_receiver_whether_it_heard(agentctl, hook, policy):
    box = Mailbox()
    from aiosmtpd.controller import Controller

    server = Controller(box, hostname="127.0.0.1", port=free())
    server.start()
    mail = f"mailto://127.0.0.1:{server.port}?from=a@example.com&to=b@example.com"
    try:
        good = agentctl("alerts", "test", "--policy", policy(hook.url, mail))
        bad = agentctl("alerts", "test", "--policy", policy(hook.url, dead()), "--json")
    finally:
        server.stop()

    assert (0, 17) == (good.code, bad.code)
    assert [f"ok      {hook.where}", f"ok      mailto://127.0.0.1:{server.port}"] == good.out.splitlines()
    assert [True, False] == [each["ok"] for each in bad.json["items"]]
    assert (2, 1) == (len(hook.got), len(box.mails))
    assert "agentctl: a test of alerts" == hook.messages[0]["title"]
    assert 17 == agentctl("alerts", "test").code


def test_secrets_of_a_receiver_are_shown_nowhere(agentctl, policy, failing):
    word = "w" + secrets.token_hex(12)
    path = policy(f"json://ada:{word}@127.0.0.1:{free()}/{word}")
    commands = [
        ("policy", "show", path), ("policy", "show", path, "--toml"), ("policy", "show", path, "--json"),
        ("policy", "diff", "standard", path), ("policy", "check", path), ("alerts", "test", "--policy", path),
        ("alerts", "check", "--policy", path),
    ]  # fmt: skip
    for command in commands:
        done = agentctl(*command)
        assert word not in done.out + done.err, command
        assert "json://127.0.0.1" in done.out + done.err


def test_a_secret_in_the_file_is_warned_of_and_a_variable_is_not(agentctl, policy, monkeypatch):
    warned = agentctl("policy", "check", policy("slack://T01234567/B01234567/abcdefabcdefabcdefabcdef"))
    missing = agentctl("policy", "check", policy("env:OPS_HOOK"))
    monkeypatch.setenv("OPS_HOOK", "json://127.0.0.1/hook")
    clean = agentctl("policy", "check", policy("env:OPS_HOOK"))

    assert "alerts.urls[0] (slack://…) holds a secret: put it into a variable and write env:NAME" in warned.err
    assert "the environment variable OPS_HOOK is not set" in missing.err
    assert "alerts" not in clean.err


def test_a_url_that_nothing_is_sent_to_is_an_error_with_its_place(agentctl, policy, monkeypatch):
    path = policy("mailto://mail.example.com?from=a@example.com", "https://example.com/hook")
    monkeypatch.setenv("OPS_HOOK", "nosuch://hook")

    for command in (
        ("policy", "check", path),
        ("alerts", "check", "--policy", path),
        ("alerts", "test", "--policy", path),
    ):
        done = agentctl(*command)
        assert 3 == done.code
        assert "ops.toml:3:" in done.err
        assert "alerts.urls[1]: apprise sends to no such URL: https://example.com" in done.err
    assert "what OPS_HOOK holds" in agentctl("policy", "check", policy("env:OPS_HOOK")).err


def test_without_the_library_a_line_says_how_to_get_it(agentctl, policy, monkeypatch, failing, hook):
    monkeypatch.setattr(alerts, "find_spec", lambda _: None)
    monkeypatch.setattr(receiving, "find_spec", lambda _: None)
    tested, checked = (agentctl("alerts", name, "--policy", policy(hook.url)) for name in ("test", "check"))

    assert (3, 17) == (tested.code, checked.code)
    assert "pip install 'agentctl[alerts]'" in tested.err
    assert "alerts are not sent: pip install 'agentctl[alerts]'" in checked.err
    assert [] == hook.got


def test_two_processes_at_once_deliver_one_message(failing, hook, policy):
    """B58"""
    command = [sys.executable, "-m", "agentctl", "alerts", "check", "--policy", str(policy(hook.url))]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) for _ in range(2)]
    for each in both:
        each.communicate()

    assert [17, 17] == [each.returncode for each in both]
    assert 1 == len(hook.got)


@pytest.mark.parametrize("bad", [["--policy", "nobody"], ["--policy", ""], ["--since", "x"]])
def test_what_is_wrong_is_one_line(agentctl, bad):
    done = agentctl("alerts", *(["list"] if "--since" in bad else ["check"]), *bad)

    assert done.code in {2, 3}
    assert done.err.startswith("error: ")
