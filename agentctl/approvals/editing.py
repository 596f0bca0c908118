"""Arguments changed by a person: in their editor, or one by one on the line where they were asked.

Rules. They see what the prompt showed, without secrets. What is not JSON, says a name twice or does not fit comes back
to them with what is wrong; what they leave alone, and an editor that fails, change nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from unicodedata import category

from agentctl.approvals.base import Fits
from agentctl.approvals.masks import same
from agentctl.approvals.printable import BLANKS, SHAPELESS
from agentctl.approvals.wording import arguments, one_line
from agentctl.core.guards import scrub
from agentctl.core.guards.args import DEEPEST, deeper
from agentctl.core.messages import Json, JsonObject, is_object

EDITORS = ("VISUAL", "EDITOR")
NOTE = "# "
PATIENCE_S = 2.0
"""Seconds that an editor has to end when nobody waits for it any more."""
LINE = "e: name = value (Enter: done): "


class Unfit(ValueError):
    """What was typed is no set of arguments, in words for the person."""


def editor() -> list[str]:
    """The person's own; empty: they have named none."""
    named = next((os.environ[name] for name in EDITORS if os.environ.get(name, "").strip()), "")
    try:
        return shlex.split(named)
    except ValueError:
        return []


async def in_editor(command: list[str], shown: Json, fits: Fits, say: Callable[[str], None]) -> JsonObject | None:
    """The new arguments; None: they stay as they are."""
    before = text = written(shown)
    problem = ""
    while True:
        earlier = text
        try:
            text = await _opened(command, text, problem)
        except Unfit as error:
            say(f"e: {error}; nothing was changed")
            return None
        if text == before or (problem and text == earlier):
            say("e: nothing was changed")
            return None
        edited, problem = _fitting(text, fits)
        if edited is not None:
            return edited
        say(f"e: {one_line(problem)}")


async def by_line(
    shown: JsonObject, fits: Fits, say: Callable[[str], None], read: Callable[[str], Awaitable[str]]
) -> JsonObject | None:
    """The new arguments, changed one by one; None: they stay as they are."""
    say(f"e: {arguments(shown)}")
    edited = shown
    while line := (await read(LINE)).strip():
        try:
            edited = with_line(edited, line)
        except Unfit as error:
            say(f"e: {one_line(str(error))}")
    problem = "" if same(edited, shown) else fits(edited)
    if problem or same(edited, shown):
        say(f"e: {one_line(problem)}; nothing was changed" if problem else "e: nothing was changed")
        return None
    return edited


def parsed(text: str) -> JsonObject:
    """An object, each name once.

    Raises:
        Unfit: it is something else.
    """
    value = _value(text)
    if not is_object(value):
        raise Unfit("expected a JSON object with the arguments")
    return value


def with_line(shown: JsonObject, line: str) -> JsonObject:
    """The arguments with one of them changed: the value as JSON, or as it stands where a text was.

    Raises:
        Unfit: it is no such line.
    """
    name, equals, said = (part.strip() for part in line.partition("="))
    if not (name and equals):
        raise Unfit("expected: name = value")
    try:
        return {**shown, name: _value(said)}
    except Unfit:
        if isinstance(shown.get(name), str) and not said.startswith(('"', "[", "{")):
            return {**shown, name: said}
        raise Unfit(f"the value of {name} is no JSON; write texts in double quotes") from None


def written(shown: Json) -> str:
    """JSON in which every character can be seen: an editor must show neither less nor something else."""
    text = json.dumps(shown, ensure_ascii=False, indent=2)
    return "".join(
        json.dumps(char)[1:-1] if not char.isascii() and (category(char) in SHAPELESS or char in BLANKS) else char
        for char in text
    )


def _fitting(text: str, fits: Fits) -> tuple[JsonObject | None, str]:
    try:
        edited = parsed(text)
    except Unfit as error:
        return None, str(error)
    problem = fits(edited)
    return (None, problem) if problem else (edited, "")


def _value(text: str) -> Json:
    try:
        value: Json = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise Unfit("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unfit(f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    if deeper(value, DEEPEST):
        raise Unfit("it is nested too deeply")
    return value


def _once(pairs: list[tuple[str, Json]]) -> JsonObject:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Unfit("a name stands twice, and only one of its values would count")
    return made


def _no_number(name: str) -> Json:
    raise Unfit(f"{name} is no JSON")


async def _opened(command: list[str], text: str, problem: str) -> str:
    """What the editor left, without notes."""
    with tempfile.TemporaryDirectory(prefix="agentctl-") as folder:
        file = Path(folder) / "arguments.json"
        file.touch(0o600)
        file.write_text(f"{NOTE}{problem}\n{text}\n" if problem else f"{text}\n", encoding="utf-8")
        try:
            code = await _run([*command, str(file)])
        except OSError as error:
            raise Unfit(f"the editor {command[0]} could not be started: {error.strerror}") from None
        if code:
            raise Unfit(f"the editor ended with exit code {code}")
        try:
            left = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise Unfit("what the editor left can't be read") from None
    return "\n".join(line for line in left.split("\n") if not line.startswith(NOTE)).strip()


async def _run(command: list[str]) -> int:
    """The editor has the terminal until it ends; it is ended where nobody waits for it any more."""
    child = await asyncio.create_subprocess_exec(*command, env=_environment())
    try:
        return await child.wait()
    finally:
        if child.returncode is None:
            for end in (child.terminate, child.kill):
                with suppress(ProcessLookupError, TimeoutError):
                    end()
                    await asyncio.wait_for(child.wait(), PATIENCE_S)


def _environment() -> dict[str, str]:
    """All that the person's own programs are told, but no secret."""
    sensitive = scrub.make(scrub.Rules(), ()).sensitive
    return {name: value for name, value in os.environ.items() if not sensitive(name)}
