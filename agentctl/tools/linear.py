"""Patterns that a model wrote, in time that none of them can blow up.

RE2 where it is installed. Else Python's own engine, for patterns without anything that multiplies: no repeat within a
repeat, few repeats in all, short lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, cast

Search = Callable[[str], int | None]
"""Where in a line the pattern is first found."""

LONGEST = 2_000
"""Characters of a line that Python's engine is let loose on."""
MOST_REPEATS = 3
REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
NOT_RE2 = frozenset({"ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS", "ATOMIC_GROUP"})


@lru_cache(maxsize=64)
def searcher(pattern: str) -> Search:
    """Compile a pattern.

    Raises:
        ValueError: it is none, or more than can be searched for safely here.
    """
    try:
        re2 = cast("Any", import_module("re2"))  # an extra, without types
    except ImportError:
        return _careful(pattern)
    options = re2.Options()
    options.log_errors = False  # or it prints over the terminal
    try:
        found: Callable[[str], re.Match[str] | None] = re2.compile(pattern, options).search
    except re2.error as error:
        said = cast("bytes | str", error.args[0])
        raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else said) from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None

    def search(line: str) -> int | None:
        match = found(line)
        return None if match is None else match.start()

    return search


def _careful(pattern: str) -> Search:
    try:
        compiled = re.compile(pattern, re.ASCII)
        tree = cast("Any", re)._parser.parse(pattern)  # noqa: SLF001 -- the only way to see it
        variable = _repeats(tree, inside=False)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if variable > MOST_REPEATS:
        raise ValueError(f"more than {MOST_REPEATS} repeats need RE2, which is not installed")

    def search(line: str) -> int | None:
        match = compiled.search(line[:LONGEST])
        return None if match is None else match.start()

    return search


def _repeats(tree: Iterable[Any], *, inside: bool) -> int:
    """How many repeats of no fixed length it has."""
    count = 0
    for op, argument in tree:
        name = str(op)
        if name in NOT_RE2:
            raise ValueError("no look-around and no back-references")
        if name in REPEATS:
            least, most, inner = argument
            if inside and most > 1:
                raise ValueError("a repeat inside a repeat needs RE2, which is not installed")
            count += (least != most) + _repeats(inner, inside=inside or most > 1)
        elif name == "SUBPATTERN":
            count += _repeats(argument[-1], inside=inside)
        elif name == "BRANCH":
            if inside:
                raise ValueError("alternatives inside a repeat need RE2, which is not installed")
            count += sum(_repeats(each, inside=inside) for each in argument[1])
    return count
