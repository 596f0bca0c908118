"""`agentctl replay`: everything that happened, step by step, without touching anything."""

import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from agentctl.cli import stepping
from agentctl.cli.frames import body, gauges, screen, title
from agentctl.cli.stepping import At, pressed
from agentctl.config import paths
from agentctl.core import events as e
from agentctl.core.replaying import Frame, Gauge

from .conftest import replied, started

HOSTILE = "\x1b[2J\u202eevil\rline"


def frame(seq, step=1, lines=("one",)):
    return Frame(seq, step, 1_790_000_000.0, "Thought", "llm.thinking", "plain", tuple(lines), ())


FRAMES = [frame(3, 1), frame(5, 1, [str(n) for n in range(60)]), frame(9, 2), frame(12, 4)]


@pytest.fixture
def parent(agentctl, demo):
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--json")
    assert called.code == 0
    return called.json["run_id"]


def asked(call="c1.1"):
    args = {"order_id": HOSTILE}
    return e.ApprovalRequested(call, "send_refund", "high", "risk.tiers.send_refund", "d" * 64, args)


# --- what is shown ---


def test_everything_that_happened_is_there_in_order_with_the_gauges(agentctl, parent):
    """B48, E21, E31: what was sent and said, who decided what and why, calls, money and context at each moment."""
    called = agentctl("replay", parent)
    said = called.out

    assert (0, "") == (called.code, called.err)
    places = [
        said.index(words)
        for words in (
            f"Replay: {parent} · order-triage · policy · rehearsed",
            "run.started [order-triage under policy",
            "goal: A customer asks where order A-1001 is",
            "llm.asked [anthropic.claude-sonnet-4-6, answer]",
            "call c1.1: get_order_status",
            "tool.get_order_status [started, safe, attempt 1]",
            "tool.get_order_status [error, transient",
            "result of c1.1 get_order_status:",
            "llm.failed [anthropic, 529 overloaded",
            "labels: private",
            "approval.send_refund [asked, high by risk.tiers.send_refund",
            "approval.send_refund [denied (answered by the script)]",
            "why: ask the customer first",
            "because: send_refund: DENIED",
            "run.completed [done, exit 0",
        )
    ]
    assert sorted(places) == places
    assert "step 4 of 8 · $0.0097 of $0.50 · tokens 2,570 of 500,000 · context 956 of 75,000" in said


def test_items_for_programs_and_a_part_of_them(agentctl, parent):
    items = agentctl("replay", parent, "--from", "2", "--to", "4", "--json").json["items"]

    assert [2, 3, 4] == [item["seq"] for item in items]
    assert ["ModelAsked", "ModelReplied", "ToolStarted"] == [item["event"] for item in items]
    assert {"used": 1, "limit": 8} == items[1]["gauges"]["max_steps"]
    assert items[0]["timestamp"].endswith("Z")


def test_a_run_whose_files_are_gone_is_shown_without_limits(agentctl, record):
    called = agentctl("replay", record("r_aaa111", started(), replied(text="It is lost.")))

    assert "It is lost." in called.out
    assert "step 1 · $0.0184 · tokens" in called.out


def test_nothing_of_it_can_move_the_cursor(agentctl, record):
    """What the model or a tool wrote is escaped."""
    called = agentctl("replay", record("r_aaa111", started(HOSTILE), replied(text=HOSTILE), asked()))

    assert not {"\x1b", "\u202e", "\r"} & set(called.out)
    assert r"\x1b[2J\u202eevil\rline" in called.out


