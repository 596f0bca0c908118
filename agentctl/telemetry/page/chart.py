"""Money and context over time, as coordinates of an SVG.

Time runs to the right; a pause that is most of a run (somebody slept) is drawn as a short gap that says how long it
was, so that the work around it can be read.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from agentctl.core.remarks import usd
from agentctl.core.tracepage import Page, Point
from agentctl.records import dataclass
from agentctl.telemetry.page.words import span

WIDTH, HEIGHT = 900, 170
LEFT, RIGHT, TOP, BOTTOM = 76, 14, 14, 26
RIGHTMOST: Final = WIDTH - RIGHT
FLOOR: Final = HEIGHT - BOTTOM
GAP: Final = 40.0
"""Width of a pause."""
PAUSE_S: Final = 60.0
PAUSE_SHARE: Final = 0.25
"""A wait longer than both is a pause."""
FAR: Final = 3.0
"""A limit that is so many times what was reached stands in the legend alone."""
TICKS: Final = 5
MOST_TOLD: Final = 150
"""Columns that say their figures when they are pointed at."""
MOST_LISTED: Final = 40


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Column:
    """A part of the chart and what it says."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve over time."""

    line: str
    """A path."""
    area: str
    """The same, closed to the ground."""
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    pauses: tuple[Column, ...]
    columns: tuple[Column, ...]
    limit: Tick | None
    limit_text: str
    """Empty: no policy says it."""
    told: str
    """The curve in words."""


def money(page: Page) -> Chart | None:
    """Dollars spent, which go up at once when a reply is paid."""
    limit = _limit(page, "run_usd")
    last = page.points[-1].spent_micro if page.points else 0
    told = f"From $0.0000 to {usd(last)} in {span(page.took_s)}"
    spent = [p.spent_micro / 1e6 for p in page.points]
    cents = 2 if max(spent, default=0.0) >= 1 else 4
    return _chart(page.points, spent, limit, lambda value: f"${value:,.{cents}f}", told, stepped=True)


def context(page: Page) -> Chart | None:
    """Tokens of the next request."""
    limit = _limit(page, "context")
    most = max((p.context for p in page.points), default=0)
    told = f"At most {most:,} tokens, {page.points[-1].context if page.points else 0:,} at the end"
    return _chart(page.points, [float(p.context) for p in page.points], limit, lambda v: f"{v:,.0f}", told)


def table(page: Page) -> list[Point]:
    """The same figures for who can't see the curves: an even choice, the last among them."""
    every = max(1, math.ceil(len(page.points) / MOST_LISTED))
    return [each for number, each in enumerate(page.points) if number % every == 0 or number == len(page.points) - 1]


def _limit(page: Page, key: str) -> float | None:
    return next((gauge.limit for gauge in page.gauges if gauge.key == key), None)


def _chart(
    points: Sequence[Point],
    values: Sequence[float],
    limit: float | None,
    label: Callable[[float], str],
    told: str,
    *,
    stepped: bool = False,
) -> Chart | None:
    if len(points) < 2:
        return None
    places = _places([point.at_s for point in points])
    near = limit is not None and limit <= FAR * max(values)
    steps = _nice(max(*values, limit if near and limit else 0.0))
    top = steps[-1]
    heights = [FLOOR - (FLOOR - TOP) * value / top for value in values]
    line = _path(places, heights, stepped=stepped)
    return Chart(
        line,
        f"{line} V{FLOOR} H{places[0]:.1f} Z",
        _across(places, points),
        tuple(Tick(round(FLOOR - (FLOOR - TOP) * each / top, 1), label(each)) for each in steps),
        tuple(
            Column(round(a, 1), round(b - a, 1), f"{span(two.at_s - one.at_s)} of waiting")
            for (a, b), (one, two) in zip(pairwise(places), pairwise(points), strict=True)
            if _pause(two.at_s - one.at_s, points[-1].at_s)
        ),
        _columns(places, points),
        Tick(round(FLOOR - (FLOOR - TOP) * limit / top, 1), label(limit)) if limit is not None and near else None,
        "" if limit is None else label(limit),
        told if limit is None else f"{told}; the limit is {label(limit)}",
    )


def _pause(gap: float, whole: float) -> bool:
    return gap > PAUSE_S and gap > PAUSE_SHARE * whole


def _places(moments: Sequence[float]) -> list[float]:
    """Where each moment stands from left to right; all at one moment: side by side."""
    whole = moments[-1]
    gaps = [two - one for one, two in pairwise(moments)]
    pauses = sum(_pause(gap, whole) for gap in gaps)
    working = sum(gap for gap in gaps if not _pause(gap, whole))
    room = RIGHTMOST - LEFT - GAP * pauses
    found = [float(LEFT)]
    for gap in gaps:
        if _pause(gap, whole):
            found.append(found[-1] + GAP)
        else:
            found.append(found[-1] + room * (gap / working if working else 1 / len(gaps)))
    return found


def _path(places: Sequence[float], heights: Sequence[float], *, stepped: bool) -> str:
    parts = [f"M{places[0]:.1f} {heights[0]:.1f}"]
    for x, y in zip(places[1:], heights[1:], strict=True):
        parts.append(f"H{x:.1f} V{y:.1f}" if stepped else f"L{x:.1f} {y:.1f}")
    return " ".join(parts)


def _across(places: Sequence[float], points: Sequence[Point]) -> tuple[Tick, ...]:
    found: list[Tick] = []
    for number in range(TICKS):
        x = LEFT + (RIGHTMOST - LEFT) * number / (TICKS - 1)
        after = min(max(1, bisect_left(places, x)), len(places) - 1)
        a, b = places[after - 1], places[after]
        share = min(1.0, max(0.0, (x - a) / (b - a))) if b > a else 0.0
        moment = points[after - 1].at_s + share * (points[after].at_s - points[after - 1].at_s)
        found.append(Tick(round(x, 1), span(moment) if moment else "0"))
    return tuple(found)


def _columns(places: Sequence[float], points: Sequence[Point]) -> tuple[Column, ...]:
    every = max(1, math.ceil(len(points) / MOST_TOLD))
    chosen = list(zip(places, points, strict=True))[::every]
    ends = [*(place for place, _ in chosen[1:]), float(RIGHTMOST)]
    return tuple(
        Column(round(x, 1), round(max(1.0, end - x), 1), _told(point))
        for (x, point), end in zip(chosen, ends, strict=True)
    )


def _told(point: Point) -> str:
    return f"step {point.step}, after {span(point.at_s)}: {usd(point.spent_micro)}, context {point.context:,} tokens"


def _nice(most: float) -> list[float]:
    """Round numbers from 0 to at least `most`, four or five of them."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / 3
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1.0, 2.0, 2.5, 5.0, 10.0) if size * each >= rough * 0.999)
    return [step * number for number in range(math.ceil(most / step * 0.999) + 1)]
