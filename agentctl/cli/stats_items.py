"""What `stats` tells, as objects for programs: one table, or all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentctl.cli import stats_rows
from agentctl.core import expectation
from agentctl.core.stats import PARTS, is_person
from agentctl.core.tallies import OTHERS as OTHERS  # noqa: PLC0414 -- for whoever asks whether there are any
from agentctl.core.tallies import Judge, Sums, Tool

if TYPE_CHECKING:
    from agentctl.core.expectation import Expectation
    from agentctl.core.messages import JsonObject
    from agentctl.core.spread import Spread
    from agentctl.core.stats import Stats
    from agentctl.journal.histories import Which

SHOWN = ("day", "provider", "task", "user", "tenant")
"""Tables that stand in the whole; runs and sessions are too many."""


OF_ALL = ("answers", "yes", "yes_rate", "median_s")
"""What is said of all people together."""


def items(stats: Stats, by: str) -> list[JsonObject]:
    """One table."""
    if by == "tool":
        return [_tool(name, tool) for name, tool in stats_rows.tools(stats)]
    return [{by: name, **_sums(sums)} for name, sums in stats_rows.rows(stats, by)]


def total(stats: Stats) -> JsonObject:
    """The sums of all."""
    return _sums(stats.total)


def whole(stats: Stats, which: Which, expected: Expectation | None) -> JsonObject:
    """All of it."""
    from agentctl.journal.codec import timestamp

    return {
        "since": timestamp(which.since),
        "timezone": "UTC",
        "user": which.user or None,
        "tenant": which.tenant or None,
        "task": which.task or None,
        "policy": which.policy or None,
        "rehearsed": which.rehearsed,
        **total(stats),
        "outcomes": [
            {"status": status, "reason": reason, "runs": runs}
            for (status, reason), runs in sorted(stats.outcomes.items(), key=lambda row: (-row[1], row[0]))
        ],
        "a_run": [*_a_run(stats)],
        "expected": None if expected is None else [*expectation.items(expected)],
        "tools": [*items(stats, "tool")],
        "time": [*_parts(stats)],
        "by": {name: [*items(stats, name)] for name in SHOWN},
        "approvals": {
            "asked": stats.asked,
            "people": {key: value for key, value in _judge("", stats_rows.people(stats)).items() if key in OF_ALL},
            "by": [_judge(name, judge) for name, judge in stats_rows.judges(stats)],
        },
        "events": dict(sorted(stats.events.items())),
        "unreadable": stats.unreadable,
    }


def _sums(sums: Sums) -> JsonObject:
    ratio = sums.hit_ratio
    return {
        "runs": sums.runs,
        "steps": sums.steps,
        "model_calls": sums.calls,
        "input_tokens": sums.input,
        "output_tokens": sums.output,
        "cache_read_tokens": sums.cache_read,
        "cache_write_tokens": sums.cache_write,
        "cache_hit_ratio": None if ratio is None else round(ratio, 4),
        "cost_usd": sums.cost_micro / 1e6,
    }


def _tool(name: str, tool: Tool) -> JsonObject:
    rate = tool.failure_rate
    return {
        "tool": name,
        "calls": tool.calls,
        "failures": tool.failures,
        "failure_rate": None if rate is None else round(rate, 4),
        "attempts": tool.attempts,
        "not_run": tool.refused,
        "p50_ms": _in(tool.ms, 0.5, 1),
        "p95_ms": _in(tool.ms, 0.95, 1),
        "cost_usd": tool.cost_micro / 1e6,
        "errors": dict(sorted(tool.errors.items())),
    }


def _judge(name: str, judge: Judge) -> JsonObject:
    median = judge.waited_ms.at(0.5)
    return {
        "who": name,
        "answers": judge.asked,
        "yes": judge.yes,
        "yes_rate": round(judge.yes_rate, 4),
        "median_s": None if median is None else median / 1000,
        "rubber_stamp": judge.rubber_stamp and is_person(name),
    }


def _a_run(stats: Stats) -> Iterator[JsonObject]:
    figures = (("cost_usd", stats.cost_micro, 1e6), ("steps", stats.steps, 1.0), ("minutes", stats.ms, 60_000.0))
    for name, spread, unit in figures:
        yield {
            "name": name,
            **{key: _in(spread, share, unit) if spread.count >= least else None for key, share, least in QUANTILES},
            "runs": spread.count,
        }


QUANTILES = (("p50", 0.5, expectation.FEW), ("p95", 0.95, expectation.ENOUGH), ("max", 1.0, expectation.FEW))
"""Name, share, and from how many runs on it is said."""


def _in(spread: Spread, share: float, unit: float) -> float | None:
    found = spread.at(share)
    return None if found is None else round(found / unit, 6 if unit > 1 else 0)


def _parts(stats: Stats) -> Iterator[JsonObject]:
    for name in PARTS:
        spread = stats.parts[name]
        yield {
            "part": name,
            "steps": spread.count,
            "total_s": spread.total / 1000,
            "p50_ms": _in(spread, 0.5, 1),
            "p95_ms": _in(spread, 0.95, 1),
        }