def test_an_event_that_can_not_be_read_is_one_line_and_the_rest_is_shown(agentctl, record):
    run = record("r_aaa111", started(), replied(text="before"), e.Thought("hidden"), replied(text="after"))
    with sqlite3.connect(paths.store_url().removeprefix("sqlite:///")) as db:
        db.execute("DROP TRIGGER events_stay")
        db.execute("UPDATE events SET data = '{' WHERE seq = 3")
        db.execute("UPDATE events SET type = 'from_the_future' WHERE seq = 1")
    called = agentctl("replay", run)

    assert 0 == called.code
    assert "can't be read: r_aaa111 seq 3: the `thinking` event is not JSON" in called.out
    assert "a `from_the_future` event, which this agentctl does not know" in called.out
    assert called.out.index("before") < called.out.index("can't be read") < called.out.index("after")


def test_what_was_copied_into_a_fork_and_its_new_goal_are_shown(agentctl, parent):
    fork = agentctl("fork", parent, "--at", "18", "--goal", "Be brief.", "--json").json["run_id"]
    said = agentctl("replay", fork).out

    assert f"run.forked [from {parent} at 18" in said
    assert "the history was rewritten: it is sent anew, thinking from before left out" in said
    assert said.index("the history was rewritten") < said.rindex("goal: Be brief.")


# --- what is not touched ---


def test_replay_opens_no_socket_and_leaves_the_store_as_it_is(agentctl, parent, monkeypatch):
    """B48: no HTTP request, no tool run, nothing written."""
    store = Path(paths.store_url().removeprefix("sqlite:///"))

    def digests():
        return [sha256(path.read_bytes()).hexdigest() for path in (store, *sorted(store.parent.glob("blobs/*/*")))]

    def refused(*_, **__):
        raise AssertionError("a socket or a process")

    before = digests()
    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(subprocess, "Popen", refused)

    assert 0 == agentctl("replay", parent).code
    assert before == digests()


def test_replay_loads_no_sdk_and_no_stand_in(parent):
    code = (
        "import sys; from agentctl.cli.main import main; code = main(sys.argv[1:]);"
        "slow = {'anthropic', 'openai', 'httpx2', 'textual', 'agentctl.rehearsal.server', 'agentctl.runner.drive'};"
        "print(sorted(slow & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, "replay", parent], check=False, capture_output=True, text=True)

    assert (0, "[]\n") == (done.returncode, done.stderr)


# --- decided again ---


def test_a_run_under_its_own_policy_decides_the_same(agentctl, parent):
    """B48"""
    called = agentctl("replay", parent, "--check")

    assert 0 == called.code
    assert "the same decisions: 11 made again" in called.out
    assert agentctl("replay", parent, "--check", "--json").json["same"] is True


def test_the_first_decision_that_would_be_another_is_named_with_its_guard(agentctl, parent, demo):
    """The policy is the same; what the task says of a tool is not."""
    task = demo / "task.toml"
    task.write_text(task.read_text().replace("order_id = {", "number = {", 1).replace('["order_id"]', '["number"]', 1))
    called = agentctl("replay", parent, "--check")
    found = agentctl("replay", parent, "--check", "--json")

    assert (17, 17) == (called.code, found.code)
    assert "args decides otherwise at event 4\n  recorded: runs as safe\n  now:      refused by args" in called.out
    assert found.json["divergence"]["guard"] == "args"
    assert found.json["same"] is False


def test_a_policy_that_has_changed_since_can_not_be_asked(agentctl, parent, demo):
    policy = demo / "policy.toml"
    policy.write_text(policy.read_text().replace("max_steps = 8", "max_steps = 3"))
    called = agentctl("replay", parent, "--check")

    assert 3 == called.code
    assert "policy.toml has changed since" in called.err


# --- what can't be ---


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["r_zzz"], 20, "there is no run r_zzz"),
        (["r_aaa"], 20, "several runs begin with r_aaa: r_aaa111, r_aaa222"),
        (["r_aaa111", "--from", "99"], 20, "r_aaa111 has no event from 99 on: its last is 2"),
        (["r_aaa111", "--from", "2", "--to", "1"], 2, "--to 1 lies before --from 2"),
        (["r_aaa111", "--from", "0"], 2, "Invalid value for '--from'"),
    ],
)
def test_what_can_not_be_shown_is_one_line(agentctl, record, arguments, code, said):
    record("r_aaa111", started(), replied())
    record("r_aaa222", started(), replied())
    called = agentctl("replay", *arguments)

    assert (code, "") == (called.code, called.out)
    assert said in called.err


