"""When to stop trying and give the case to a person, once and concisely."""

from __future__ import annotations

from typing import Literal

from agentctl.core.bounds import Count, table


@table
class Rules:
    """The policy's `[handoff]`."""

    enabled: bool = False
    """On only with a contact."""
    after_tool_errors: Count = 5
    """Tool errors in a row. D93"""
    before_tier: Literal["", "safe", "low", "medium", "high"] = ""
    """Hand off instead of asking, from this tier on. D94"""
    contact: str = ""
    """Whom to turn to."""
