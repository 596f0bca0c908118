"""What the key of a tool call is made of: calls that mean the same have the same, in every process."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

from agentctl.core.messages import is_list, is_object

DEEPEST = 50
"""Levels of arguments that are looked into."""
BELOW = "…"


def canonical(value: object, level: int = 0) -> object:
    """A value in which what means the same looks the same: key order, Unicode form, case, space, number form. H8

    Theory: two calls that differ only so are the same try. Numbers are compared with numbers alone: "1" is a text. The
    result is for keys alone and never runs.
    """
    match value:
        case bool() | int() | None:
            return value
        case float():
            return int(value) if value.is_integer() else value
        case str():
            return " ".join(_folded(value).split())
        case _ if level >= DEEPEST:
            return BELOW
        case _ if is_list(value):
            return [canonical(item, level + 1) for item in value]
        case _ if is_object(value):
            return {str(name): canonical(value[name], level + 1) for name in sorted(value, key=str)}
        case _:
            return repr(value)


def _folded(text: str) -> str:
    """NFKC_Casefold of the Unicode standard, but for what it removes."""
    if text.isascii():
        return text.casefold()
    for form in ("NFD", "NFKC"):
        text = unicodedata.normalize(form, text).casefold()
    return unicodedata.normalize("NFKC", text)


def canonical_bytes(tool: str, args: object) -> bytes:
    """What the key of calls that mean the same is made of."""
    return _written(tool, canonical(args))


def keys(keyed: Callable[[bytes], str], tool: str, args: object) -> tuple[str, str]:
    """The key of calls that mean the same, and that of identical ones: empty where the arguments are canonical."""
    meant = canonical_bytes(tool, args)
    try:
        exact = _written(tool, args)
    except RecursionError:  # deeper than anything that could be run
        exact = meant
    return keyed(meant), "" if exact == meant else keyed(exact)


def _written(tool: str, args: object) -> bytes:
    return json.dumps([tool, args], sort_keys=True, separators=(",", ":")).encode()