# --- keys ---


def after(*keys, at=None, most=42):
    place = at or At()
    for key in keys:
        place = pressed(place, key, FRAMES, most)
    return place


@pytest.mark.parametrize("key", sorted(stepping.NEXT))
def test_each_of_these_keys_goes_on_and_the_last_step_stays(key):
    assert 1 == after(key).index
    assert 3 == after(*[key] * 9).index


@pytest.mark.parametrize("key", sorted(stepping.BACK))
def test_each_of_these_keys_goes_back_and_the_first_step_stays(key):
    assert 1 == after(key, at=At(2)).index
    assert 0 == after(key, key, at=At(1)).index


def test_a_number_leads_to_an_event_or_the_next_one_that_is_shown_and_an_s_to_a_step():
    assert 1 == after(b"g", b"4", b"\r").index
    assert 3 == after(b"g", b"1", b"2", b"\n").index
    assert 3 == after(b"g", b"9", b"9", b"9", b"\r").index
    assert 2 == after(b"g", b"s", b"2", b"\r").index
    assert At(1) == after(b"g", b"1", b"\x1b", at=At(1))
    assert "1" == after(b"g", b"1", b"x", b"2", b"\x7f").typed
    assert 1 == after(b"g", b"\r", at=At(1)).index


def test_a_key_that_is_held_down_makes_no_number_too_long_to_be_one():
    assert 3 == after(b"g", *[b"9"] * 5000, b"\r").index


def test_a_long_step_is_scrolled_no_further_than_its_end():
    assert 2 == after(b"j", b"j", at=At(1)).down
    assert 42 == after(*[b"j"] * 99, at=At(1)).down
    assert 0 == after(b"j", b"k", b"k", at=At(1)).down
    assert 0 == after(b"j", b" ", at=At(1)).down


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (20, 6), (1, 1)])
def test_a_screen_is_never_wider_or_higher_than_the_terminal_that_has_room(size):
    lines, most = screen("Replay: r_1", FRAMES, 1, 99, os.terminal_size(size), "q quit")

    assert len(lines) <= max(size[1], 9)
    assert max(map(len, lines)) <= max(20, size[0])
    assert most > 0


def test_the_words_of_a_frame():
    shown = Frame(5, 2, 0.0, "Thought", "tool.x [\x1bok]", "good", ("a\tb\nc",), (Gauge("run_usd", 0.5, None),))

    assert r"event 5 · step 2 · tool.x [\x1bok]" == title(shown)
    assert ["a    b", "c"] == list(body(shown))
    assert "$0.5000" == gauges(shown)


def read(terminal, until, most=20.0):
    seen, deadline = b"", time.monotonic() + most
    while until not in seen and time.monotonic() < deadline:
        try:
            seen += os.read(terminal, 65_536)
        except OSError:
            break
    assert until in seen, seen
    return seen


@pytest.mark.parametrize("end", [b"q", b"\x03", None])
def test_on_a_terminal_a_key_is_a_step_and_the_terminal_is_as_before_however_it_ends(parent, end):
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    child = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "agentctl", "replay", parent],
        stdin=theirs, stdout=theirs, stderr=theirs, env=env,
    )  # fmt: skip
    read(ours, b"event 1 ")
    os.write(ours, b" ")
    read(ours, b"event 2 ")
    os.write(ours, b"g5\r")
    read(ours, b"event 5 ")
    if end is None:
        child.send_signal(signal.SIGTERM)
    else:
        os.write(ours, end)
    read(ours, b"\x1b[?25h\x1b[?1049l")

    assert child.wait(20) in {0, 130, 143, -15}
    assert before == termios.tcgetattr(theirs)
