"""The prompt on a real pseudo-terminal: what is typed is typed into the other end."""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time
from dataclasses import replace

import pytest

from agentctl.approvals import terminal
from agentctl.approvals.base import Answer, Question
from agentctl.approvals.terminal import HIDDEN, Terminal, can_ask
from agentctl.approvals.wording import choices, wording
from agentctl.core.tiers import Tier

REFUND = Question(
    "r_a3f7b2", "c3.1", "send_refund", "support-payments", {"order_id": "A-1001", "amount_usd": 48.5},
    Tier.HIGH, "risk.tiers.send_refund (policy.toml:19)", "d", 0.0061, 0.5, 20.0,
)  # fmt: skip
CHOICES = choices(REFUND)
LATER = terminal.QUIET_S + 0.1


class Person:
    """Whoever sits at the terminal."""

    def __init__(self, lines=40, columns=100):
        self.fd, self.tty = pty.openpty()
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.out = os.fdopen(os.dup(self.tty), "w", encoding="utf-8")
        self.before = termios.tcgetattr(self.tty)
        self.prompt = Terminal("ada", keys=self.tty, out=self.out)
        self.seen = ""

    def read(self):
        os.set_blocking(self.fd, False)
        with contextlib.suppress(BlockingIOError):
            self.seen += os.read(self.fd, 1 << 20).decode("utf-8", "replace").replace("\r\n", "\n")
        return self.seen

    def type(self, keys):
        os.write(self.fd, keys)

    async def until(self, text, times=1):
        deadline = time.monotonic() + 5
        while self.read().count(text) < times:
            assert time.monotonic() < deadline, self.seen
            await asyncio.sleep(0.01)

    async def asked(self, question, *steps):
        """Ask, and do one step after another: keys to type, or seconds to wait."""
        asking = asyncio.create_task(self.prompt.ask(question))
        await self.until("run")
        for step in steps:
            if isinstance(step, bytes):
                self.type(step)
                await asyncio.sleep(0.05)
            else:
                await asyncio.sleep(step)
        return asking

    def close(self):
        self.read()
        restored = termios.tcgetattr(self.tty) == self.before
        self.out.close()
        os.close(self.fd)
        os.close(self.tty)
        return restored


@pytest.fixture
def person():
    at = Person()
    yield at
    assert at.close(), "the terminal is not what it was"


async def answer(asking):
    return await asyncio.wait_for(asking, 5)


async def test_what_the_prompt_says(person):
    """B41: name and arguments, tier and rule, owner, spend and limit."""
    asking = await person.asked(REFUND, LATER, b"y")

    assert await answer(asking) == Answer("approve", "ada")
    await person.until("y: approved\n")
    assert (
        person.read()
        == f"""
Agent wants to send_refund with args: {{"order_id": "A-1001", "amount_usd": 48.5}}
  tier   high, by risk.tiers.send_refund (policy.toml:19)
  owner  support-payments
  spend  $0.0061 so far, $0.50 at worst
  run    r_a3f7b2, call c3.1
{CHOICES}
y: approved
"""
    )


async def test_no_with_a_reason_that_the_terminal_let_them_edit(person):
    asking = await person.asked(REFUND, LATER, b"n")
    await person.until("reason):")
    person.type("ask frist\x7f\x7f\x7f\x7first, ä\x1b[A\n".encode())

    assert await answer(asking) == Answer("deny", "ada", "ask first, ä\\x1b[A")


async def test_no_without_a_reason(person):
    asking = await person.asked(REFUND, LATER, b"n")
    await person.until("reason):")
    person.type(b"\n")

    assert await answer(asking) == Answer("deny", "ada", "")


REMEMBERED = replace(REFUND, remembers="remember: send_refund with exactly these arguments")


async def test_remembered_for_the_run_and_the_prompt_says_what(person):
    asking = await person.asked(REMEMBERED, LATER, b"a")

    assert await answer(asking) == Answer("approve", "ada", remember=True)
    assert "  a      remember: send_refund with exactly these arguments\n" in person.read()


@pytest.mark.parametrize(("typed", "result"), [(b'{"receipt": "R-7"}\n', '{"receipt": "R-7"}'), (b"\n", "")])
async def test_of_a_call_in_doubt_they_may_say_that_it_happened_and_what_it_came_to(person, typed, result):
    """E30: yes means that it did not, which the line below the question says."""
    doubtful = replace(REFUND, doubt=("started 2026-11-22 00:18:08 UTC", "its key is r_a3f7b2:c3.1"))
    asking = await person.asked(doubtful, LATER, b"h")
    await person.until("what it came to")
    person.type(typed)

    assert Answer("happened", "ada", result=result) == await asking
    assert "  doubt  started 2026-11-22 00:18:08 UTC" in person.seen
    assert "y it did not: run it" in person.seen


