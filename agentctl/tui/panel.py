"""The gauges of a run as lines, and the lines of its timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agentctl.core.gauges import Gauge
from agentctl.core.remarks import Tone
from agentctl.core.timeline import Row
from agentctl.tui.drawing import Span, bar, clock, fitted, safe, spark

NAMES: Final = {
    "run_usd": "spend", "max_steps": "steps", "max_tool_calls": "calls", "max_tool_errors": "errors",
    "max_wall_s": "time",
}  # fmt: skip
"""What a gauge is called here where the policy's word is long."""
NAME: Final = 10
BAR: Final = 6
MARKS: Final[dict[Tone, str]] = {"good": "✓", "bad": "✗", "warn": "!", "plain": "·", "quiet": " "}
"""For eyes without colour."""
TIMED: Final = 64
"""Cells of a timeline from which on the time of day has room."""


def gauge(of: Gauge, width: int) -> list[Span]:
    """One gauge on one line."""
    name = fitted(NAMES.get(of.key, of.key), NAME)
    room = width - NAME
    mark = "! " if of.tone == "warn" else "✗ " if of.tone == "bad" else ""
    if of.share is None:
        return [(name, "quiet"), (fitted(f"{mark}{safe(of.text)}", room), of.tone)]
    return [(name, "quiet"), (f"{bar(of.share, BAR)} ", of.tone), (fitted(f"{safe(of.text)}", room - BAR - 1), of.tone)]


def panel(gauges: Sequence[Gauge], spends: Sequence[float], width: int) -> Iterator[list[Span]]:
    """All of them; money with what each answer cost."""
    for each in gauges:
        yield gauge(each, width)
        if each.key == "run_usd" and spends:
            yield [(" " * NAME, "plain"), (fitted(f"{spark(spends, width - NAME - 9)} a reply", width - NAME), "quiet")]


def line(row: Row, width: int, found: str = "") -> list[Span]:
    """One row of the timeline. `found`: the words that were searched for."""
    time = f"{clock(row.ts)} " if width >= TIMED else ""
    head = f"{time}{row.step:>3} "
    text = safe(row.text)
    look = "strong" if found and found in text.casefold() else row.tone
    return [(head, "quiet"), (f"{MARKS[row.tone]} ", row.tone), (fitted(text, width - len(head) - 2), look)]


def details(row: Row) -> Iterator[str]:
    """Everything that is known of a row."""
    yield f"step {row.step} · event {row.seq} · {clock(row.ts)}"
    yield row.text
    yield from row.below
    for each in row.inputs:
        yield ""
        yield each
