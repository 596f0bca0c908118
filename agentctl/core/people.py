"""How a person's decision is told, the same in the trace and on the screen."""

from __future__ import annotations

from agentctl.core import events as e


def who(decided: e.ApprovalDecided) -> str:
    """Who decided, and how long it took; in a rehearsal nobody waited."""
    if decided.by == "the script":
        return "(answered by the script)"
    return f"by {decided.by} after {decided.waited_s:,.1f}s"
