"""How results and failures are printed: data to stdout, talk to stderr, colour only where somebody looks."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TextIO

from agentctl.errors import AgentctlError, Invalid

if TYPE_CHECKING:
    from agentctl.core.messages import Json, JsonObject

Tone = Literal["plain", "good", "warn", "bad", "quiet", "hint", "bold"]
FINEST = 0.0001
"""USD; what is less is not shown."""
LEAST = 40
"""Columns; what is narrower is left to the terminal."""
SGR = {"good": "32", "warn": "33", "bad": "31", "quiet": "2", "hint": "36", "bold": "1"}


def colours(stream: TextIO) -> bool:
    """Whether this stream is somebody's terminal, and they did not ask for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, tone: Tone, stream: TextIO) -> str:
    """The text in the colour of its tone; never the only sign of it."""
    if tone == "plain" or not text or not colours(stream):
        return text
    return f"\x1b[{SGR[tone]}m{text}\x1b[0m"


def out(text: str, tone: Tone = "plain") -> None:
    """A line of the result."""
    sys.stdout.write(f"{paint(text, tone, sys.stdout)}\n")


def say(text: str, tone: Tone = "plain") -> None:
    """A line for the person."""
    sys.stderr.write(f"{paint(text, tone, sys.stderr)}\n")
    sys.stderr.flush()


def hint(text: str) -> None:
    """The next command, on a line of its own."""
    say(f"\n{paint('hint:', 'hint', sys.stderr)} {text}")


def as_json(value: Json) -> None:
    """One JSON value, on one line where a program reads."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")


def as_list(items: Sequence[JsonObject], *, truncated: bool = False) -> None:
    """The contract's list."""
    as_json({"items": list(items), "truncated": truncated})


def failure(error: AgentctlError, *, json_wanted: bool) -> None:
    """`error: …`, every problem on a line of its own, then the hint; with `--json` the contract's object too."""
    from agentctl.approvals.printable import printable

    problems = error.problems if isinstance(error, Invalid) else ()
    said = error.message.splitlines()
    lines = [*said, *(str(problem) for problem in problems if str(problem) not in said)]
    head, *rest = [printable(line, lines=False) for line in lines] or [""]
    say(f"{paint('error:', 'bad', sys.stderr)} {head}")
    for line in rest:
        say(line)
    if error.hint:
        hint(printable(error.hint))
    if json_wanted:
        as_json(failure_object(error))


def failure_object(error: AgentctlError) -> JsonObject:
    """`{error: {code, message, problems}}`."""
    problems = error.problems if isinstance(error, Invalid) else ()
    listed = [{name: getattr(each, name) for name in each.__slots__} for each in problems]
    body: JsonObject = {"code": error.code, "message": error.message, "hint": error.hint, "problems": listed}
    return {"error": body}


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    tones: Sequence[Tone] = (),
    below: Sequence[str] = (),
) -> None:
    """Columns as wide as they must be; one space more between them. What would be too wide stands below its row."""
    shown = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *shown, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    out(line([heading.upper() for heading in headings]), "bold")
    for number, row in enumerate(shown):
        out(line(row), tones[number] if tones else "plain")
        for part in folded(f"  {below[number]}", 4) if below else ():
            out(part)


def folded(text: str, indent: int) -> list[str]:
    """On a terminal what has no room goes on below, so far to the right; elsewhere a line stays one."""
    if not sys.stdout.isatty():
        return [text]
    columns = max(LEAST, shutil.get_terminal_size().columns)
    return textwrap.wrap(text, columns, subsequent_indent=" " * indent, break_on_hyphens=False) or [""]


def clipped(text: str, most: int = 80) -> str:
    """For a cell of a table."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def span(seconds: float) -> str:
    """`42s`, `7m`, `3h`, `2d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def moment(at: float, now: float) -> str:
    """`14:02` of today, `2026-01-31 14:02` of another day, on the clock of this place."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def dollars(usd: float) -> str:
    """`$4.10`, `$0.0184`: cents, and what is finer only where there is any."""
    cents = f"{usd:,.2f}"
    return f"${cents}" if abs(usd - round(usd, 2)) < FINEST / 2 else f"${usd:,.4f}"
