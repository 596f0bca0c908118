"""Tool names with stars, and values of arguments by their path: what rules point at."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from agentctl.core.messages import Json

step = re.compile(r"[^.\[\]]+")


def lookup(args: Mapping[str, Json], path: str) -> str | None:
    """The value at a JSON path (`to[0].address`) as text; None where there is none.

    A text stands for itself, anything else for its compact JSON.
    """
    value: Json = cast("Any", args)
    for part in step.findall(path):
        if isinstance(value, dict):
            value = cast("Any", value).get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(cast("Any", value)):
            value = cast("list[Json]", value)[int(part)]
        else:
            return None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


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