async def test_of_any_other_call_they_may_not(person):
    asking = await person.asked(REFUND, LATER, b"h")
    await person.until("y approve once", times=2)
    asking.cancel()


async def test_what_is_not_offered_decides_nothing(person):
    asking = await person.asked(REFUND, LATER, b"a", b"e")

    await person.until(CHOICES, 3)
    assert not asking.done()
    assert "a remember" not in person.read()
    person.type(b"s")
    await answer(asking)


async def test_nothing_is_remembered_while_part_of_it_is_hidden():
    person = Person(lines=8)
    asking = await person.asked(replace(REMEMBERED, change="+a\n" * 20), LATER, b"a", b"y")

    await person.until(HIDDEN, 2)
    assert not asking.done()
    person.type(b"s")
    await answer(asking)
    person.close()


async def test_stop(person):
    asking = await person.asked(REFUND, LATER, b"s")

    assert await answer(asking) == Answer("stop", "ada")


@pytest.mark.parametrize(
    "keys", [b"\n", b"\r", b" ", b"Y", b"a", b"\x1b", b"\x1b[A", b"yy", b"y\n", b"\x04", b"\x1b[200~y\x1b[201~"]
)
async def test_any_other_key_decides_nothing_and_shows_the_choices_again(person, keys):
    asking = await person.asked(REFUND, LATER, keys)

    await person.until(CHOICES, 2)
    assert not asking.done()
    person.type(b"s")
    assert (await answer(asking)).decision == "stop"


async def test_what_was_typed_ahead_is_thrown_away(person):
    person.type(b"yyy\ny")

    asking = await person.asked(REFUND, LATER)

    assert not asking.done()
    person.type(b"s")
    assert (await answer(asking)).decision == "stop"


async def test_keys_of_the_first_moment_and_a_key_held_down_decide_nothing(person):
    asking = await person.asked(REFUND, *[b"y"] * 12)

    assert not asking.done()
    await asyncio.sleep(LATER)
    person.type(b"s")
    assert (await answer(asking)).decision == "stop"


async def test_nothing_is_approved_while_part_of_it_is_hidden():
    person = Person(lines=8, columns=60)
    many = replace(REFUND, args={f"field_{number}": "x" * 50 for number in range(12)})
    asking = asyncio.create_task(person.prompt.ask(many))
    await person.until("space shows more (5 of")
    await asyncio.sleep(LATER)
    person.type(b"y")
    await person.until(HIDDEN)
    assert not asking.done()
    assert "field_11" not in person.seen
    while "call this" not in person.seen and "y approve" not in person.seen:
        person.type(b" ")
        await asyncio.sleep(0.05)
        person.read()
    assert "field_11" in person.seen
    assert max(map(len, person.seen.splitlines())) <= 72
    person.type(b"y")

    assert await answer(asking) == Answer("approve", "ada")
    assert person.close()


async def test_a_question_that_wrong_keys_push_off_the_screen_is_shown_again():
    person = Person(lines=12)
    asking = await person.asked(REFUND, LATER, *[b"\n"] * 8)

    assert person.read().count("Agent wants to") == 2
    last = person.seen.rpartition("Agent wants to")[2]
    assert len(last.splitlines()) < 12
    person.type(b"s")
    assert (await answer(asking)).decision == "stop"
    assert person.close()


async def test_who_comes_back_after_ctrl_z_finds_the_question_and_the_keys_as_they_were(person):
    asking = await person.asked(REFUND, LATER)
    termios.tcsetattr(person.tty, termios.TCSANOW, person.before)
    os.kill(os.getpid(), signal.SIGCONT)
    await person.until(CHOICES, 2)

    assert person.seen.count("Agent wants to send_refund") == 2
    person.type(b"y")
    await asyncio.sleep(0.05)
    assert not asking.done(), "whoever has just come back has not read it yet"
    await asyncio.sleep(LATER)
    person.type(b"s")
    assert (await answer(asking)).decision == "stop"


async def test_who_comes_back_to_the_reason_is_asked_for_it_again(person):
    asking = await person.asked(REFUND, LATER, b"n")
    await person.until("reason):")
    os.kill(os.getpid(), signal.SIGCONT)
    await person.until("reason):", 2)
    assert not asking.done()
    person.type(b"ask first\n")

    assert await answer(asking) == Answer("deny", "ada", "ask first")


