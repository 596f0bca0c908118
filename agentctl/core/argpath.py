"""Tool names with stars, and values of arguments by their path: what rules point at.

A path is a name, then `.name`, `["any name"]`, `[0]` (an element of a list) or `[*]` (every element of a list or value
of an object); `$` may stand before it: `to[0].address`, `to[*]["e-mail.work"]`, `$.command`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias, cast

from agentctl.core.messages import Json, JsonObject, is_list, is_object

EVERY = -1
Step: TypeAlias = "str | int"
"""A key, the number of an element, or EVERY."""
_NAME, _QUOTED = r"[\w-]+", r"""\["[^"]+"\]|\['[^']+'\]"""
whole = re.compile(
    rf"(?:\$\.(?=[\w-])|\$(?=\[))?(?:{_NAME}|{_QUOTED}|\[\*\])(?:\.{_NAME}|{_QUOTED}|\[(?:[0-9]{{1,9}}|\*)\])*"
)
piece = re.compile(rf"{_QUOTED}|\[(?:[0-9]+|\*)\]|{_NAME}")


@lru_cache(maxsize=512)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        ValueError: it is none.
    """
    if not whole.fullmatch(path):
        raise ValueError(f"no path of an argument: {path[:100]!r}")
    return tuple(_step(found[0]) for found in piece.finditer(path))


def _step(text: str) -> Step:
    if not text.startswith("["):
        return text
    inner = text[1:-1]
    if inner == "*":
        return EVERY
    return inner[1:-1] if inner[0] in "\"'" else int(inner)


def lookup(args: Mapping[str, Json], path: str) -> tuple[str | None, ...]:
    """The values at a path as text, one unless it has a `[*]`; None for one that is not there.

    A text stands for itself, anything else for its compact JSON; a whole number is written with its digits alone.
    """
    values: list[Json] = [cast("Any", args)]
    for step in steps(path):
        values = [below for value in values for below in _below(value, step)]
    return tuple(_text(value) for value in values)


def _below(value: Json, step: Step) -> Iterator[Json]:
    if step == EVERY:
        yield from value.values() if is_object(value) else value if is_list(value) else (None,)
    elif isinstance(step, int):
        yield value[step] if is_list(value) and step < len(value) else None
    else:
        yield value.get(step) if is_object(value) else None


def _text(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():  # 5000.0 and 5e3 are the number 5000, to a tool too
        return str(int(value))
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def reaches(schema: JsonObject, path: str) -> bool:
    """Whether arguments of this JSON Schema can have something at a path; where that can't be said, they can."""
    return _reaches(schema, steps(path))


def _reaches(schema: Json, path: tuple[Step, ...]) -> bool:
    if not path or not is_object(schema):
        return schema is not False
    if any(word in schema for word in ("$ref", "anyOf", "oneOf", "allOf", "if", "patternProperties", "$dynamicRef")):
        return True
    step, rest = path[0], path[1:]
    kinds = schema.get("type")
    wanted = {"object"} if isinstance(step, str) else {"array"} if step != EVERY else {"array", "object"}
    if kinds is not None and not wanted & set(kinds if is_list(kinds) else (kinds,)):
        return False
    if isinstance(step, str):
        known = schema.get("properties")
        named = known if is_object(known) else {}
        return _reaches(named[step], rest) if step in named else not named
    return _reaches(schema.get("items", True), rest)


def covers(pattern: str, name: str) -> bool:
    """Whether a name pattern, in which `*` stands for any characters, is the whole of a name.

    Of another pattern: whether it stands for all that the other stands for. Linear: each part is taken where it
    comes first.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return pattern == name
    last = parts.pop()
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in parts:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
