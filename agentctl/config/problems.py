"""The words in which a file is told what is wrong with it.

A path such as `("providers", 0, "timeout_s")` names a value; people read it as `providers[0].timeout_s`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from agentctl.errors import Invalid, Problem

KeyPath: TypeAlias = tuple[str | int, ...]

KEY_WAY_OUT = 'keys never stand in a file: use key_env = "NAME_OF_A_VARIABLE" or `agentctl auth set`'

bare_key = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: KeyPath) -> str:
    """`providers[0].timeout_s`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if bare_key.fullmatch(part) else f'"{show(part)[1:-1]}"'
            text += f".{name}" if text else name
    return text


def header(path: KeyPath) -> str:
    """The table as it is written: `[circuit.tools]`, `[[providers]]`; nothing for the top of the file."""
    names = dotted(tuple(part for part in path if isinstance(part, str)))
    if not names:
        return ""
    return f"[[{names}]]" if isinstance(path[-1], int) else f"[{names}]"


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant."""
    import difflib

    spelled = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=cutoff)
    return spelled[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "high"?`, or nothing."""
    found = nearest(word, known)
    return f'did you mean "{found}"?' if found else ""


def one_of(words: Iterable[str]) -> str:
    """`one of: a, b`; a single word stands alone."""
    listed = list(words)
    return f"one of: {', '.join(listed)}" if len(listed) > 1 else listed[0]


def show(value: object) -> str:
    """A value as a person would name it: short, and harmless on a terminal."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # repr() escapes whatever could not be seen, or would move the cursor.
        return repr(value if len(value) <= 40 else value[:37] + "…")
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, Sequence):
        return "a list"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"


def unheard(problems: Iterable[Problem], more: Iterable[Problem]) -> list[Problem]:
    """What is new: a second word about the same key only follows from the first."""
    known = {(problem.file, problem.key) for problem in problems if problem.key}
    return [problem for problem in more if (problem.file, problem.key) not in known]


def invalid(problems: Sequence[Problem]) -> Invalid:
    """All problems in one error, each on a line of its own, in the order of the file."""
    ordered = sorted(dict.fromkeys(problems), key=lambda each: (each.file, each.line, each.column))
    lines = [str(problem) for problem in ordered]
    if len(lines) > 1:
        lines.insert(0, f"{len(lines)} problems:")
    return Invalid("\n".join(lines), problems=tuple(ordered))
