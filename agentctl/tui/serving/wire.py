"""What a browser may say on its socket: keys, a size, focus, a ping. Everything else ends the session."""

from __future__ import annotations

import json
from typing import Final, Literal, TypeAlias

from agentctl.core.messages import Json
from agentctl.records import dataclass

LONGEST: Final = 65_536
"""Bytes of one message; a long paste fits."""
WIDEST, TALLEST, NARROWEST, LOWEST = 400, 150, 20, 6
"""Cells of a screen that is drawn."""
ABSURD: Final = 10_000
"""Cells that no screen has."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What was typed, pasted or clicked, as a terminal sends it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Size:
    """Of the screen, in cells, within bounds."""

    width: int = 80
    height: int = 24


@dataclass(frozen=True, slots=True)
class Focus:
    """The page is looked at, or no more."""

    kind: Literal["focus", "blur"]


@dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back."""

    data: str


@dataclass(frozen=True, slots=True)
class Garbage:
    """None of these; why."""

    why: str


Word: TypeAlias = Keys | Size | Focus | Ping | Garbage


def understood(text: str) -> Word:
    """One message. Never raises."""
    try:
        said: Json = json.loads(text)
    except (ValueError, RecursionError):
        return Garbage("not JSON")
    match said:
        case ["stdin", str(typed)]:
            return Keys(typed.encode("utf-8", "replace"))
        case ["resize", {"width": int(width), "height": int(height)}] if _sane(width) and _sane(height):
            return bounded(width, height)
        case ["focus"]:
            return Focus("focus")
        case ["blur"]:
            return Focus("blur")
        case ["ping", str(data)] if len(data) <= 64:
            return Ping(data)
        case _:
            return Garbage("not what a browser says")


def bounded(width: int, height: int) -> Size:
    """The nearest size that is drawn."""
    return Size(min(max(width, NARROWEST), WIDEST), min(max(height, LOWEST), TALLEST))


def first(width: str | None, height: str | None) -> Size:
    """The size that an address asks for; the usual one where it makes no sense."""
    usual = Size()
    sizes = [text for text in (width, height) if text and text.isascii() and text.isdigit() and len(text) <= 4]
    return bounded(int(sizes[0]), int(sizes[1])) if len(sizes) == 2 else usual


def _sane(cells: object) -> bool:
    return not isinstance(cells, bool) and isinstance(cells, int) and 0 < cells <= ABSURD
