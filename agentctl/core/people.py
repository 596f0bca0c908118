"""How what concerns a person is told, the same in the trace and on the screen."""

from __future__ import annotations

from agentctl.core import events as e


def who(decided: e.ApprovalDecided) -> str:
    """Who decided, and how long it took; in a rehearsal nobody waited."""
    if decided.by == "the script":
        return "(answered by the script)"
    return f"by {decided.by} after {decided.waited_s:,.1f}s"


def circling(loop: e.LoopSeen) -> str:
    """`search with the same arguments, 3 times`."""
    match loop.kind:
        case "cycle":
            return f"the same {loop.window} calls in a circle, {loop.tool} among them"
        case "stall":
            return f"{loop.count} results of {loop.tool} that say the same"
        case _:
            return f"{loop.tool} with the same arguments, {loop.count} times"
