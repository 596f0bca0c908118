"""Limits from what runs needed.

Rules.
1. A p95 is of at least ENOUGH figures, a p99 of MANY; of fewer nothing is said. Quantiles are the nearest rank.
2. A limit is the p99 with a quarter on top, or the p95 with a half; how many runs it would have hit is told.
3. A limit is lowered where that takes a fifth off it, and no run ended at it. It is raised only up to what a run has
   really needed that somebody let go on, and then says so: that runs end at a limit does not tell how much more they
   would have needed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from agentctl.core.policy import Policy
from agentctl.core.suggest.measure import Run, Shared
from agentctl.records import dataclass, replace

ENOUGH: Final = 20
MANY: Final = 100
MARGINS: Final = {"p95": 1.5, "p99": 1.25}
WORTH: Final = 0.8
"""A limit that would be above this share of what it is stays as it is."""
LEAST: Final = {
    "budget.run_usd": 0.01,
    "budget.max_steps": 3,
    "budget.max_tool_calls": 5,
    "budget.max_tool_errors": 3,
    "budget.max_wall_s": 60,
    "tokens.total": 5_000,
    "context.max_tokens": 8_000,
    "results.timeout_s": 2,
    "pace.tokens_per_minute": 10_000,
    "pace.usd_per_minute": 0.1,
}
"""The limits that are looked at, and below what none is suggested."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that could be another."""

    key: str
    was: float
    value: float
    quantile: str
    seen: float
    """The figure of that quantile."""
    most: float
    n: int
    """Figures that it is from."""
    of: str
    """What they are of: runs, calls, minutes."""
    beyond: int
    """Of these so many were above the limit."""

    @property
    def raises(self) -> bool:
        """Whether it allows more than before."""
        return self.value > self.was

    @property
    def comment(self) -> str:
        """Where it comes from, on one line."""
        margin = MARGINS[self.quantile]
        told = f"{self.quantile} of {self.n:,} {self.of}: {number(self.seen)}, x{margin:g}; most: {number(self.most)}"
        floor = "; none is suggested below" if self.value == LEAST[self.key] else ""
        change = f"RAISES it from {number(self.was)}" if self.raises else f"it was {number(self.was)}"
        hit = f"; {self.beyond:,} of them would have reached it" if self.beyond else ""
        return f"{told}; {change}{floor}{hit}"


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays as it is, and why."""

    key: str
    why: str


def limits(policy: Policy, runs: Sequence[Run], shared: Shared) -> tuple[list[Limit], list[Kept]]:
    """What could be another, and what can't be told, in the order of the policy's keys."""
    done = [run for run in runs if run.done]
    ended = Counter(run.reason for run in runs if not run.done)
    found: list[Limit] = []
    kept: list[Kept] = []
    for key in LEAST:
        figures, of = _figures(key, done, shared)
        limit = _limit(policy, key, figures, of)
        table, _, name = key.partition(".")
        stopped = ended[name] + (ended[table] if table in {"tokens", "pace", "context"} else 0)
        if isinstance(limit, Limit) and stopped and not limit.raises:
            limit = Kept(key, f"{stopped:,} of {len(runs):,} runs ended at it: it is not lowered")
        elif isinstance(limit, Kept) and stopped:
            limit = replace(limit, why=f"{limit.why}; {stopped:,} of {len(runs):,} runs ended at it")
        (found if isinstance(limit, Limit) else kept).append(limit)  # type: ignore[arg-type]  # each to its own
    return found, kept


def _figures(key: str, done: Sequence[Run], shared: Shared) -> tuple[list[float], str]:
    match key:
        case "results.timeout_s":
            return _slowest(shared.tools)
        case "pace.tokens_per_minute":
            return [float(each) for each in shared.minute_tokens.values()], "minutes, as reserved"
        case "pace.usd_per_minute":
            return [each / 1e6 for each in shared.minute_micro.values()], "minutes, as reserved"
        case _:
            return [run.figures[key] for run in done], "runs that completed, as needed"


def _slowest(tools: Mapping[str, Sequence[float]]) -> tuple[list[float], str]:
    """The seconds of the tool that is the slowest by its p95; of the rarest where one is too rare to tell."""
    if not tools:
        return [], "calls"
    rarest = min(tools, key=lambda tool: (len(tools[tool]), tool))
    slowest = max(tools, key=lambda tool: (rank(sorted(tools[tool]), 0.95), tool))
    tool = rarest if len(tools[rarest]) < ENOUGH else slowest
    return list(tools[tool]), f"calls of {tool}"


def _limit(policy: Policy, key: str, figures: Sequence[float], of: str) -> Limit | Kept:
    was, least = value(policy, key), LEAST[key]
    if not getattr(policy, key.partition(".")[0]).enabled:
        return Kept(key, "its guard is switched off")
    if len(figures) < ENOUGH:
        return Kept(key, f"too few {of.partition(',')[0]}: {len(figures)} of {ENOUGH}")
    quantile = "p99" if len(figures) >= MANY else "p95"
    ordered = sorted(figures)
    seen, most = rank(ordered, float(quantile[1:]) / 100), ordered[-1]
    wanted = max(rounded(seen * MARGINS[quantile]), float(least))
    if most > was:
        wanted = min(wanted, rounded(most))
    if key == "context.max_tokens":
        wanted = min(wanted, float(policy.context.hard_limit_tokens))
    if (wanted > was and most <= was) or WORTH * was < wanted <= was:
        return Kept(key, f"{number(was)} fits: {quantile} of {len(figures):,} {of} is {number(seen)}")
    beyond = sum(each > wanted for each in ordered)
    return Limit(key, was, wanted, quantile, seen, most, len(figures), of, beyond)


def value(policy: Policy, key: str) -> float:
    """The limit as the policy has it."""
    table, _, name = key.partition(".")
    return float(getattr(getattr(policy, table), name))


def changed(policy: Policy, found: Sequence[Limit]) -> Policy:
    """The policy with these limits; those in dollars no higher than it has them already, but where they raise."""
    for limit in found:
        table, _, name = limit.key.partition(".")
        kept = min(limit.value, value(policy, limit.key)) if not limit.raises else limit.value
        changes = {name: typed(policy, limit.key, kept)}
        policy = replace(policy, **{table: replace(getattr(policy, table), **changes)})
    return policy


def typed(policy: Policy, key: str, figure: float) -> float:
    """A figure as the limit's own type: a whole number where the limit is one."""
    table, _, name = key.partition(".")
    return int(figure) if isinstance(getattr(getattr(policy, table), name), int) else figure


def rank(ordered: Sequence[float], share: float) -> float:
    """The nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rounded(figure: float) -> float:
    """Up to two digits; what is a count or more than ten to a whole number."""
    if figure <= 0:
        return 0.0
    size = 10.0 ** (math.floor(math.log10(figure)) - 1)
    up = math.ceil(round(figure / size, 6)) * size
    return float(math.ceil(round(up, 6))) if figure >= 1 else round(up, 6)


def number(figure: float) -> str:
    """As TOML has it: 20, 75_000, 0.042, 4.7."""
    if figure == int(figure):
        return f"{int(figure):_}" if figure >= 10_000 else str(int(figure))
    return f"{figure:.4g}"
