"""`stats` for people: one page. Names are other people's words, and are escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from agentctl.cli import plots, stats_rows, stats_tables
from agentctl.cli.render import out
from agentctl.cli.stats_tables import width
from agentctl.cli.stats_words import count, dollars, named, percent, took
from agentctl.core import expectation
from agentctl.core.expectation import DAYS

if TYPE_CHECKING:
    from agentctl.core.expectation import Expectation
    from agentctl.core.spread import Spread
    from agentctl.core.stats import Stats
    from agentctl.journal.histories import Which


def page(stats: Stats, which: Which, expected: Expectation | None, *, limit: int, since: str, drawn: bool) -> None:
    """All of it."""
    _head(stats, which, since)
    _summary(stats, expected)
    if drawn:
        _days(stats)
    stats_tables.tools(stats, limit)
    stats_tables.time(stats)
    for by in ("provider", "task", "user", "tenant"):
        if len(stats.by[by]) > 1 or by == "provider":
            stats_tables.table(stats, by, limit, below=True)
    stats_tables.approvals(stats, limit)
    _events(stats)


def _head(stats: Stats, which: Which, since: str) -> None:
    asked = (("user", which.user), ("tenant", which.tenant), ("task", which.task), ("policy", which.policy))
    parts = [f"{word} {named(name)}" for word, name in asked if name]
    runs = f"{stats.runs:,} run{'' if stats.runs == 1 else 's'} begun in the last {since}"
    out(" · ".join([runs, *parts, *(["rehearsals too"] if which.rehearsed else [])]), "bold")


def _summary(stats: Stats, expected: Expectation | None) -> None:
    total = stats.total
    each = f"{dollars(total.cost_micro / max(1, total.runs))} a run on average"
    _line("spent", [dollars(total.cost_micro), each, f"{total.steps:,} steps"])
    _line("tokens", [f"{count(total.prompt)} in", f"{count(total.output)} out"])
    _line(
        "cache",
        [
            f"{percent(total.hit_ratio)} hit ratio",
            f"{count(total.cache_read)} read",
            f"{count(total.cache_write)} written",
        ],
    )
    ended = sorted(stats.outcomes.items(), key=lambda row: (-row[1], row[0]))
    _line("ended", [f"{_outcome(status, reason)} {runs:,}" for (status, reason), runs in ended])
    _line(
        "a run",
        [
            _spread("cost", stats.cost_micro, dollars),
            _spread("steps", stats.steps, lambda steps: f"{steps:,.0f}"),
            _spread("time", stats.ms, took),
        ],
    )
    if expected is not None:
        _line("expect", expectation.parts(expected) or [f"no runs of it in the last {DAYS} days"])


def _outcome(status: str, reason: str) -> str:
    return status if reason in {"", "done"} or reason == status else f"{status}: {named(reason)}"


def _spread(name: str, spread: Spread, show: Callable[[float], str]) -> str:
    middle, high = spread.at(0.5), spread.at(0.95)
    if middle is None or high is None or spread.count < expectation.FEW:
        return f"{name} -"
    upper = "p95" if spread.count >= expectation.ENOUGH else "max"
    return f"{name} p50 {show(middle)}, {upper} {show(high)}"


def _line(name: str, parts: Iterable[str]) -> None:
    """A line, folded at its parts where the terminal is narrow."""
    most, text = width() - 9, ""
    lines: list[str] = []
    for part in parts:
        joined = f"{text} · {part}" if text else part
        if text and len(joined) > most:
            lines.append(text)
            joined = part
        text = joined
    for number, line in enumerate([*lines, text]):
        out(f"{'' if number else name:<8} {line}")


def _days(stats: Stats) -> None:
    spent = [(day, sums.cost_micro / 1e6) for day, sums in stats_rows.rows(stats, "day")]
    lines = plots.days(spent, width())
    if lines:
        out("\nDOLLARS A DAY, UTC", "bold")
        for line in lines:
            out(line)


def _events(stats: Stats) -> None:
    if stats.events:
        out("")
        _line("also", [f"{what} {count:,}" for what, count in sorted(stats.events.items())])
