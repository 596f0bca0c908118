"""What a run will come to, as far as runs of the same task under the same policy tell.

Counted are runs that are over and did their work: the completed ones, and those that a limit or a person stopped, with
what they had come to by then: without them a limit would hide the dearest runs from the expectation. Failed and
cancelled ones say nothing of what the task costs, and forks begin in the middle of it. Time is from begin to end, waits
for people included.

A quantile is the nearest rank: a figure that a run really had. Of less than FEW runs nothing is said. The p95 of less
than ENOUGH runs would be the most that was seen under another name: only the most is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from agentctl.core.messages import JsonObject
from agentctl.records import dataclass

DAYS: Final = 30
"""How far back runs count."""
MOST: Final = 200
"""Runs that count, the latest."""
FEW: Final = 5
"""Below, not even a median is said."""
ENOUGH: Final = 20
"""From here on one run in twenty may lie above the p95."""
COUNTED: Final = ("completed", "stopped")
MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Past:
    """One run that is over."""

    cost_micro: int
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that a run comes to. None: there are too few runs to say."""

    name: str
    """`cost_usd`, `steps`, `minutes`."""
    p50: float | None
    p95: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What runs of one task under one policy came to."""

    task: str
    policy: str
    """Empty: under any."""
    rehearsed: bool
    runs: int
    figures: tuple[Figure, ...]

    @property
    def cost(self) -> Figure:
        """Of the money, in USD."""
        return self.figures[0]

    @property
    def missing(self) -> int:
        """Runs that a p95 needs more."""
        return max(0, ENOUGH - self.runs)


def of(task: str, policy: str, past: Sequence[Past], *, rehearsed: bool = False) -> Expectation:
    """The expectation that these runs give."""
    figures = (
        _figure("cost_usd", [run.cost_micro for run in past], 1e6, 6),
        _figure("steps", [run.steps for run in past], 1, 0),
        _figure("minutes", [run.seconds for run in past], MINUTE_S, 2),
    )
    return Expectation(task, policy, rehearsed, len(past), figures)


def _figure(name: str, numbers: Sequence[float], unit: float, digits: int) -> Figure:
    ordered = sorted(numbers)

    def said(share: float, least: int) -> float | None:
        if len(ordered) < least:
            return None
        return round(ordered[math.ceil(share * len(ordered)) - 1] / unit, digits)

    return Figure(name, said(0.5, FEW), said(0.95, ENOUGH), said(1.0, FEW))


def items(expected: Expectation) -> list[JsonObject]:
    """The figures as objects: name, p50, p95, max, and of how many runs; none where there was no run."""
    return [
        {"name": each.name, "p50": each.p50, "p95": each.p95, "max": each.most, "runs": expected.runs}
        for each in expected.figures
        if expected.runs
    ]


def parts(expected: Expectation) -> list[str]:
    """What is said to a person, part by part; none: there is no history."""
    if not expected.runs:
        return []
    if expected.runs < FEW:
        return [f"too few runs like this to say what it will take (n={expected.runs})"]
    return [*(_words(each) for each in expected.figures), f"n={expected.runs}, {DAYS} days"]


def _words(figure: Figure) -> str:
    upper = f"max {_amount(figure, figure.most)}" if figure.p95 is None else f"p95 {_amount(figure, figure.p95)}"
    return f"{figure.name.removesuffix('_usd')} p50 {_amount(figure, figure.p50)}, {upper}"


def _amount(figure: Figure, value: float | None) -> str:
    if value is None:
        return "-"
    return f"${value:,.4f}" if figure.name == "cost_usd" else f"{value:,.4g}"


def refusal(expected: Expectation, most_usd: float) -> tuple[str, str]:
    """Why the p95 of the cost can't be said to be under `most_usd`, and what to do; empty where it can."""
    what = f"{expected.task} under {expected.policy}"
    if expected.cost.p95 is None:
        missing = f"{expected.missing} more {_runs(expected.missing)} needed"
        return (
            f"{what}: no p95 from {expected.runs} {_runs(expected.runs)} in {DAYS} days (n={expected.runs}): {missing}",
            f"Run it without --require-p95-under until there are {ENOUGH}.",
        )
    if expected.cost.p95 < most_usd:
        return "", ""
    return (
        f"{what}: p95 is ${expected.cost.p95:,.4f} (n={expected.runs}, {DAYS} days), not under ${most_usd:,.4f}",
        "See what such runs spend on (agentctl stats), or bound this one with --max-usd in its place.",
    )


def _runs(runs: int) -> str:
    return "run" if runs == 1 else "runs"
