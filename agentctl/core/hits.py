"""What the providers' caches did for many runs: sums by task, provider and model, and the verdict on the first 100."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from agentctl.core.messages import Usage
from agentctl.core.prices import Price
from agentctl.core.summary import plus
from agentctl.records import dataclass

FIRST = 100
"""Requests since the prefix last changed that the verdict is on. C73"""


@dataclass(frozen=True, slots=True)
class Key:
    """What is summed up together."""

    task: str
    rehearsed: bool
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Call:
    """One model call."""

    key: Key
    begun: float
    """When its run was made, in seconds since the epoch."""
    usage: Usage


@dataclass(frozen=True, slots=True)
class Change:
    """The last time that a task's prefix became another one."""

    at: float
    """When the first run with it was made, in seconds since the epoch."""
    what: str
    """`system`, `tools: add`; empty: it has never changed."""


@dataclass(slots=True)
class Line:
    """The sums of one key."""

    key: Key
    change: Change
    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    first: int = 0
    """Requests that the verdict is on so far."""
    first_usage: Usage = field(default_factory=Usage)
    saved: float | None = None
    """What reads cost less than fresh input, in micro-dollars; None: nobody knows the price."""
    paid: float | None = None
    """What writes cost, in micro-dollars."""

    @property
    def hit_ratio(self) -> float | None:
        """Read over the whole input; None where there was none."""
        return self.usage.cache_read / self.usage.prompt if self.usage.prompt else None

    def verdict(self, least: float) -> str:
        """`ok`, `below: 0.31 < 0.5`, or `42 of 100 so far`."""
        if self.first < FIRST:
            return f"{self.first} of {FIRST} so far"
        prompt = self.first_usage.prompt
        ratio = self.first_usage.cache_read / prompt if prompt else 0.0
        return "ok" if ratio >= least else f"below: {ratio:.2f} < {least:g}"


def lines(
    calls: Iterable[Call], changes: Mapping[tuple[str, bool], Change], price: Callable[[str], Price | None]
) -> list[Line]:
    """A line for each key, in their order. `calls` come in the order of time; `price` is asked by provider."""
    found: dict[Key, Line] = {}
    for call in calls:
        key = call.key
        change = changes.get((key.task, key.rehearsed), Change(0.0, ""))
        line = found.setdefault(key, Line(key, change))
        line.requests += 1
        line.usage = plus(line.usage, call.usage)
        if call.begun >= change.at and line.first < FIRST:
            line.first += 1
            line.first_usage = plus(line.first_usage, call.usage)
        _add_money(line, call.usage, price(key.provider))
    return [found[key] for key in sorted(found, key=lambda key: (key.task, key.rehearsed, key.provider, key.model))]


def _add_money(line: Line, usage: Usage, price: Price | None) -> None:
    if price is None:
        return
    rate = price.rate(usage.prompt)
    line.saved = (line.saved or 0.0) + (rate.input - rate.cache_read) * usage.cache_read
    written = rate.cache_write * usage.cache_write + rate.cache_write_1h * usage.cache_write_1h
    line.paid = (line.paid or 0.0) + written
