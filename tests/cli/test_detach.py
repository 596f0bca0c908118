"""`run --detach`: a process of its own that nobody's terminal ends."""

import json
import os
import signal
import time

import pytest

ORDER = ("--var", "order=A-1001")


def wait_for(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def gone(pid):
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return not os.path.exists(f"/proc/{pid}")  # noqa: PTH110
    return done == pid


def test_it_prints_the_id_and_runs_on(agentctl, demo, isolated):
    called = agentctl("run", demo / "task.toml", "--rehearse", *ORDER, "--detach")
    run_id = called.out.strip()

    assert called.code == 0
    assert f"follow:  agentctl events {run_id} -f" in called.err
    wait_for(lambda: agentctl("show", run_id, "--json").json["status"] == "completed")
    out, log = sorted((isolated / "data" / "detached").iterdir(), key=lambda path: path.suffix, reverse=True)
    wait_for(lambda: out.read_text().startswith("Your order A-1001"))
    assert "completed: done" in log.read_text()
    assert [0o600] * 2 == [path.stat().st_mode & 0o777 for path in (out, log)]


def test_json_a_session_of_its_own_and_the_pause_that_is_told(agentctl, demo):
    (demo / "rehearsal.toml").write_text('[[reply]]\ntext = "Slow."\ndelay_s = 60.0\n')
    body = agentctl("run", demo / "task.toml", "--rehearse", *ORDER, "--detach", "--json").json

    pid = body["pid"]
    assert os.getsid(pid) == pid != os.getsid(0)
    assert agentctl("show", body["run_id"], "--json").json["status"] == "running"
    assert body["pause"] == f"agentctl pause {body['run_id']}"
    os.kill(pid, signal.SIGINT)
    wait_for(lambda: gone(pid))
    assert agentctl("show", body["run_id"], "--json").json["status"] == "paused"


def test_several_runs_in_the_background(agentctl, demo):
    stdin = '{"order": "A-1001"}\n{"order": "A-1002"}\n'
    called = agentctl("run", demo / "task.toml", "--rehearse", "--lines", "-", "--detach", stdin=stdin)

    assert called.code == 0
    wait_for(lambda: [each["status"] for each in agentctl("runs", "--json").json["items"]] == ["completed"] * 2)


def test_a_value_from_stdin_is_no_argument_of_a_process(agentctl, demo):
    (demo / "rehearsal.toml").write_text('[[reply]]\ntext = "Slow."\ndelay_s = 60.0\n')
    flags = ("--rehearse", "--var", "order=-", "--detach", "--json")
    body = agentctl("run", demo / "task.toml", *flags, stdin="A-7777\n").json
    with open(f"/proc/{body['pid']}/cmdline", "rb") as file:  # noqa: PTH123
        line = file.read()
    os.kill(body["pid"], signal.SIGTERM)
    wait_for(lambda: gone(body["pid"]))

    assert b"--var=order=-" in line
    assert b"A-7777" not in line
    with_goal = agentctl("events", body["run_id"]).out.splitlines()
    assert json.loads(with_goal[-1])["data"]["status"] == "paused"


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--var", "order=x"), 3, "expected a text that matches"),
        ((*ORDER, "--max-usd", "0"), 2, "max-usd"),
        ((*ORDER, "--policy", "nope"), 3, "nope"),
        ((*ORDER, "--store", "sqlite:////proc/nowhere/x.db"), 3, "store"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_keeps_it_from_being_is_told_with_its_code(agentctl, demo, isolated, flags, code, said, as_json):
    called = agentctl("run", demo / "task.toml", "--rehearse", *flags, "--detach", *(["--json"] if as_json else []))

    assert called.code == code
    assert said in called.err
    if as_json:
        assert called.json["error"]["message"]
    else:
        assert called.out == ""
    assert "Traceback" not in called.err
    assert [] == list((isolated / "data" / "detached").iterdir())


def test_explain_and_detach_exclude_each_other(agentctl, demo):
    assert agentctl("run", demo / "task.toml", *ORDER, "--explain", "--detach").code == 2
