"""The sums that statistics are made of: each can be added to another one of its kind, in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import Final, TypeVar

from agentctl.core.messages import Usage
from agentctl.core.spread import Spread
from agentctl.records import dataclass

OTHERS: Final = "(others)"
"""Where names go that came after the first MOST_NAMES."""
MOST_NAMES: Final = 10_000
"""Names of one kind that have sums of their own."""


@dataclass(slots=True)
class Sums:
    """What one user, day, provider … came to."""

    runs: int = 0
    steps: int = 0
    calls: int = 0
    """Replies of models; of a tool: its calls."""
    input: int = 0
    """Tokens neither read from nor written to a cache."""
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost_micro: int = 0

    @property
    def prompt(self) -> int:
        """Tokens of all prompts."""
        return self.input + self.cache_read + self.cache_write

    @property
    def hit_ratio(self) -> float | None:
        """Read from a cache over the whole input; None where there was none."""
        return self.cache_read / self.prompt if self.prompt else None

    def use(self, usage: Usage) -> None:
        """Add the tokens of one call."""
        self.input += usage.input
        self.output += usage.output
        self.cache_read += usage.cache_read
        self.cache_write += usage.cache_write + usage.cache_write_1h

    def merge(self, other: Sums) -> None:
        """Add another one."""
        self.runs += other.runs
        self.steps += other.steps
        self.calls += other.calls
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.cost_micro += other.cost_micro


@dataclass(slots=True)
class Tool:
    """What became of the calls of one tool."""

    calls: int = 0
    """That ran, each once however often it was tried."""
    failures: int = 0
    """Of them those whose last try failed."""
    attempts: int = 0
    refused: int = 0
    """Calls that did not run: denied, wrong arguments, over a limit, a loop, an open circuit."""
    cost_micro: int = 0
    """Its share of the replies that asked for it: see `stats`."""
    ms: Spread = field(default_factory=Spread)
    """Of each attempt."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """By type, of every attempt that failed; and by code, of calls that did not run."""

    @property
    def failure_rate(self) -> float | None:
        """Failures over calls; None without calls."""
        return self.failures / self.calls if self.calls else None

    def merge(self, other: Tool) -> None:
        """Add another one."""
        self.calls += other.calls
        self.failures += other.failures
        self.attempts += other.attempts
        self.refused += other.refused
        self.cost_micro += other.cost_micro
        self.ms.merge(other.ms)
        self.errors.update(other.errors)


LEAST_ANSWERS: Final = 10
"""Answers from which on somebody may be a rubber stamp."""
NEARLY_ALL: Final = 0.95
"""Share of them that were yes, from which on."""
TOO_FAST_MS: Final = 5_000
"""Milliseconds that the median answer took, below which nobody can have read what was asked."""


@dataclass(slots=True)
class Judge:
    """What one person, program or rule answered to approvals."""

    asked: int = 0
    yes: int = 0
    waited_ms: Spread = field(default_factory=Spread)

    @property
    def yes_rate(self) -> float:
        """Share of yes."""
        return self.yes / self.asked if self.asked else 0.0

    @property
    def rubber_stamp(self) -> bool:
        """LEAST_ANSWERS or more, nearly all of them yes, and the median faster than anybody reads."""
        median = self.waited_ms.at(0.5)
        return (
            self.asked >= LEAST_ANSWERS and self.yes_rate >= NEARLY_ALL and median is not None and median < TOO_FAST_MS
        )

    def merge(self, other: Judge) -> None:
        """Add another one."""
        self.asked += other.asked
        self.yes += other.yes
        self.waited_ms.merge(other.waited_ms)


T = TypeVar("T", Sums, Tool, Judge)


def named(table: dict[str, T], name: str, new: type[T]) -> T:
    """The sums of this name; of OTHERS where there are too many."""
    found = table.get(name)
    if found is None:
        name = name if len(table) < MOST_NAMES else OTHERS
        found = table.setdefault(name, new())
    return found


def merge(table: dict[str, T], other: dict[str, T], new: type[T]) -> None:
    """Add a table of sums to another one."""
    for name, sums in other.items():
        named(table, name, new).merge(sums)
