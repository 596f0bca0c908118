"""What a docstring says of a function and of each of its parameters: Google's, NumPy's and Sphinx's way of writing."""

from __future__ import annotations

import inspect
import re
from itertools import takewhile

from agentctl.records import dataclass

# Sections that list parameters, in either style; any other heading ends them.
PARAMETERS = {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"}

google_heading = re.compile(r"([A-Z][A-Za-z ]*):\s*")
numpy_rule = re.compile(r"-{3,}\s*")
google_item = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
numpy_item = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?")
sphinx_item = re.compile(r":param\s+(?:[^:]*\s)?(\w+)\s*:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Described:
    """The words of a docstring."""

    summary: str
    """Its first paragraph, on one line."""
    parameters: dict[str, str]


def described(docstring: str | None) -> Described:
    """Read a docstring; what it leaves out is empty."""
    lines = inspect.cleandoc(docstring or "").split("\n")
    opening = takewhile(lambda number: not _opens(lines, number) and lines[number].strip(), range(len(lines)))
    summary = _one_line([lines[number] for number in opening])
    return Described(summary, {**_sphinx(lines), **_sections(lines)})


def _opens(lines: list[str], number: int) -> bool:
    """Whether something other than plain words begins here."""
    return _heading(lines, number) is not None or lines[number].startswith(":param")


def _heading(lines: list[str], number: int) -> str | None:
    line = lines[number]
    if found := google_heading.fullmatch(line):
        return found[1].lower()
    below = lines[number + 1] if number + 1 < len(lines) else ""
    return line.strip().lower() if line[:1].isalpha() and numpy_rule.fullmatch(below) else None


def _sections(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number in range(len(lines)):
        if _heading(lines, number) not in PARAMETERS:
            continue
        numpy = numpy_rule.fullmatch(lines[number + 1]) if number + 1 < len(lines) else None
        first = number + 2 if numpy else number + 1
        end = next((each for each in range(first, len(lines)) if _heading(lines, each)), len(lines))
        found |= _items(lines[first:end], numpy_item if numpy else google_item)
    return found


def _items(lines: list[str], item: re.Pattern[str]) -> dict[str, str]:
    """Each parameter with the words after its name and on the deeper lines below it."""
    depth = min((_depth(line) for line in lines if line.strip()), default=0)
    said: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        if line.strip() and _depth(line) == depth:
            found = item.fullmatch(line.strip())
            names = re.split(r"\s*,\s*", found[1]) if found else []
            words = found[2] if found and item is google_item else ""
            said |= {name: [words] for name in names}
        else:
            for name in names:
                said[name].append(line)
    return {name: _one_line(words) for name, words in said.items()}


def _sphinx(lines: list[str]) -> dict[str, str]:
    said: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if found := sphinx_item.fullmatch(line.strip()):
            name = found[1]
            said[name] = [found[2]]
        elif not line.strip() or line.startswith(":"):
            name = ""
        elif name:
            said[name].append(line)
    return {name: _one_line(words) for name, words in said.items()}


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
