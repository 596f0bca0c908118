"""How fast all runs on a store may use one provider: a sliding minute, asked before each call."""

from __future__ import annotations

from agentctl.core.bounds import Count, Seconds, Usd, table


@table
class Rules:
    """The policy's `[pace]`."""

    enabled: bool = True
    """False is printed at every start."""
    tokens_per_minute: Count = 40_000
    """Uncached input and output tokens in any 60 s. A11, C61"""
    usd_per_minute: Usd = 2.00
    """USD in any 60 s. A11, C62"""
    overhead_tokens: Count = 200
    """Tokens added to each reservation. A18"""
    max_wait_s: Seconds = 120.0
    """A longer wait is refused at once."""
