"""The prompt prefix that a provider remembers, and how often it did."""

from __future__ import annotations

from typing import Literal

from agentctl.core.bounds import Share, table


@table
class Rules:
    """The policy's `[cache]`."""

    enabled: bool = True
    """False is printed at every start."""
    ttl: Literal["5m", "1h"] = "5m"
    """How long a written prefix lives."""
    min_hit_ratio: Share = 0.5
    """Share of input read from the cache; below it over the first 100 requests: an alert. C73"""
