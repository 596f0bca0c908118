"""TOML text as a document that can say where each of its values stands."""

from __future__ import annotations

import math
import re
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import cast

from agentctl.config.positions import DEEP, Place, positions
from agentctl.config.problems import KeyPath, dotted, invalid, show
from agentctl.config.text import display, read
from agentctl.errors import Invalid, Problem
from agentctl.records import dataclass

LARGEST = 2**63

place_in_words = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
# What the parser says, and what a person understands by it.
PLAIN = (
    ("Invalid value", "expected a value"),
    ("Expected '='", "expected = after the key"),
    ("Expected newline", "expected the end of the line after the value"),
    ("Invalid statement", "expected KEY = VALUE or a [table]"),
    ("Invalid initial character", "expected a key"),
    ("Expected ']", "expected ] after the name of the table"),
    ("Unclosed array", "expected a comma or ] in this list"),
    ("Unclosed inline table", "expected a comma or } on the same line"),
    ("Unterminated string", "expected a closing quote"),
    ('Expected "\'"', "expected a closing quote"),
    ("Illegal character '\\n'", "expected a closing quote before the end of the line"),
    ("Unescaped '\\'", "expected an escape such as \\n after the \\, or single quotes"),
)
MEANT = {
    "yes": "write true",
    "on": "write true",
    "no": "write false",
    "off": "write false",
    "none": "leave the key out",
    "null": "leave the key out",
    "nil": "leave the key out",
}


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A file that is TOML; whether it makes sense is for others to say."""

    file: str
    """As messages name it."""
    text: str
    data: dict[str, object]
    """With None for each value of `odd`."""
    odd: dict[KeyPath, str]
    """Values that no table of ours can hold, in words: dates, infinity, NaN."""
    shipped: bool = False
    """It came with the program."""

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Line and column of a value, or of its name."""
        places = positions(self.text)
        return places.key(path) if key else places.value(path)

    def problem(self, path: KeyPath, message: str, suggestion: str = "", *, key: bool = False) -> Problem:
        """What is wrong at a value, or at its name."""
        line, column = self.place(path, key=key)
        return Problem(self.file, line, column, dotted(path), message, suggestion)


def load(path: Path, *, shipped: bool = False) -> Document:
    """Read a TOML file; Invalid where it is none."""
    name = display(path)
    return parse(read(path, name), name, shipped=shipped)


def parse(text: str, file: str, *, shipped: bool = False) -> Document:
    """Read TOML text.

    Raises:
        Invalid: it is no TOML, or nested deeper than anything that makes sense.
    """
    odd: dict[KeyPath, str] = {}
    try:
        data = _plain(tomllib.loads(text), (), odd)
    except RecursionError:
        raise _too_deep(text, file) from None
    except ValueError as error:
        raise invalid([_syntax(text, file, str(error))]) from None
    return Document(file, text, cast("dict[str, object]", data), odd, shipped)


def _plain(value: object, path: KeyPath, odd: dict[KeyPath, str]) -> object:
    """A copy with None for what JSON has no word for."""
    if len(path) > DEEP:
        raise RecursionError
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {name: _plain(each, (*path, name), odd) for name, each in table.items()}
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_plain(each, (*path, number), odd) for number, each in enumerate(items)]
    if isinstance(value, date | datetime | time):
        kind = "time" if isinstance(value, time) else "date"
        odd[path] = f"the {kind} {value}"
    elif isinstance(value, float) and not math.isfinite(value):
        odd[path] = str(value)
    elif isinstance(value, int) and not -LARGEST <= value < LARGEST:
        odd[path] = "a number of more than 64 bits"
    return None if path in odd else value


def _too_deep(text: str, file: str) -> Invalid:
    places = positions(text).values
    deepest = max(places, key=len, default=())
    line, column = places.get(deepest, (0, 0))
    message = f"tables and lists nested deeper than {DEEP} levels"
    return invalid([Problem(file, line, column, dotted(deepest[:1]), message)])


def _syntax(text: str, file: str, said: str) -> Problem:
    """The parser's complaint, with its place as numbers."""
    found = place_in_words.search(said)
    words = said[: found.start()] if found else said
    if re.match(r"Cannot|Duplicate", words) and (repeated := positions(text).repeated):
        path, (line, column), (first, _) = repeated[0]
        message = f"set twice; the first time on line {first}"
        return Problem(file, line, column, dotted(path), message, "remove one of them")
    lines = text.split("\n")
    line, column = len(lines), len(lines[-1]) + 1
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    elif not found:
        line = column = 0
    plain = next((plain for start, plain in PLAIN if words.startswith(start)), words)
    rest = lines[line - 1][column - 1 :] if line else ""
    hint = _value_hint(rest) if words == "Invalid value" else ""
    if words == "Invalid value" and not (found and found[1]):
        plain = "expected a value before the end of the file: is a list still open?"
    if words.startswith("Invalid initial") and rest[:1] in {"", "}"}:
        hint = "an inline table stays on one line and has no comma at its end"
    return Problem(file, line, column, "", f"not TOML: {plain}", hint)


def _value_hint(rest: str) -> str:
    word = re.match(r"[^\s,\]}#]*", rest)
    text = word[0] if word else ""
    if text.lower() in MEANT:
        return MEANT[text.lower()]
    if text.lower() in {"true", "false"}:
        return f"write {text.lower()}"
    if re.fullmatch(r"[.+-]?[\d.]+%?", text):
        return "write a number such as 0.5"
    return f"write {show(text).replace(chr(39), chr(34))}" if text else ""
