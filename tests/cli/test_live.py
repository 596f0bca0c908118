"""A run on a terminal, and the lines that are told everywhere."""

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace

import pytest
from rich.console import Console

from agentctl.approvals.wording import KEYS
from agentctl.cli.live import Live
from agentctl.cli.plain import Lines, Plain
from agentctl.cli.status import status
from agentctl.cli.telling import MOST_WORDS, Telling, progressed
from agentctl.core import events as e
from agentctl.core.events import Stamped
from agentctl.core.guards import trust
from agentctl.core.messages import Delta
from agentctl.core.policy import Policy
from agentctl.core.state import State, fold
from agentctl.runner.order import Progress
from agentctl.tui.limits import Limits

from .conftest import IDENTITY, replied, started

ASKED = e.ModelAsked("anthropic", IDENTITY, "claude-sonnet-4-6", 1, "answer", 1_204, 8_192, 120_000)
FAILED = e.ModelFailed("anthropic", IDENTITY, "server", 500, None, "oops", 1, "answer", 0, 10)

CHOICES = " · ".join(KEYS.values())


def stamped(*events):
    return [Stamped("r_1", seq, "s_1", 1, 100.0 + seq, event) for seq, event in enumerate(events, 1)]


def test_the_status_line():
    """A01 C74"""
    state = fold(stamped(started(), ASKED, replied(micro=12_300)))
    policy = Policy()

    size = state.prompt_tokens

    assert size > 60
    full = f"$0.0123 of $1.50 · context {size:,} of 75,000 · anthropic closed · step 1 of 20"
    assert status(Limits(policy), state, 105.0) == full
    assert status(Limits(), state, 105.0) == f"$0.0123 · context {size:,} · step 1"


def test_the_status_line_says_whose_words_are_in_the_run():
    names = ("var.mail", "page", "http_get", "fs.read")
    state = replace(fold(stamped(started())), trust=trust.State(names, coming=(("tickets", ("untrusted",)),)))

    assert status(Limits(), state, 105.0).endswith(" · untrusted: var.mail, page, http_get and 2 more")


def test_an_open_circuit_counts_down():
    state = fold(stamped(started(), ASKED, FAILED, e.CircuitMoved("anthropic", "closed", "open", 171.0)))

    assert "anthropic open 42s" in status(Limits(Policy()), state, 111.0 + 18.0)
    assert "anthropic half-open" in status(Limits(Policy()), state, 300.0)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (FAILED, "✗ anthropic: 500 server: oops"),
        (e.Retried(1, 0.84), "  retry #1 in 0.8s"),
        (e.Waited("pace", 2), "  waits 2.0s: pace"),
        (e.Waited("tokens_per_minute", 6366.0, refused=True), "! tokens_per_minute: would wait 6,366s, too long"),
        (e.FellBack("a", "b", "circuit open"), "! b answers instead of a: circuit open"),
        (e.ProviderOut("a", "auth"), "! a is out: auth"),
        (e.CircuitMoved("a", "closed", "open"), "! circuit a: closed → open"),
        (e.InjectionSuspected("http_get", "prompt_leak"), "! injection suspected in http_get: prompt leak"),
        (e.Degraded("b", "less polished"), "! b: less polished"),
        (e.ContextTrimmed(45_000, 75_000, 12, 3), "! context trimmed: 12 messages left, 45,000 tokens remain"),
        (
            e.ContextTrimmed(45_000, 75_000, 12, 3, "- a fact", 9),
            "! context summarised: 12 messages left, 45,000 tokens remain",
        ),
        (e.LoopSeen("window", "search", 3, 8), "! loop: search with the same arguments, 3 times"),
        (e.LoopSeen("cycle", "search", 3, 5), "! loop: the same 5 calls in a circle, search among them"),
        (e.LoopSeen("stall", "search", 3, 5), "! loop: 3 results of search that say the same"),
        (e.HandedOff("5 tool errors in a row", "ops"), "! handed over to ops: 5 tool errors in a row"),
        (e.BudgetCounted("run_usd", 0.4, 0.5, "warning"), "! run_usd is close to its limit: 0.4 of 0.5"),
        (e.BudgetCounted("run_usd", 0.5, 0.5, "refused"), "! run_usd is used up: 0.5 of 0.5"),
        (e.Decided("before_model", "budget", "land", "tokens", message="Token budget"), "! Token budget"),
        (e.Failed("defect", "KeyError"), "✗ defect: KeyError"),
        (e.ApprovalDecided("c", "stop", "ada", 3.0, "no", "d"), "! stopped by ada after 3.0s: no"),
        (e.Thought("hm"), None),
        (ASKED, None),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_line_for_each_event_that_matters(event, said):
    """A01"""
    line = Telling().line(event)

    assert said == (line and line.text)


def test_a_tool_call_is_one_line_with_tier_time_and_result():
    telling = Telling()
    telling.line(e.ToolStarted("c1.1", "search", {}, "low", 1, False, 5.0))
    line = telling.line(
        e.ToolFinished("c1.1", "search", "success", None, False, 1_234, {"data": {"a": "x\n" * 200}}, 1)
    )

    assert line.text.startswith('✓ search low 1,234ms  {"a": "x')
    assert line.text.isprintable()
    assert len(line.text) < 140
    assert telling.tiers == {}


