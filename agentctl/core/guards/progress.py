"""Different calls, the same answers: a run that learns nothing is stopped."""

from __future__ import annotations

from agentctl.core.bounds import Count, Share, table


@table
class Rules:
    """The policy's `[progress]`."""

    enabled: bool = True
    """False is printed at every start."""
    window: Count = 5
    """Results that are compared. A36"""
    similarity: Share = 0.85
    """Strictly greater counts as the same. C34, G3"""
    max_stale: Count = 3
    """So many results alike are a stall. A36"""
    halt_on_stall: bool = True
    """False only reports it. C66"""
