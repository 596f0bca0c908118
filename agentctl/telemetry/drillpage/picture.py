"""A drill over its time as coordinates of an SVG: a lane for each provider and tool, and what it cost by then."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from agentctl.records import dataclass
from agentctl.telemetry.drillpage.values import Card, Mark, Word
from agentctl.telemetry.page.words import span

WIDTH: Final = 900
LEFT: Final = 170
RIGHT: Final = 886
LANE: Final = 26
TOP: Final = 8
MONEY: Final = 56
"""Height of the curve."""
TICKS: Final = 5
MOST: Final = 300
"""Marks of a lane; of more an even choice is drawn."""
NAME: Final = 22
TILE: Final = 56


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark in its place."""

    x: float
    y: float
    word: Word
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A circuit that was open."""

    x: float
    y: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text in its place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One drill, drawn."""

    height: int
    floor: float
    """Where the lanes end."""
    lanes: tuple[Label, ...]
    dots: tuple[Dot, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Label, ...]
    curve: str
    """A path; empty: it cost nothing."""
    most: str
    """What the curve comes to."""
    told: str
    """All of it in words."""


def drawn(card: Card) -> Picture | None:
    """The picture of a drill; None: there is nothing to see."""
    if not card.lanes:
        return None
    whole = max([card.drawn_s, *(mark.at_s for mark in card.marks)]) or 1.0
    heights = {lane: TOP + LANE * number + LANE / 2 for number, lane in enumerate(card.lanes)}
    floor = TOP + LANE * len(card.lanes)
    ground = floor + MONEY

    def x(at_s: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, at_s / whole)), 1)

    dots = [Dot(x(m.at_s), heights[m.lane], m.word, m.text) for m in _chosen(card) if m.lane in heights]
    bars = [
        Bar(
            x(p.from_s),
            heights[p.lane] - 9,
            max(2.0, round(x(p.until_s) - x(p.from_s), 1)),
            _phase(p.from_s, p.until_s),
        )
        for p in card.phases
        if p.lane in heights
    ]
    ticks = [Label(x(whole * n / (TICKS - 1)), ground + 18, span(whole * n / (TICKS - 1))) for n in range(TICKS)]
    return Picture(
        math.ceil(ground + 26),
        floor,
        tuple(Label(LEFT - 8, at + 4, _short(lane)) for lane, at in heights.items()),
        tuple(dots),
        tuple(bars),
        tuple(ticks),
        _curve(card.spent, x, floor + 10, ground),
        f"${card.cost_usd:.4f}",
        _told(card),
    )


def _chosen(card: Card) -> list[Mark]:
    """All, or of very many in a lane an even choice; what did not go well lies on top."""
    found: list[Mark] = []
    for lane in card.lanes:
        marks = [mark for mark in card.marks if mark.lane == lane]
        found += marks[:: max(1, math.ceil(len(marks) / MOST))]
    return sorted(found, key=lambda mark: mark.word != "ok")


def _curve(spent: Sequence[tuple[float, float]], x: Callable[[float], float], top: float, ground: float) -> str:
    most = spent[-1][1] if spent else 0.0
    if most <= 0:
        return ""
    parts = [f"M{x(0.0)} {ground:.1f}"]
    parts += [f"H{x(at)} V{ground - (ground - top) * usd / most:.1f}" for at, usd in spent]
    return " ".join([*parts, f"H{RIGHT}"])


def _phase(from_s: float, until_s: float) -> str:
    return f"circuit open from {span(from_s)} until {span(until_s)}"


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _told(card: Card) -> str:
    parts: list[str] = []
    for lane in card.lanes:
        words = [mark.word for mark in card.marks if mark.lane == lane]
        bad = len(words) - words.count("ok")
        parts.append(f"{lane}: {len(words)}, {bad} of them not well" if bad else f"{lane}: {len(words)}")
    return f"{'; '.join(parts)}. ${card.cost_usd:.4f} in {span(card.played_s)}"
