"""`counter = "python:MODULE:FUNCTION"`: a function of the user's that counts the tokens of a text. A24

It is called in this process, for every text that enters a run, so it must be quick. What it says of a text is
recorded: a resumed run never asks again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import cast

from agentctl.errors import Invalid, Problem
from agentctl.foreign import Raised, outcome
from agentctl.tools import loading
from agentctl.tools.loading import one_line
from agentctl.tools.quiet import quietly

PYTHON = "python:"
MOST = 1 << 31
"""Tokens of one text, at the most."""
HOSTILE = (
    *("", " ", "a" * 100_000, "\x00\x1b[0m\r\n", "\ud83c", "\u754c" * 1_000),
    *("<|endoftext|>", "\u202e\U0001f642\u200d", '{"a":['),
)
"""Texts that come out of tools: none of them may break a counter."""


class Miscounted(Exception):
    """Why a function is no counter."""


def open_counter(named: str, base: Path) -> Callable[[str], int] | None:
    """The user's counter; None where the policy names none. Modules are looked for beside the task, then on the path.

    Raises:
        Invalid: there is no such function, or it does not count every text.
    """
    if not named.startswith(PYTHON):
        return None
    module, _, name = named.removeprefix(PYTHON).partition(":")
    try:
        with loading.folder_first(base):
            loaded = loading.load(base, module)
    except loading.Unloadable as error:
        raise _invalid(named, error.message, error.file or str(base), error.line, error.hint) from None
    found = getattr(loaded, name, None)
    if not callable(found):
        what = f"there is no '{name}' in it" if found is None else f"'{name}' is no function"
        raise _invalid(named, what, loaded.__file__ or module)
    function = cast("Callable[[str], object]", found)
    for text in HOSTILE:
        try:
            counted(function, text)
        except Miscounted as error:
            shown = f"{text[:12]!a}{'…' if len(text) > 12 else ''}"
            raise _invalid(named, f"{error} for {shown}", loaded.__file__ or module) from None
    return lambda text: counted(function, text)


def counted(function: Callable[[str], object], text: str) -> int:
    """The tokens of a text.

    Raises:
        Miscounted: it raised, or what it returned is no count.
    """
    with quietly():
        tokens = outcome(lambda: function(text), (SystemExit,))
    if isinstance(tokens, Raised):
        raise Miscounted(f"it fails with {one_line(tokens.error)}")
    if inspect.iscoroutine(tokens):
        tokens.close()
    if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 <= tokens <= MOST:
        raise Miscounted(f"it returned {one_line(ValueError(repr(tokens)[:80]))}, no count of tokens")
    return tokens


class Forgiving:
    """The user's counter as long as it counts; from its first failure on, the estimate, after one line."""

    def __init__(self, own: Callable[[str], int], estimate: Callable[[str], int], tell: Callable[[str], None]) -> None:
        self._own, self._estimate, self._tell = own, estimate, tell
        self._failed = False

    def __call__(self, text: str) -> int:
        """The tokens of a text."""
        if self._failed:
            return self._estimate(text)
        try:
            return self._own(text)
        except Miscounted as error:
            self._failed = True
            self._tell(f"context.counter is not used any more: {error}; tokens are estimated from here on")
            return self._estimate(text)


def _invalid(named: str, message: str, file: str, line: int = 0, hint: str = "") -> Invalid:
    problem = Problem(file, line, min(line, 1), f"context.counter {named}", message)
    return Invalid(str(problem), hint=hint or "It takes a text and returns its tokens, as an int.", problems=(problem,))
