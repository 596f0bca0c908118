"""Words and bars as they stand on a screen: escaped, of an exact width, and readable without colour."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from agentctl.approvals.printable import printable

Look: TypeAlias = Literal["plain", "good", "warn", "bad", "quiet", "strong"]
"""A tone, or `strong`."""
Span: TypeAlias = tuple[str, Look]
FULL, EMPTY = "█", "░"
BLOCKS = "▁▂▃▄▅▆▇█"


def safe(text: str) -> str:
    """What a run says, harmless and on one line."""
    return printable(text, lines=False)


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Exactly so many cells: cut with an ellipsis, or filled with blanks."""
    if width <= 0:
        return ""
    have = cell_len(text)
    if have > width:
        return f"{set_cell_size(text, width - 1)}…"
    return " " * (width - have) + text if right else text + " " * (width - have)


def bar(share: float, width: int) -> str:
    """`███░░░`; something is never nothing, and not everything is not all."""
    full = round(share * width)
    full = max(full, 1) if share > 0 else 0
    full = min(full, width - 1) if share < 1 else width
    return FULL * full + EMPTY * (width - full)


def spark(values: Sequence[float], width: int) -> str:
    """The last values as blocks, the highest one full."""
    seen = values[-width:] if width > 0 else ()
    most = max(seen, default=0.0)
    if not most:
        return BLOCKS[0] * len(seen)
    return "".join(BLOCKS[min(len(BLOCKS) - 1, int(value / most * (len(BLOCKS) - 1) + 0.5))] for value in seen)


def span(seconds: float) -> str:
    """`42s`, `5m`, `3h`, `12d`."""
    seconds = max(0.0, seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def watch(seconds: float) -> str:
    """`04:12`, `1:04:12`."""
    minutes, left = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes:02}:{left:02}"


def clock(ts: float) -> str:
    """`23:37:29`, of this machine."""
    return time.strftime("%H:%M:%S", time.localtime(ts))


def strip(spans: Iterable[Span], styles: dict[Look, Style], width: int, under: Style) -> Strip:
    """One line of exactly `width` cells: cut with an ellipsis, or filled."""
    line = Strip([Segment(text, under + styles[look]) for text, look in spans if text])
    if line.cell_length > width > 0:
        line = Strip([*line.crop(0, width - 1), Segment("…", under)])
    return line.adjust_cell_length(width, under)
