"""Patterns in RE2's dialect: linear time whatever text they meet, no back-references, no look-around.

Where RE2 is not installed (it has no wheels for musl) Python's own engine does the work, on the part of the dialect
that can't blow up: what nests or overlaps repeats is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol, cast

halves = re.compile("[\ud800-\udfff]")
pieces = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
"""An escape, a class of characters, or one character."""
MOST = 1_000
"""The largest repetition count of the dialect."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str, /) -> object | None:
        """Something where the pattern is found anywhere in the text."""
        ...

    def finditer(self, text: str, /) -> Iterator[Any]:
        """Its matches, each with `span()`."""
        ...

    def fullmatch(self, text: str, /) -> object | None:
        """Something where the pattern is the whole text."""
        ...


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """Compile a pattern.

    Raises:
        ValueError: it is none, in words for a person.
    """
    try:
        re2 = cast("Any", import_module("re2"))  # it has no types
    except ImportError:
        return _careful(pattern)
    options = re2.Options()
    options.log_errors = False  # or it prints over the terminal
    try:
        return cast("Pattern", re2.compile(pattern, options))
    except re2.error as error:
        said = cast("bytes | str", error.args[0])
        raise ValueError(said.decode() if isinstance(said, bytes) else said) from None


def found(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; a half of a surrogate pair, which RE2 can't read, counts as U+FFFD."""
    return compiled(pattern).search(halves.sub("\ufffd", text)) is not None


def anchored(pattern: str) -> bool:
    """Whether what it is found in is the whole text: each of its alternatives begins with ^ and ends with $.

    By its spelling, and rather no than yes.
    """
    text = re.sub(r"^\(\?[isU]+\)", "", pattern)
    if re.search(r"\(\?[a-zA-Z]*m", text) or "\\Q" in text:
        return False
    parts: list[list[str]] = [[]]
    depth = 0
    for piece in pieces.findall(text):
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and not depth:
            parts.append([])
        else:
            parts[-1].append(piece)
    return all(
        len(part) > 1 and part[0] in {"^", r"\A"} and part[1] not in set("*?{") and part[-1] in {"$", r"\z"}
        for part in parts
    )


def _careful(pattern: str) -> Pattern:
    try:
        # RE2's \d, \w and \s are ASCII, and its $ is the end of the text, not the line break before it.
        made = re.compile(_dollars(pattern), re.ASCII)
        _safe(cast("Any", re)._parser.parse(pattern), inside=False)  # noqa: SLF001 -- the only way to see the tree
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return made


def _dollars(pattern: str) -> str:
    return "".join(r"\Z" if part == "$" else part for part in pieces.findall(pattern))


def _safe(tree: Any, *, inside: bool) -> None:  # noqa: ANN401 -- the parser's own nodes
    for op, argument in tree:
        name = str(op)
        if name in {"ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS", "ATOMIC_GROUP"}:
            raise ValueError("no look-around and no back-references")
        if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most, inner = argument
            if inside and most != least:
                raise ValueError("a repeat inside a repeat needs RE2: pip install 'agentctl[re2]'")
            if least > MOST or MOST < most < int(cast("Any", re)._constants.MAXREPEAT):  # noqa: SLF001 -- see above
                raise ValueError(f"a repetition of more than {MOST}")
            _safe(inner, inside=inside or most > 1)
        elif name == "SUBPATTERN":
            _safe(argument[-1], inside=inside)
        elif name == "BRANCH":
            starts = [str(each[0]) if len(each) else "" for each in argument[1]]
            literal = all(start.startswith("(LITERAL") for start in starts)
            if inside and not (literal and len(set(starts)) == len(starts)):
                raise ValueError("alternatives that overlap inside a repeat need RE2")
            for each in argument[1]:
                _safe(each, inside=inside)