def drawn(width=40, clock=lambda: 0.0):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, height=20, highlight=False, color_system=None)
    return Live(Limits(), console=console, clock=clock), screen


def visible(text):
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in text.splitlines()]


def test_text_is_printed_once_line_by_line_and_wrapped():
    live, screen = drawn()
    with live:
        live.event(stamped(ASKED)[0], State())
        for piece in ("It was last seen ", "in Leipzig, and that is two weeks", " ago.\nSo it", " is lost."):
            live.delta(Delta("text", piece))
    lines = visible(screen.getvalue())

    for whole in ("It was last seen in Leipzig, and that is", "two weeks ago.", "So it is lost."):
        assert 1 == sum(line == whole for line in lines)
    assert live.shown == "It was last seen in Leipzig, and that is two weeks ago.\nSo it is lost."


def test_nothing_that_streams_in_moves_the_cursor():
    live, screen = drawn()
    with live:
        live.delta(Delta("thinking", "\x1b[2J\u202ehm"))
        live.delta(Delta("text", "\x1b]0;title\x07\rok\n"))
        live.note("\x1b[5A")
    text = screen.getvalue()

    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "\x1b[5A" not in text
    assert "\\x1b]0;title\\x07\\rok" in text
    assert "\\u202ehm" in text


def test_a_terminal_that_is_gone_does_not_end_the_run(monkeypatch):
    class Gone(io.StringIO):
        def write(self, _):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    listener = Plain()
    listener.note("x")
    listener.event(stamped(FAILED)[0], State())
    listener.delta(Delta("text", "x"))


class Session:
    """The program on a terminal of its own."""

    def __init__(self, *command, program=(sys.executable, "-m", "agentctl"), **env):
        self.fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.running = subprocess.Popen(
            [*program, *map(str, command)],
            stdin=child, stdout=child, stderr=child, env={**os.environ, **env},
            preexec_fn=own_terminal,  # noqa: PLW1509  # the test has one thread
        )  # fmt: skip
        os.close(child)
        self.seen = ""

    def until(self, text, seconds=30):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self.seen += os.read(self.fd, 65_536).decode("utf-8", "replace")

    def type(self, keys, after=0.6):
        time.sleep(after)
        os.write(self.fd, keys)

    def end(self):
        with contextlib.suppress(OSError):
            while piece := os.read(self.fd, 65_536):
                self.seen += piece.decode("utf-8", "replace")
        os.close(self.fd)
        return self.running.wait(30)


def rehearsal(demo):
    return "run", demo / "task.toml", "--rehearse", "--var", "order=A-1001"


def test_the_whole_story_on_a_terminal_with_a_person(nobody):
    """B41: asked in the middle of a live view, which steps aside and comes back."""
    session = Session(*rehearsal(nobody))
    session.until(CHOICES)
    question = session.seen[session.seen.index("Agent wants to") :]
    session.type(b"\n")
    session.until(f"{CHOICES}\r\n{CHOICES}")
    session.type(b"n")
    session.until("reason): ")
    session.type(b"ask first\n", after=0.1)
    code = session.end()

    assert code == 0
    assert 'send_refund with args: {"order_id": "A-1001", "amount_usd": 48.5}' in question
    assert "\x1b" not in question.partition("y approve")[0]
    assert "! denied by " in session.seen
    before, _, after = session.seen.partition("completed: done")
    assert "about it today." in before
    assert "about it today." not in after
    assert "Cache hit ratio: 0.0%" in session.seen


def test_without_colour_nothing_is_drawn(demo):
    session = Session(*rehearsal(demo), NO_COLOR="1")
    session.until(CHOICES)
    session.type(b"y")

    assert session.end() == 0
    assert "\x1b" not in session.seen
    assert session.seen.count("Your order A-1001") == 1


def test_ctrl_c_at_the_prompt_saves_the_run_and_restores_the_terminal(nobody, agentctl):
    session = Session(*rehearsal(nobody))
    session.until(CHOICES)
    before = termios.tcgetattr(session.fd)[3] & termios.ECHO
    session.running.send_signal(signal.SIGINT)
    session.until("resume:")
    after = termios.tcgetattr(session.fd)[3] & termios.ECHO

    assert session.end() == 130
    assert not before
    assert after
    assert "Traceback" not in session.seen
    (item,) = agentctl("runs", "--json").json["items"]
    assert (item["status"], item["reason"]) == ("paused", "SIGINT")


def test_a_decision_from_another_terminal_takes_the_prompt_away(nobody, agentctl):
    session = Session(*rehearsal(nobody))
    session.until(CHOICES)
    (item,) = agentctl("approvals", "--json").json["items"]
    decided = agentctl("approve", item["run_id"], "--user", "bob")
    session.until("no longer asked here")

    assert decided.err == "the run goes on by itself\n"
    assert session.end() == 0
    assert "! approved by bob" in session.seen
    assert "✓ send_refund high" in session.seen


