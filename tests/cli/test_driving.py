"""A run on a terminal that is resized, stopped and hung up, and in an environment that is no text."""

import fcntl
import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from agentctl.approvals.terminal import QUIET_S
from agentctl.approvals.wording import KEYS
from tests.cli.test_live import Session, rehearsal

SLOW = '[[reply]]\ntext = "Slow."\ndelay_s = 60.0\n'
ASKED = "Agent wants to send_refund"
TRACES = ("Traceback", "a defect in agentctl")

CHOICES = " · ".join(KEYS.values())


def wait_for(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def on_a_terminal():
    """Start a run on a terminal of its own; ended after the test."""
    sessions = []

    def start(*command, **more):
        sessions.append(Session(*command, **more))
        return sessions[-1]

    yield start
    for session in sessions:
        session.running.kill()
        session.running.wait()


def resize(session, lines, columns):
    fcntl.ioctl(session.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


# --- The prompt -----------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [200, 40])
def test_a_terminal_that_is_resized_keeps_the_question_and_the_next_key_decides_nothing(nobody, on_a_terminal, columns):
    session = on_a_terminal(*rehearsal(nobody))
    session.until(CHOICES)
    session.seen = ""
    resize(session, 40, columns)
    time.sleep(QUIET_S)
    assert session.running.poll() is None
    session.type(b"y")
    session.until(ASKED)
    session.until(CHOICES)
    again = session.seen.rpartition("Agent wants")[2].partition(CHOICES)[0]
    session.type(b"n", after=QUIET_S + 0.2)
    session.until("reason): ")
    session.type(b"\n", after=0.1)

    assert session.end() == 0
    assert max(map(len, again.splitlines())) < columns
    assert "! denied by " in session.seen


@pytest.mark.needs("bash")
def test_ctrl_z_gives_the_shell_back_and_fg_asks_again(nobody, program, on_a_terminal):
    """In a real shell: without one that controls jobs the kernel stops nobody."""
    shell = on_a_terminal("--norc", "-i", program=(program("bash"),), PS1="$ ", HISTFILE="")
    shell.until("$ ")
    command = [sys.executable, "-m", "agentctl", *map(str, rehearsal(nobody))]
    shell.type(f"{shlex.join(command)}\n".encode(), after=0)
    shell.until(CHOICES)
    back_again(shell, CHOICES)
    assert ASKED in shell.seen
    shell.type(b"y", after=0)
    shell.type(b"n", after=QUIET_S + 0.3)
    shell.until("reason): ")
    back_again(shell, "reason): ")
    shell.type(b"ask first\n", after=0.1)
    shell.until("completed: done")
    shell.until("$ ")
    shell.type(b"exit\n", after=0)

    assert shell.end() == 0
    assert "ask first" in shell.seen


def back_again(shell, prompt):
    """Ctrl-Z, and `fg`; everything that is seen after that is new."""
    shell.type(b"\x1a", after=0.1)
    shell.until("Stopped")
    shell.seen = ""
    shell.type(b"fg\n", after=0.2)
    shell.until(prompt)


# --- Hanging up -----------------------------------------------------------------------------------


def test_hanging_up_pauses_a_run_that_can_be_resumed(agentctl, demo):
    script = (demo / "rehearsal.toml").read_text()
    (demo / "rehearsal.toml").write_text(SLOW)
    command = [sys.executable, "-m", "agentctl", *map(str, rehearsal(demo)), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        wait_for(lambda: [each["status"] for each in agentctl("runs", "--json").json["items"]] == ["running"])
        running.send_signal(signal.SIGHUP)
        out, err = running.communicate(timeout=30)

    result = json.loads(out)
    assert (143, "paused", "SIGTERM") == (running.returncode, result["status"], result["reason"])
    assert not [trace for trace in TRACES if trace in err]
    (demo / "rehearsal.toml").write_text(script)
    resumed = agentctl("resume", result["run_id"])
    assert resumed.code == 0
    assert resumed.out.startswith("Your order A-1001")


@pytest.mark.parametrize("where", ["asked", "waiting"])
def test_a_terminal_that_is_gone_pauses_the_run(agentctl, nobody, isolated, on_a_terminal, where):
    if where == "waiting":
        (nobody / "rehearsal.toml").write_text(SLOW)
    session = on_a_terminal(*rehearsal(nobody))
    session.until(CHOICES if where == "asked" else "order-triage under policy")
    wait_for(lambda: [each["status"] for each in agentctl("runs", "--json").json["items"]] == ["running"])
    os.close(session.fd)

    assert session.running.wait(30) == 143
    (item,) = agentctl("runs", "--json").json["items"]
    assert (item["status"], item["reason"]) == ("paused", "SIGTERM")
    assert not (isolated / "data" / "crashes").exists()


# --- The environment ------------------------------------------------------------------------------


def test_variables_that_are_no_utf_8_end_no_run(demo, tmp_path):
    """One that is a secret by its name, one that names the store, one that tools inherit, and a name."""
    odd = {b"SHOP_API_KEY": b"sk-\xff\xfe-secret", b"LOGNAME": b"\xff", b"LC_\xff": b"\xff"}
    odd[b"AGENTCTL_STORE"] = b"sqlite:///" + os.fsencode(tmp_path) + b"/\xff.db"
    command = [sys.executable, "-m", "agentctl"]
    env = {**os.environb, **odd}
    done = subprocess.run([*command, *map(str, rehearsal(demo))], env=env, check=False, capture_output=True, text=True)
    listed = subprocess.run([*command, "runs"], env=env, check=False, capture_output=True, text=True)

    assert (0, True) == (done.returncode, done.stdout.startswith("Your order A-1001")), done.stderr
    assert not [trace for trace in TRACES if trace in done.stderr]
    assert (0, 2) == (listed.returncode, len(listed.stdout.splitlines())), listed.stderr
    assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.db")).is_file()