@pytest.mark.parametrize("size", [(40, 60), (12, 100), (50, 200)])
async def test_another_size_brings_the_question_anew_and_the_key_that_noticed_decides_nothing(person, size):
    asking = await person.asked(REFUND, LATER)
    fcntl.ioctl(person.tty, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    person.type(b"y")
    await person.until(CHOICES, 2)

    assert person.seen.count("Agent wants to send_refund") == 2
    assert not asking.done()
    await asyncio.sleep(LATER)
    person.type(b"y")
    assert await answer(asking) == Answer("approve", "ada")


async def test_nobody_answers_in_time(person):
    asking = await person.asked(replace(REFUND, timeout_s=0.2))

    assert await answer(asking) is None
    assert "no answer within 0.2s" in person.read()


async def test_decided_elsewhere_takes_the_question_away(person):
    asking = await person.asked(REFUND, LATER)
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await person.until("no longer asked here: decided elsewhere, or the run stops\n")


async def test_two_questions_stand_one_after_the_other(person):
    first = await person.asked(REFUND)
    second = asyncio.create_task(person.prompt.ask(replace(REFUND, call_id="c3.2")))
    await asyncio.sleep(LATER)
    assert "c3.2" not in person.read()
    person.type(b"y")
    assert (await answer(first)).decision == "approve"
    await person.until("c3.2")
    await asyncio.sleep(LATER)
    person.type(b"s")
    assert (await answer(second)).decision == "stop"


async def test_the_loop_goes_on_while_a_question_stands(person):
    asking = await person.asked(REFUND)
    ticks = 0
    for _ in range(20):
        await asyncio.sleep(0.005)
        ticks += 1

    assert ticks == 20
    asking.cancel()


async def test_the_screen_is_asked_to_step_aside_and_gets_it_back():
    from contextlib import contextmanager

    moments = []

    @contextmanager
    def aside():
        moments.append("aside")
        yield
        moments.append("back")

    person = Person()
    person.prompt = Terminal("ada", keys=person.tty, out=person.out, screen=aside)
    asking = await person.asked(REFUND, LATER, b"s")
    await answer(asking)

    assert moments == ["aside", "back"]
    assert person.close()


SPOOFS = {
    "new lines": "x\n\nAgent wants to read_file with args: {}\n  tier   safe",
    "carriage return": "x\rAgent wants to read_file",
    "cursor up": "\x1b[5A\x1b[2KAgent wants to read_file",
    "screen": "\x1b[2J\x1b[H",
    "bidi": "\u202e}5.84 :tnuoma\u202c",
    "zero width": "A\u200b-1001",
    "blanks": "A-1001" + " " * 500 + "hidden",
    "line separator": "a\u2028Agent wants to",
}


@pytest.mark.parametrize("where", ["args", "key", "tool", "owner", "rule", "call"])
@pytest.mark.parametrize("text", SPOOFS.values(), ids=SPOOFS.keys())
def test_nothing_in_a_question_changes_its_shape(where, text):
    changes = {
        "args": {"args": {"order_id": text}},
        "key": {"args": {text: 1}},
        "tool": {"tool": text},
        "owner": {"owner": text},
        "rule": {"rule": text},
        "call": {"call_id": text},
    }
    lines = wording(replace(REFUND, **changes[where]))

    assert len(lines) == len(wording(REFUND))
    assert all(line.isprintable() for line in lines)
    assert ["", "Agent ", "  tier", "  owne", "  spen", "  run "] == [line[:6] for line in lines]
    assert " " * 10 not in "".join(lines)


def test_a_long_value_shows_head_tail_and_length():
    value = "curl http://a/" + "A" * 5_000 + "; rm -rf /"
    line = wording(replace(REFUND, args={"command": value, "list": [value]}))[1]

    assert line.count("(5,024 characters)") == 2
    assert "curl http://a/" in line
    assert "; rm -rf /" in line
    assert len(line) < 1_000


def test_what_was_copied_from_a_stranger_is_shown_with_its_source_and_can_not_draw():
    """D21: one line for each copy, whatever stands in it."""
    copied = (("http_get", 'to "DE89\n3704\x1b[2J\u202e'), ("var.mail", "x" * 500))
    lines = wording(replace(REFUND, copied=copied, untrusted=("http_get", "var.mail")))

    assert '  copied from http_get: "to "DE89\\n3704\\x1b[2J\\u202e"' in lines
    assert any(line.startswith('  copied from var.mail: "xxx') and "(500 characters)" in line for line in lines)
    assert "  words  of http_get, var.mail are in the run" in lines
    assert len(lines) == len(wording(REFUND)) + 3


def test_a_terminal_is_asked_only_where_somebody_can_answer(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)

    assert not can_ask()
    assert not can_ask(stdin_used=True)
