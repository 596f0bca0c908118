"""The tables of `stats` for people. Names are other people's words, and are escaped."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentctl.approvals.printable import printable
from agentctl.cli import plots, render, stats_rows
from agentctl.cli.render import Tone, out
from agentctl.cli.stats_words import count, dollars, named, percent, took
from agentctl.core.stats import NO_TOOL, PARTS, is_person

if TYPE_CHECKING:
    from agentctl.core.stats import Stats
    from agentctl.core.tallies import Tool

FAILING = 0.2
"""Share of a tool's calls that failed, above which its line stands out."""
Row = tuple[Sequence[str], Tone]


def table(stats: Stats, by: str, limit: int, *, below: bool = False) -> None:
    """One table. `below`: others stand above it."""
    if by == "tool":
        tools(stats, limit, below=below)
        return
    rows = stats_rows.rows(stats, by)
    shown = rows[-limit:] if by == "day" else rows[:limit]
    whole = stats.total.cost_micro
    cells: list[Row] = [
        (
            (
                named(name), f"{sums.runs:,}", f"{sums.steps:,}", count(sums.prompt), count(sums.output),
                percent(sums.hit_ratio), dollars(sums.cost_micro), plots.share(sums.cost_micro, whole),
            ),
            "plain",
        )
        for name, sums in shown
    ]  # fmt: skip
    _table(
        ("day, utc" if by == "day" else by, "runs", "steps", "in", "out", "cached", "cost", "share"),
        cells,
        len(rows) - len(shown),
        below=below,
    )


def tools(stats: Stats, limit: int, *, below: bool = True) -> None:
    """The tools, the most called first, and the one that fails most. B49"""
    tools = stats_rows.tools(stats)
    rows: list[Row] = [(_tool(name, tool), _tone(tool)) for name, tool in tools[:limit]]
    heads = ("tool", "calls", "failed", "rate", "p50", "p95", "cost", "errors")
    _table(heads, rows, len(tools) - len(rows), below=below)
    worst = max(((name, tool) for name, tool in tools if tool.failures), key=lambda row: row[1].failures, default=None)
    if worst is not None:
        name, tool = worst
        out(f"most failing: {named(name)}, {tool.failures:,} of {tool.calls:,} calls", "quiet")


def _tool(name: str, tool: Tool) -> Sequence[str]:
    errors = [f"{printable(kind, lines=False)} {count:,}" for kind, count in tool.errors.most_common(4)]
    cost = dollars(tool.cost_micro)
    if name == NO_TOOL:
        return (name, "-", "-", "-", "-", "-", cost, "asked for none")
    calls = (f"{tool.calls:,}", f"{tool.failures:,}", percent(tool.failure_rate))
    return (named(name), *calls, took(tool.ms.at(0.5)), took(tool.ms.at(0.95)), cost, ", ".join(errors) or "-")


def _tone(tool: Tool) -> Tone:
    return "warn" if (tool.failure_rate or 0.0) > FAILING else "plain"


def time(stats: Stats) -> None:
    """What the time of a step goes to. B50"""
    whole = sum(spread.total for spread in stats.parts.values())
    words = {"people": "waits for people", "providers": "waits for providers", "model": "models"}
    rows: list[Row] = [
        (
            (
                words.get(part, part), took(stats.parts[part].at(0.5)), took(stats.parts[part].at(0.95)),
                took(stats.parts[part].total), plots.share(stats.parts[part].total, whole),
            ),
            "plain",
        )
        for part in PARTS
    ]  # fmt: skip
    if whole:
        _table(("time of a step", "p50", "p95", "in all", "share"), rows, 0)


def approvals(stats: Stats, limit: int) -> None:
    """Who answered, how fast, and how often yes."""
    judges = stats_rows.judges(stats)
    if not (judges or stats.asked):
        return
    rows: list[Row] = []
    for name, judge in judges[:limit]:
        stamp = judge.rubber_stamp and is_person(name)
        note = "rubber stamp? too fast to read" if stamp else "-"
        cells = (named(name), f"{judge.asked:,}", f"{judge.yes_rate:.0%}", took(judge.waited_ms.at(0.5)), note)
        rows.append((cells, "warn" if stamp else "plain"))
    if len(judges) > 1 and (together := stats_rows.people(stats)).asked:
        cells = ("all people", f"{together.asked:,}", f"{together.yes_rate:.0%}", took(together.waited_ms.at(0.5)), "-")
        rows.append((cells, "plain"))
    _table((f"approvals, {stats.asked:,} asked", "answers", "yes", "median", "note"), rows, len(judges) - limit)


def _table(heads: Sequence[str], rows: Sequence[Row], more: int, *, below: bool = True) -> None:
    """Figures to the right, the first and the last column to the left; what is too wide is cut off."""
    if below:
        out("")
    shown = [[head.upper() for head in heads], *(list(cells) for cells, _ in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    last, most = len(heads) - 1, width()
    for number, cells in enumerate(shown):
        parts = [
            cell.rjust(size) if 0 < at < last else cell.ljust(size)
            for at, (cell, size) in enumerate(zip(cells, widths, strict=True))
        ]
        tone: Tone = rows[number - 1][1] if number else "bold"
        out(render.clipped("  ".join(parts).rstrip(), most), tone)
    if more > 0:
        out(f"and {more:,} more: --limit shows them", "quiet")


def width() -> int:
    """Columns of the terminal; where there is none, as many as are read easily."""
    return max(20, shutil.get_terminal_size((100, 24)).columns)
