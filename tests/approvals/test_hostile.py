"""The prompt against terminals, arguments and editors that would make it show something else than what is decided."""

import asyncio
import contextlib
import json
import os
from dataclasses import replace

import pytest

from agentctl.approvals import editing
from agentctl.approvals.base import Answer
from agentctl.approvals.masks import restored
from agentctl.approvals.terminal import Terminal
from agentctl.approvals.wording import arguments, wrapped
from tests.approvals.test_terminal import LATER, REFUND, Person, answer

EDITABLE = replace(REFUND, fits=lambda _: "")
LONG = 200 * "k"


@pytest.fixture(autouse=True)
def no_editor(monkeypatch):
    for name in editing.EDITORS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def person():
    at = Person()
    yield at
    assert at.close(), "the terminal is not what it was"


# --- A no is a no ----------------------------------------------------------------------------------


async def test_who_said_no_and_is_interrupted_while_giving_the_reason_has_said_no(person):
    asking = await person.asked(REFUND, LATER, b"n")
    await person.until("reason):")
    asking.cancel()

    assert await answer(asking) == Answer("deny", "ada", "")


async def test_who_said_no_and_gives_no_reason_in_time_has_said_no(person):
    asking = await person.asked(replace(REFUND, timeout_s=LATER + 1), LATER, b"n")

    assert await answer(asking) == Answer("deny", "ada", "")


# --- What is shown -----------------------------------------------------------------------------------


def test_long_names_that_look_alike_when_cut_are_all_shown():
    args = {f"{LONG}{middle}{LONG}": middle for middle in ("harmless", "terrible")}

    assert all(middle in arguments(args) for middle in args.values())
    assert 2 == arguments(args).count(": ")


def test_a_name_that_looks_like_a_cut_one_hides_nothing():
    short = json.loads(arguments({LONG + LONG: 1})).popitem()[0]

    assert {1, 2} == set(json.loads(arguments({LONG + LONG: 1, short: 2})).values())


def test_arguments_of_any_depth_are_shown():
    deep: object = "bottom"
    for _ in range(300):
        deep = [deep]

    assert "bottom" in arguments(deep)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_line_is_wider_than_the_terminal_whatever_it_can_write(encoding):
    question = replace(REFUND, args={"text": "Привет, мир; 你好" * 20}, change="--- a\n+++ b\n" + "+é" * 300)

    for line in wrapped(question, 60, encoding):
        written = line.encode(encoding, "backslashreplace").decode(encoding)
        assert written == line
        assert len(line) <= 60


@pytest.mark.parametrize(("lines", "columns"), [(24, 12), (2, 80), (4, 30)])
async def test_on_a_terminal_too_small_for_it_nothing_is_approved(lines, columns):
    person = Person(lines, columns)
    asking = asyncio.create_task(person.prompt.ask(REFUND))
    await person.until("too small")
    for _ in range(40):
        person.type(b" ")
        await asyncio.sleep(0.02)
    await asyncio.sleep(LATER)
    person.type(b"y")
    await asyncio.sleep(0.1)
    assert not asking.done()
    person.type(b"s")

    assert (await answer(asking)).decision == "stop"
    person.close()


async def test_a_terminal_that_is_gone_is_nobody(tmp_path):
    fd, tty = os.openpty()
    out = os.fdopen(tty, "w", encoding="utf-8")
    os.close(fd)
    assert await Terminal("ada", keys=tty, out=out).ask(replace(REFUND, timeout_s=0.3)) is None
    with contextlib.suppress(OSError):
        out.close()
    with (tmp_path / "none").open("w") as out:
        assert await Terminal("ada", keys=out.fileno(), out=out).ask(REFUND) is None


async def test_a_terminal_that_goes_while_the_question_stands_is_nobody():
    person = Person()
    asking = await person.asked(replace(REFUND, timeout_s=1.0), LATER)
    os.close(person.fd)

    assert await answer(asking) is None
    for close in (person.out.close, lambda: os.close(person.tty)):
        with contextlib.suppress(OSError):
            close()


async def test_a_paste_that_begins_with_a_key_is_no_answer(person):
    asking = await person.asked(REFUND, LATER)
    person.type(b"y")
    person.type(b"es, please go on")
    await asyncio.sleep(0.3)

    assert not asking.done()
    asking.cancel()


# --- Editors -----------------------------------------------------------------------------------------


async def test_an_editor_that_will_not_end_is_ended(person, monkeypatch, tmp_path):
    program = tmp_path / "editor.sh"
    program.write_text(f"#!/bin/sh\ntrap '' TERM HUP\necho $$ > {tmp_path}/pid\nwhile :; do sleep 1; done\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(program))
    monkeypatch.setattr(editing, "PATIENCE_S", 0.2)
    asking = await person.asked(EDITABLE, LATER, b"e")
    for _ in range(200):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
        await asyncio.sleep(0.02)
    asking.cancel()

    await asyncio.wait({asking}, timeout=5)
    assert asking.done()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_an_editor_is_told_no_secrets_of_the_environment(person, monkeypatch, tmp_path):
    program = tmp_path / "editor.sh"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(program))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "fake")
    monkeypatch.setenv("MY_DATABASE_PASSWORD", "fake")
    monkeypatch.setenv("EDITOR_STYLE", "mine")
    asking = await person.asked(EDITABLE, LATER, b"e")
    await person.until("nothing was changed")
    asking.cancel()

    env = (tmp_path / "env").read_text()
    assert ("fake" in env, "EDITOR_STYLE=mine" in env) == (False, True)


async def test_what_an_editor_opens_has_nothing_that_moves_hides_or_breaks_a_line(person, monkeypatch, tmp_path):
    program = tmp_path / "editor.sh"
    program.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/seen; sed -i s/before/after/ "$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(program))
    odd = "\u2028\u202e\x85\x9b\ud800\U000e0041\u200b ä"
    asking = await person.asked(replace(EDITABLE, args={"text": odd, "at": "before"}), LATER, b"e")

    assert Answer("edit", "ada", args={"text": odd, "at": "after"}) == await answer(asking)
    assert not set(odd[:-1]) - {" "} & set((tmp_path / "seen").read_text(encoding="utf-8"))


@pytest.mark.parametrize("depth", [70, 300, 700, 100_000])
def test_what_is_typed_is_no_deeper_than_what_can_be_shown(depth):
    with pytest.raises(editing.Unfit, match="nested too deeply"):
        editing.parsed(depth * '{"a":' + "1" + depth * "}")


@pytest.mark.parametrize(("typed", "shown"), [([True], [1]), ({"a": 1.0}, {"a": 1}), ([0], [False])])
def test_what_python_takes_for_the_same_is_an_edit(typed, shown):
    made = restored({"x": typed}, {"x": shown}, {"x": shown}, "[REDACTED]")

    assert json.dumps({"x": typed}) == json.dumps(made)
