"""The tables of `stats` in the order in which they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.core.stats import NO_TOOL, is_person
from agentctl.core.tallies import Judge, Sums, Tool

if TYPE_CHECKING:
    from agentctl.core.stats import Stats


def rows(stats: Stats, by: str) -> list[tuple[str, Sums]]:
    """The sums of one table: days in their order, everything else with the dearest first."""
    table = stats.by[by]
    if by == "day":
        return sorted(table.items())
    return sorted(table.items(), key=lambda row: (-row[1].cost_micro, row[0]))


def tools(stats: Stats) -> list[tuple[str, Tool]]:
    """The tools, the most called first; last what no tool cost."""
    return sorted(stats.tools.items(), key=lambda row: (row[0] == NO_TOOL, -row[1].calls, -row[1].refused, row[0]))


def judges(stats: Stats) -> list[tuple[str, Judge]]:
    """Who answered, the busiest first."""
    return sorted(stats.judges.items(), key=lambda row: (-row[1].asked, row[0]))


def people(stats: Stats) -> Judge:
    """What all people answered together."""
    together = Judge()
    for name, judge in stats.judges.items():
        if is_person(name):
            together.merge(judge)
    return together
