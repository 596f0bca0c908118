"""`--lines`: a file with the variables of one run on each line, as JSON objects."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentctl.errors import Invalid, Problem

if TYPE_CHECKING:
    from agentctl.core.messages import Json

STDIN = "-"
EXPECTED = 'expected an object of variables, such as {"order": "A-1001"}'


def read(name: str) -> tuple[list[tuple[int, dict[str, str]]], list[Problem]]:
    """The variables of each line that is not empty, with its number; and what is wrong with the others.

    No file at all is one line of no variables, with the number 0.

    Raises:
        Invalid: the file can't be read, or is empty.
    """
    if not name:
        return [(0, {})], []
    problems: list[Problem] = []
    found: list[tuple[int, dict[str, str]]] = []
    for number, line in enumerate(_text(name).split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append((number, _variables(line)))
        except _Odd as odd:
            problems.append(Problem(called(name), number, odd.column, odd.key, odd.message))
    if not found and not problems:
        raise Invalid(f"{called(name)}: no line holds variables", hint=EXPECTED)
    return found, problems


def called(name: str) -> str:
    """As messages name the file."""
    return "stdin" if name == STDIN else name


class _Odd(Exception):
    def __init__(self, message: str, column: int = 1, key: str = "") -> None:
        super().__init__(message)
        self.message, self.column, self.key = message, column, key


def _text(name: str) -> str:
    """The text; of a pipe too, so that `--lines <(…)` works."""
    try:
        if name == STDIN:
            held: Any = getattr(sys.stdin, "buffer", sys.stdin)
            data = held.read()
        else:
            data = Path(name).expanduser().read_bytes()
        return data if isinstance(data, str) else data.decode("utf-8-sig")
    except OSError as error:
        raise Invalid(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Invalid(f"{called(name)}:{line}: expected UTF-8 text") from None


def _variables(line: str) -> dict[str, str]:
    try:
        value = json.loads(line, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise _Odd(f"no JSON: {error.msg}", error.colno) from None
    except (ValueError, RecursionError):
        raise _Odd("no JSON that can be read: a number too long, or nested too deeply") from None
    if not isinstance(value, dict):
        raise _Odd(f"{EXPECTED}, got {_kind(value)}")
    return {key: _written(key, each) for key, each in cast("dict[str, Json]", value).items()}


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise _Odd("given twice", key=name)
    return dict(pairs)


def _written(key: str, value: Json) -> str:
    """The text that `--var` would have been given."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return value
        case float() if not math.isfinite(value):
            raise _Odd("expected a number that is finite", key=key)
        case int() | float():
            return str(value)
        case _:
            raise _Odd(f"expected a text, a number, true or false, got {_kind(value)}", key=key)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "a text"
        case _:
            return "a number"
