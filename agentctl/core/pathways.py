"""Other ways to write the paths in a call's arguments: `./secrets/x` and `a/../secrets/x` are the file `secrets/x`.

For rules, which match text. What a path leads to on a disk nobody knows here: no link is followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from agentctl.core.messages import Json, JsonObject, is_list, is_object

LONGEST = 4_096
"""Characters of a path."""
DEEPEST = 8
"""Levels of arguments that are looked through."""
odd = re.compile(r"(?:^|/)\.{0,2}/|/\.{0,2}$")
"""A step that leads nowhere, or back: an empty one, `.` or `..`; also at the end."""


def others(args: JsonObject) -> Iterator[JsonObject]:
    """The arguments with every path as short as it can be, and with one argument's alone; nothing where they are."""
    short = {key: _mapped(value, _path, DEEPEST) for key, value in args.items()}
    changed = [key for key in args if short[key] != args[key]]
    if len(changed) > 1:
        yield short
    for key in changed:
        yield {**args, key: short[key]}


def elsewhere(args: JsonObject, folders: tuple[str, ...]) -> Iterator[JsonObject]:
    """The arguments with every path as seen from another folder, and from none: `/srv/app/x` and `x` are one file."""
    for start in folders:
        for end in (*folders, ""):
            way = partial(_moved, start=start, end=end)
            moved = {key: _mapped(value, way, DEEPEST) for key, value in args.items()}
            if moved != args:
                yield moved


def _moved(text: str, start: str, end: str) -> str:
    if not text or _is_none(text):
        return text
    whole = _path(text if text.startswith("/") else f"{start}/{text}")
    if not end:
        return whole
    return whole.removeprefix(f"{end}/") if whole != end else "."


def _mapped(value: Json, way: Callable[[str], str], levels: int) -> Json:
    if isinstance(value, str):
        return way(value)
    if levels and is_list(value):
        return [_mapped(each, way, levels - 1) for each in value]
    if levels and is_object(value):
        return {key: _mapped(each, way, levels - 1) for key, each in value.items()}
    return value


def _is_none(text: str) -> bool:
    """What has a line break in it or a scheme is no path."""
    return len(text) > LONGEST or "://" in text or "\n" in text


def _path(text: str) -> str:
    if _is_none(text) or not odd.search(text):
        return text
    start = "/" if text.startswith("/") else ""
    kept: list[str] = []
    for step in text.split("/"):
        if step == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif step not in {"", "."} and not (step == ".." and start):
            kept.append(step)
    return start + "/".join(kept) or "."
