"""A step of a replay in words, and as it stands on a screen. Everything that the run says is escaped here."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence

from agentctl.approvals.printable import printable
from agentctl.cli import render
from agentctl.core.remarks import usd
from agentctl.core.replaying import Frame, Gauge

WORDS = {"run_usd": "", "max_steps": "step "}
HEAD, FOOT = 4, 1
"""Lines above and below what can be scrolled."""
LEAST = 3
"""Lines of a step that are shown on the smallest screen."""


def title(frame: Frame) -> str:
    """`event 5 · step 1 · 23:37:29 · tool.lookup [success, 88ms]`."""
    at = f" · {time.strftime('%H:%M:%S', time.localtime(frame.ts))}" if frame.ts else ""
    return f"event {frame.seq} · step {frame.step}{at} · {printable(frame.title, lines=False)}"


def gauges(frame: Frame) -> str:
    """`step 1 of 20 · $0.0123 of $0.50 · tokens 356 of 500,000 · context 340 of 75,000`."""
    return " · ".join(f"{WORDS.get(gauge.key, f'{gauge.key} ')}{_gauge(gauge)}" for gauge in frame.gauges)


def _gauge(gauge: Gauge) -> str:
    if gauge.key == "run_usd":
        limit = "" if gauge.limit is None else f" of ${gauge.limit:,.2f}"
        return f"{usd(round(gauge.used * 1e6))}{limit}"
    return f"{gauge.used:,.0f}" + ("" if gauge.limit is None else f" of {gauge.limit:,.0f}")


def body(frame: Frame) -> Iterator[str]:
    """The lines of a frame, each harmless and on one line."""
    for text in frame.lines:
        yield from (printable(line.replace("\t", "    "), lines=False) for line in text.split("\n"))


def wrapped(frame: Frame, width: int) -> list[str]:
    """Its lines as they fit a screen."""
    from rich.cells import chop_cells

    return [piece for line in body(frame) for piece in (chop_cells(line, width) or [""])]


def screen(
    heading: str, frames: Sequence[Frame], index: int, down: int, size: os.terminal_size, said: str
) -> tuple[list[str], int]:
    """The lines of a screen with what is `said` at its foot, and how far down the step can be scrolled."""
    frame, width = frames[index], max(20, size.columns)
    lines, room = wrapped(frame, width), max(LEAST, size.lines - HEAD - FOOT - 1)
    most = max(0, len(lines) - room)
    down = min(down, most)
    place = f"{index + 1} of {len(frames)}"
    head = [
        render.paint(_cut(f"{place} · {printable(heading, lines=False)}", width), "bold", sys.stdout),
        render.paint(_cut(gauges(frame), width), "quiet", sys.stdout),
        render.paint("─" * width, "quiet", sys.stdout),
        render.paint(_cut(title(frame), width), frame.tone, sys.stdout),
    ]
    more = f" · lines {down + 1}-{min(down + room, len(lines))} of {len(lines)}" if most else ""
    shown = lines[down : down + room]
    return [
        *head,
        *shown,
        *[""] * (room - len(shown)),
        render.paint(_cut(f"{said}{more}", width), "hint", sys.stdout),
    ], most


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
