"""`run --tui`: the run goes on by itself, whatever becomes of the monitor, and is told of as `run` tells it."""

import os
import signal
import time
from contextlib import nullcontext

import pytest

from agentctl.approvals.elsewhere import Elsewhere
from agentctl.cli import driving, monitor, options, watched
from agentctl.records import replace
from agentctl.runner.api import open_journal
from agentctl.tui import answers, pending

ORDER = ("--var", "order=A-1001")


def wait_for(happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def over(run_id):
    with options.open_journal(None) as journal:
        return journal.run(run_id).status != "running"


@pytest.fixture
def looked(monkeypatch):
    """A terminal, and a monitor that does what a test wants of it: what it was called with."""
    seen = []

    def call(act):
        def watch(run_id, store, user, *, started):
            seen.append((run_id, store, user, started))
            act(run_id)

        monkeypatch.setattr(monitor, "watch", watch)
        monkeypatch.setattr(watched, "_check_terminal", lambda **_: None)
        monkeypatch.setattr(watched, "_take_keyboard", lambda: None)
        return seen

    return call


def left_over(isolated):
    return list((isolated / "data" / "detached").iterdir())


def denied(run_id):
    """What somebody does who watches: one no, and the end is waited for."""

    def waiting():
        with open_journal(None) as journal:
            return pending.of(journal, run_id).waiting

    (request,) = wait_for(waiting)
    assert "" == answers.sender(lambda: open_journal(None), "ada")(request, answers.no("ask first"))
    wait_for(lambda: over(run_id))


def test_at_its_end_it_says_what_run_says(agentctl, demo, looked, isolated):
    """The variable is piped in; who watches is asked, and not the script's person."""
    seen = looked(denied)
    flags = ("--rehearse", "--user", "ada", "--tui")
    called = agentctl("run", demo / "task.toml", "--var", "order=-", *flags, stdin="A-1001\n")

    assert (0, "Your order A-1001") == (called.code, called.out[:17])
    assert "completed: done" in called.err
    assert f"trace:   agentctl trace {seen[0][0]}" in called.err
    assert [(None, "ada", True)] == [each[1:] for each in seen]
    assert [] == left_over(isolated)


def test_its_questions_stand_for_whoever_watches(agentctl, nobody, looked):
    seen = looked(denied)
    called = agentctl("run", nobody / "task.toml", *ORDER, "--rehearse", "--tui")

    assert 0 == called.code
    assert "by ada" in agentctl("trace", seen[0][0]).out


def test_nobody_in_time_parks_it_and_the_code_says_so(agentctl, nobody, looked):
    policy = nobody / "policy.toml"
    policy.write_text(f"{policy.read_text()}\n[approval]\ntimeout_s = 0.1\n")
    seen = looked(lambda run_id: wait_for(lambda: over(run_id)))
    called = agentctl("run", nobody / "task.toml", *ORDER, "--rehearse", "--tui")

    assert (12, "") == (called.code, called.out)
    assert f"decide:  agentctl approve {seen[0][0]}" in called.err


@pytest.mark.parametrize("leaves", [True, False])
def test_whoever_leaves_it_leaves_it_running(agentctl, demo, looked, isolated, leaves):
    (demo / "rehearsal.toml").write_text('[[reply]]\ntext = "Slow."\ndelay_s = 60.0\n')

    def act(run_id):
        if not leaves:
            raise watched.Usage("the monitor is broken")

    seen = looked(act)
    called = agentctl("run", demo / "task.toml", *ORDER, "--rehearse", "--tui")
    run_id = seen[0][0]
    with options.open_journal(None) as journal:
        pid = int(journal.run(run_id).owner.split(":")[1])
    os.kill(pid, signal.SIGINT)

    assert (0 if leaves else 2, "") == (called.code, called.out)
    assert f"{run_id} goes on in the background" in called.err
    assert f"agentctl pause {run_id}" in called.err
    assert 2 == len(left_over(isolated))
    wait_for(lambda: over(run_id))
    assert "paused" == agentctl("show", run_id, "--json").json["status"]


def test_what_keeps_it_from_being_is_told_with_its_code(agentctl, demo, looked, isolated):
    looked(lambda _: None)
    called = agentctl("run", demo / "task.toml", *ORDER, "--rehearse", "--policy", "nope", "--tui")

    assert (3, "") == (called.code, called.out)
    assert "nope" in called.err
    assert "Traceback" not in called.err
    assert [] == left_over(isolated)


@pytest.mark.parametrize("other", ["--json", "--events", "--detach", "--explain", "--lines=x.jsonl"])
def test_it_shows_one_run_in_one_way(agentctl, demo, looked, other):
    looked(lambda _: None)
    called = agentctl("run", demo / "task.toml", *ORDER, "--tui", other)

    assert 2 == called.code
    assert f"--tui and {other.split('=')[0]} exclude each other" in called.err


def test_it_takes_one_task_and_a_terminal(agentctl, demo):
    two = agentctl("run", demo / "task.toml", demo / "task.toml", *ORDER, "--tui")
    none = agentctl("run", demo / "task.toml", *ORDER, "--tui")

    assert ((2, True), (2, True)) == (
        (two.code, "--tui takes one task" in two.err), (none.code, "--tui needs a terminal" in none.err),
    )  # fmt: skip


def test_whoever_resumes_attended_waits_for_an_answer_from_elsewhere():
    output = driving.Output(as_json=True, as_events=False, user="ada", attended=True)

    assert isinstance(driving._approver(output, nullcontext), Elsewhere)
    assert driving._approver(replace(output, attended=False), nullcontext) is None
