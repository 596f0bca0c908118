"""Arguments changed by a person, on a real terminal, with real editors (programs that change the file)."""

import asyncio
import json
import os
from dataclasses import replace

import pytest

from agentctl.approvals import editing
from agentctl.approvals.base import Answer
from agentctl.approvals.editing import Unfit, parsed, with_line
from tests.approvals.test_terminal import LATER, REFUND, Person, answer

EDITABLE = replace(REFUND, fits=lambda typed: "" if isinstance(typed.get("amount_usd"), float) else "amount_usd: no")


@pytest.fixture
def person():
    at = Person()
    yield at
    assert at.close(), "the terminal is not what it was"


@pytest.fixture
def editor(tmp_path, monkeypatch):
    def write(body):
        program = tmp_path / "editor.sh"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("EDITOR", str(program))
        monkeypatch.delenv("VISUAL", raising=False)

    return write


@pytest.fixture(autouse=True)
def no_editor(monkeypatch):
    for name in editing.EDITORS:
        monkeypatch.delenv(name, raising=False)


async def test_an_editor_changes_the_arguments(person, editor, tmp_path):
    editor(f'cp "$1" {tmp_path}/seen.json; stat -c %a "$1" > {tmp_path}/mode; sed -i s/48.5/4.85/ "$1"')

    asking = await person.asked(EDITABLE, LATER, b"e")

    assert Answer("edit", "ada", args={"order_id": "A-1001", "amount_usd": 4.85}) == await answer(asking)
    assert {"order_id": "A-1001", "amount_usd": 48.5} == json.loads((tmp_path / "seen.json").read_text())
    assert "600\n" == (tmp_path / "mode").read_text()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("true", "e: nothing was changed"),
        ("exit 3", "e: the editor ended with exit code 3; nothing was changed"),
        ('rm "$1"', "e: what the editor left can't be read; nothing was changed"),
    ],
)
async def test_an_editor_that_changes_nothing_or_fails_leaves_the_question(person, editor, body, said):
    editor(body)
    asking = await person.asked(EDITABLE, LATER, b"e")
    await person.until(said)
    await person.until("Agent wants", 2)
    await asyncio.sleep(LATER)
    person.type(b"y")

    assert Answer("approve", "ada") == await answer(asking)


async def test_an_editor_that_is_not_there(person, monkeypatch):
    monkeypatch.setenv("VISUAL", "/nowhere/vi")
    asking = await person.asked(EDITABLE, LATER, b"e")
    await person.until("e: the editor /nowhere/vi could not be started: No such file or directory; nothing was changed")
    person.type(b"s")
    asking.cancel()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{", "it is not JSON"),
        ('{\\"a\\": 1, \\"a\\": 2}', "a name stands twice"),
        ('{\\"amount_usd\\": 5}', "amount_usd: no"),
        ("[]", "expected a JSON object"),
        ('{\\"amount_usd\\": NaN}', "NaN is no JSON"),
    ],
)
async def test_what_does_not_fit_is_opened_again_with_what_is_wrong(person, editor, tmp_path, broken, said):
    good = '{\\"amount_usd\\": 1.5}'
    editor(
        f'if [ -e {tmp_path}/again ]; then cp "$1" {tmp_path}/second; echo "{good}" > "$1"; '
        f'else touch {tmp_path}/again; echo "{broken}" > "$1"; fi'
    )
    asking = await person.asked(EDITABLE, LATER, b"e")

    assert {"amount_usd": 1.5} == (await answer(asking)).args
    first, *rest = (tmp_path / "second").read_text().splitlines()
    assert first.startswith("# ")
    assert said in first
    assert broken.replace("\\", "") == "\n".join(rest)


async def test_without_an_editor_one_argument_is_changed_on_the_line(person):
    asking = await person.asked(EDITABLE, LATER, b"e")
    await person.until(editing.LINE)
    person.type(b"order_id = A-1002\n")
    await person.until(editing.LINE, 2)
    person.type(b"amount_usd = 4.85\n")
    await person.until(editing.LINE, 3)
    person.type(b"\n")

    assert Answer("edit", "ada", args={"order_id": "A-1002", "amount_usd": 4.85}) == await answer(asking)


async def test_lines_that_do_not_fit_change_nothing(person):
    asking = await person.asked(EDITABLE, LATER, b"e")
    await person.until(editing.LINE)
    person.type(b"amount_usd = much\n")
    await person.until("e: the value of amount_usd is no JSON")
    person.type(b'amount_usd = "much"\n')
    await person.until(editing.LINE, 3)
    person.type(b"\n")
    await person.until("e: amount_usd: no; nothing was changed")
    asking.cancel()


async def test_who_edits_is_not_timed_out(person, editor):
    editor('sleep 1; sed -i s/48.5/4.85/ "$1"')

    asking = await person.asked(replace(EDITABLE, timeout_s=1.0), LATER, b"e")

    assert "edit" == (await answer(asking)).decision


async def test_when_somebody_else_decides_the_editor_is_closed(person, editor, tmp_path):
    editor(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    asking = await person.asked(EDITABLE, LATER, b"e")
    for _ in range(200):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
        await asyncio.sleep(0.02)
    asking.cancel()
    await person.until("no longer asked here")

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_is_no_set_of_arguments_says_why():
    for text, why in (("{", "not JSON"), ("5", "object"), ('{"a":1,"a":1}', "twice"), ("[" * 90_000, "deeply")):
        with pytest.raises(Unfit, match=why):
            parsed(text)


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("a = 5", {"a": 5, "b": 1}),
        ('a = "5"', {"a": "5", "b": 1}),
        ("a =", {"a": "", "b": 1}),
        ("a = x = y", {"a": "x = y", "b": 1}),
        ("b = [1]", {"a": "t", "b": [1]}),
        ("c = null", {"a": "t", "b": 1, "c": None}),
    ],
)
def test_a_line_changes_one_argument(line, made):
    assert made == with_line({"a": "t", "b": 1}, line)


@pytest.mark.parametrize("line", ["a", "= 5", "b = x", 'a = "x', "a = [1", 'b = 1, "c": 2'])
def test_a_line_that_is_none(line):
    with pytest.raises(Unfit):
        with_line({"a": "t", "b": 1}, line)