def test_a_run_that_nobody_can_be_asked_in_parks(nobody):
    """Stdin used up by a variable, on a terminal all the same."""
    folder = nobody / "task.toml"
    session = Session("run", folder, "--rehearse", "--var", "order=-")
    session.type(b"A-1001\n\x04")

    assert session.end() == 12
    assert "Agent wants to" not in session.seen
    assert "decide:  agentctl approve r_" in session.seen


# --- How far a call is ----------------------------------------------------------------------------

COPY = e.ToolStarted("c1.1", "fs.copy", {}, "low", 1, False, 5.0)
COPIED = e.ToolFinished("c1.1", "fs.copy", "success", None, False, 10, {"data": 1}, 1)


def step(share=0.4, words="reading page 4", call="c1.1", done=40.0):
    return Progress(call, "fs.copy", share, done, words)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (step(), "fs.copy 40 % reading page 4"),
        (step(0.999), "fs.copy 99 % reading page 4"),
        (step(1.0, ""), "fs.copy 100 %"),
        (step(None, "reading", done=1_204.0), "fs.copy 1,204 reading"),
        (step(None, "reading", done=None), "fs.copy reading"),
        (step(None, "", done=1e300), "fs.copy"),
        (step(0.0, "a\n b\t\x1b[2Jc\u202ed"), "fs.copy 0 % a b \\x1b[2Jc\\u202ed"),
    ],
)
def test_progress_is_one_harmless_line(at, said):
    assert said == progressed(at)


def test_a_server_that_says_much_is_cut_short():
    said = progressed(step(words="\u202e" * 500)).removeprefix("fs.copy 40 % ")

    assert MOST_WORDS == len(said)
    assert said.endswith("…")


def test_the_status_line_says_how_far_a_call_is_until_it_ends():
    live, _ = drawn(width=200)
    started, finished = stamped(COPY, COPIED)
    live.event(started, State())
    live.progress(step())
    during = live._bottom().plain
    live.progress(step(0.5, "reading page 5"))
    later = live._bottom().plain
    live.event(finished, State())
    live.progress(step(0.9, "too late"))
    after = live._bottom().plain

    assert during.startswith("fs.copy 40 % reading page 4 0s · $")
    assert later.startswith("fs.copy 50 % reading page 5 0s · $")
    assert "fs.copy" not in after


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (e.Waited("tokens_per_minute", 42.0), "waits for tokens_per_minute 42s left · $"),
        (e.Retried(2, 7.0), "waits for retry #2 7s left · $"),
    ],
)
def test_a_wait_shows_the_time_that_is_left_until_it_is_over(event, said):
    now = [100.0]
    live, _ = drawn(width=200, clock=lambda: now[0])
    live.event(stamped(event)[0], State())
    begun = live._bottom().plain
    now[0] += 2
    later = live._bottom().plain
    now[0] += 60

    assert begun.startswith(said)
    assert later.startswith(said.replace("42s", "40s").replace("7s", "5s"))
    assert "left" not in live._bottom().plain


def test_of_calls_side_by_side_the_one_heard_of_last_is_shown():
    live, _ = drawn(width=200)
    other = e.ToolStarted("c1.2", "fs.copy", {}, "low", 1, False, 5.0)
    first, second, ended = stamped(COPY, other, e.ToolFinished("c1.2", "fs.copy", "success", None, False, 1, {}, 1))
    live.event(first, State())
    live.event(second, State())
    live.progress(step(0.1, "one"))
    live.progress(step(0.2, "two", "c1.2"))
    assert "fs.copy 20 % two" in live._bottom().plain
    live.event(ended, State())

    assert "fs.copy 10 % one" in live._bottom().plain


def test_without_a_terminal_progress_is_a_line_every_five_seconds_for_each_call(capsys):
    now = [0.0]
    plain = Plain(clock=lambda: now[0])
    other = e.ToolStarted("c1.2", "fs.copy", {}, "low", 1, False, 5.0)
    for each in stamped(COPY, other):
        plain.event(each, State())
    for tenth in range(120):
        now[0] = tenth / 10
        plain.progress(step(tenth / 120, f"at {tenth}"))
    plain.progress(step(0.5, "other", "c1.2"))
    plain.progress(step(0.5, "nobody's", "c1.3"))
    plain.event(stamped(COPIED)[0], State())
    plain.progress(step(0.9, "too late"))

    told = [line for line in capsys.readouterr().err.splitlines() if "✓" not in line]
    assert told == [
        "  fs.copy 0 % at 0", "  fs.copy 41 % at 50", "  fs.copy 83 % at 100", "  fs.copy 50 % other",
    ]  # fmt: skip
    assert ["c1.2"] == list(plain._told)


def test_progress_is_no_event(capfd):
    lines = Lines()
    lines.event(stamped(COPY)[0], State())
    capfd.readouterr()
    lines.progress(step())

    assert ("", "") == capfd.readouterr()
