"""Plots for a terminal: bars over days, and a bar beside a figure."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from importlib import import_module
from typing import Any

from agentctl.cli import render

HEIGHT = 10
NARROWEST, WIDEST = 40, 100
"""Columns that a plot needs, and takes."""
MOST_DAYS = 62
blocks = re.compile("█+")


def days(dollars: Sequence[tuple[str, float]], width: int) -> list[str]:
    """A bar for each day from the first to the last one, the latest MOST_DAYS; nothing where there is no room.

    `dollars` come by day (`2026-01-31`), in their order.
    """
    known = {date.fromisoformat(day): usd for day, usd in dollars}
    if width < NARROWEST or len(known) < 2:
        return []
    first, last = min(known), max(known)
    span = min((last - first).days + 1, MOST_DAYS)
    shown = [last - timedelta(days=ago) for ago in range(span)][::-1]
    return _bars([f"{day:%m-%d}" for day in shown], [known.get(day, 0.0) for day in shown], min(width, WIDEST))


def _bars(labels: list[str], values: list[float], width: int) -> list[str]:
    try:
        plotext: Any = import_module("plotext")  # takes a tenth of a second, and ships no types
    except ImportError as error:  # a part of it is compiled, which not every machine can load
        render.say(f"no plot: {str(error).partition('.')[0]}", "quiet")
        return []
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, HEIGHT)
    figure.draw(figure.bar(labels, values, width=0.6))
    lines = str(plotext.uncolorize(str(figure.build()))).splitlines()
    return [blocks.sub(lambda found: render.paint(found[0], "hint", sys.stdout), line.rstrip()) for line in lines]


def share(part: float, whole: float, width: int = 10) -> str:
    """`████░░░░░░  42%`."""
    of = part / whole if whole else 0.0
    return f"{'█' * min(width, round(of * width)):░<{width}} {of:>4.0%}"
