"""`run` with several tasks or lines: progress, one table, one object, one exit code."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import shown_on


@pytest.fixture
def lines(demo):
    file = demo / "orders.jsonl"

    def write(*rows):
        file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
        return file

    return write


def command(demo, *flags):
    return [sys.executable, "-m", "agentctl", "run", str(demo / "task.toml"), "--rehearse", *map(str, flags)]


def test_a_table_closes_them(agentctl, demo, lines):
    file = lines({"order": "A-1001"}, "", {"order": "A-1002"})
    called = agentctl("run", demo / "task.toml", "--rehearse", "--lines", file, "--parallel", 2)

    assert called.code == 0
    head, *rows, total = called.out.splitlines()
    assert head.split() == ["ID", "TASK", "LINE", "STATUS", "REASON", "COST", "STEPS"]
    assert [row.split()[1:5] for row in rows] == [["order-triage", line, "completed", "done"] for line in ("1", "3")]
    assert total.split() == ["total", "2", "runs", "$0.0194", "8"]
    assert 2 == len(
        re.findall(r"^✓ r_\w+ order-triage line \d completed: done · \$0\.0097 · 4 steps$", called.err, re.MULTILINE)
    )
    assert called.err.count("not enforced by this version") <= 1
    assert "\x1b" not in called.out + called.err


def test_several_tasks_and_json(agentctl, demo):
    task = demo / "task.toml"
    other = demo / "other.toml"
    other.write_text(task.read_text().replace('name = "order-triage"', 'name = "second"', 1))
    called = agentctl("run", task, other, "--rehearse", "--var", "order=A-1001", "--json")

    body = called.json
    assert [("order-triage", None), ("second", None)] == [(each["task"], each["line"]) for each in body["items"]]
    assert body["truncated"] is False
    assert body["total"] == {
        "runs": 2, "statuses": {"completed": 2}, "cost_usd": pytest.approx(0.0194, abs=1e-3), "steps": 8,
        "exit_code": 0,
    }  # fmt: skip
    assert {each["run_id"] for each in body["items"]} == {
        each["run_id"] for each in agentctl("runs", "--json").json["items"]
    }


def test_events_are_lines_of_all_of_them(agentctl, demo, lines, tmp_path):
    file, log = lines({"order": "A-1001"}, {"order": "A-1002"}), tmp_path / "events.jsonl"
    called = agentctl(
        "run", demo / "task.toml", "--rehearse", "--lines", file, "--parallel", 2, "--events", "--log-json", log
    )

    events = [json.loads(line) for line in called.out.splitlines()]
    for run_id in {each["run_id"] for each in events}:
        own = [each for each in events if each["run_id"] == run_id]
        assert [each["seq"] for each in own] == list(range(1, len(own) + 1))
        assert own[-1]["event_type"] == "complete"
    assert len({each["run_id"] for each in events}) == 2
    assert log.read_text() == called.out


def test_every_bad_line_is_told_and_nothing_begins(agentctl, demo, lines):
    file = lines(
        {"order": "A-1001"}, {"order": "x"}, "[1]", '{"order": "A-1001",', {"order": None},
        '{"order": "A", "order": "B"}',
        {"ordr": "A-1001", "order": "A-1001"}, {"order": {"a": 1}}, '{"order": 1e999}', "9" * 5000,
    )  # fmt: skip
    called = agentctl("run", demo / "task.toml", "--rehearse", "--lines", file, "--json")

    assert called.code == 3
    problems = called.json["error"]["problems"]
    assert sorted({each["line"] for each in problems}) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert 'did you mean "order"?' in called.err
    assert "Traceback" not in called.err
    assert agentctl("runs").err == "no runs yet\n"


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"\xff\xfe{}"])
def test_no_lines_to_read(agentctl, demo, content, tmp_path):
    file = tmp_path / "x.jsonl"
    if content is not None:
        file.write_bytes(content)
    called = agentctl("run", demo / "task.toml", "--rehearse", "--lines", file)

    assert called.code == 3
    assert str(file) in called.err


def test_lines_from_stdin_and_values_that_are_no_texts(agentctl, demo):
    task = demo / "task.toml"
    task.write_text(task.read_text() + '\n[vars.urgent]\ntype = "boolean"\n[vars.size]\ntype = "number"\n')
    stdin = '{"order": "A-1001", "urgent": true, "size": 1.5}\n'
    called = agentctl("run", task, "--rehearse", "--lines", "-", "--json", stdin=stdin)

    assert called.code == 0
    assert 1 == len(called.json["items"])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--lines", "-", "--var", "order=-"], "only one of them can be read from stdin"),
        (["--lines", "x", "--explain"], "--explain takes one task"),
        (["--parallel", "0"], "--parallel"),
        (["--lines", "x", "--events", "--json"], "exclude each other"),
    ],
)
def test_wrong_usage(agentctl, demo, flags, said):
    called = agentctl("run", demo / "task.toml", "--rehearse", *flags)

    assert called.code == 2
    assert said in called.err


def test_the_first_code_that_is_not_0_and_nobody_is_asked(agentctl, nobody, lines):
    file = lines({"order": "A-1001"}, {"order": "A-1002"})
    called = agentctl("run", nobody / "task.toml", "--rehearse", "--lines", file, "--parallel", 2)

    assert called.code == 12
    assert called.out.count("parked  approval") == 2
    assert 2 == len(agentctl("approvals", "--json").json["items"])


def test_ctrl_c_pauses_those_that_run_and_starts_no_more(demo, lines):
    script = demo / "rehearsal.toml"
    script.write_text('[[reply]]\ntext = "Slow."\ndelay_s = 30.0\n')
    file = lines(*[{"order": f"A-100{n}"} for n in range(5)])
    process = subprocess.Popen(
        command(demo, "--lines", file, "--parallel", 2, "--json", "--log-json", demo / "log"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: (demo / "log").exists() and (demo / "log").read_text().count('"model_call"') == 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130, err
    assert [each["status"] for each in json.loads(out)["items"]] == ["paused"] * 2 + ["not begun"] * 3
    assert [each["reason"] for each in json.loads(out)["items"]][2:] == ["SIGINT"] * 3


def wait_for(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_on_a_terminal_one_line_moves(demo, lines):
    file = lines({"order": "A-1001"}, {"order": "A-1002"})
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(demo, "--lines", file), stdout=subprocess.PIPE, stderr=theirs, stdin=theirs
    ) as process:
        os.close(theirs)
        drawn = shown_on(ours).decode()
        out = process.stdout.read().decode()
    os.close(ours)

    assert process.returncode == 0
    assert "\r\x1b[K0 of 2 · 1 running" in drawn
    assert "\r\x1b[K2 of 2 · 0 running · completed 2 · $0.0" in drawn
    assert "needs a person" not in drawn
    assert out.splitlines()[-1].startswith("total")


def test_one_task_stays_one_run(agentctl, demo):
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--parallel", 4)

    assert called.code == 0
    assert called.out.startswith("Your order A-1001")


def test_a_defect_of_one_is_reported_and_the_others_end(agentctl, demo, lines, monkeypatch, isolated):
    from agentctl.runner import api

    real, calls = api.run, []

    async def run(order, **more):
        calls.append(order)
        if len(calls) == 1:
            raise ZeroDivisionError("oops")
        return await real(order, **more)

    monkeypatch.setattr(api, "run", run)
    file = lines({"order": "A-1001"}, {"order": "A-1002"})
    called = agentctl("run", demo / "task.toml", "--rehearse", "--lines", file, "--json")

    assert called.code == 1
    assert [("failed", "defect", None), ("completed", "done", called.json["items"][1]["run_id"])] == [
        (each["status"], each["reason"], each["run_id"]) for each in called.json["items"]
    ]
    (report,) = (isolated / "data" / "crashes").iterdir()
    assert "ZeroDivisionError" in report.read_text()
    assert "Traceback" not in called.err


def test_the_log_is_appended_to_and_is_ours_alone(agentctl, demo, tmp_path):
    """B45 B57"""
    log = tmp_path / "log"
    for _ in range(2):
        called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--log-json", log)
        assert called.code == 0
        assert called.out.startswith("Your order A-1001")
    events = [json.loads(line) for line in log.read_text().splitlines()]

    assert log.stat().st_mode & 0o777 == 0o600
    assert 2 == len({each["run_id"] for each in events}) == [e["event_type"] for e in events].count("complete")


def test_the_log_and_the_events_hold_no_secret_that_came_in(agentctl, demo, tmp_path, isolated):
    """A41"""
    log, secret = tmp_path / "log", "Ab9-" * 3 + "Log7"
    task = demo / "task.toml"
    task.write_text(task.read_text().replace('goal = "', f'goal = "password={secret} ', 1))

    called = agentctl("run", task, "--rehearse", "--var", "order=A-1001", "--log-json", log, "--events")

    assert called.code == 0
    assert "password=[REDACTED]" in log.read_text()
    written = [path.read_bytes() for path in (*isolated.rglob("*"), log) if path.is_file()]
    assert not any(secret.encode() in text for text in (called.out.encode(), called.err.encode(), *written))


def test_a_log_that_can_not_be_written_starts_nothing(agentctl, demo, tmp_path):
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--log-json", tmp_path)

    assert called.code == 3
    assert "--log-json" in called.err
    assert agentctl("runs").err == "no runs yet\n"
