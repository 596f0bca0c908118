"""Other ways to write the paths and URLs in a call's arguments: `a/../secrets/x` is the file `secrets/x`.

`HTTPS://me@Example.com.:443/%61` is `https://example.com/a`.

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
odd = re.compile(r"(?:^|/)\.{0,2}/|/\.{1,2}$")
"""A step that leads nowhere, or back: an empty one, `.` or `..`."""

url = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\\s]*)([^?#\s]*)(\S*)")
place = re.compile(r"(?:.*@)?(.*?)\.?(?::([0-9]*))?")
coded = re.compile(r"%([0-9A-Fa-f]{2})")
PORTS = {"http": "80", "https": "443"}


def others(args: JsonObject) -> Iterator[JsonObject]:
    """The arguments with every path and URL as short as can be, and with one argument's alone; none where they are."""
    short = {key: _mapped(value, _short, DEEPEST) for key, value in args.items()}
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
    whole = _path(text if text.startswith("/") else f"{start}/{text}").rstrip("/")
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


def _short(text: str) -> str:
    found = url.fullmatch(text) if "://" in text and len(text) <= LONGEST else None
    return _url(*found.groups()) if found else _path(text)


def _url(scheme: str, authority: str, path: str, rest: str) -> str:
    """Without a name and password, a port that goes without saying, and codes for what needs none."""
    scheme, found = scheme.lower(), place.fullmatch(coded.sub(_decoded, authority).lower())
    host, port = found.groups() if found else (authority, None)
    told = f":{port}" if port and port.lstrip("0") != PORTS.get(scheme) else ""
    plain = coded.sub(_decoded, path)
    return f"{scheme}://{host}{told}{_path(plain)}{rest}"


def _decoded(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char.isascii() and (char.isalnum() or char in "-._~") else found[0].upper()


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
    whole = start + "/".join(kept) or "."
    return f"{whole}/" if text.endswith("/") and kept else whole
