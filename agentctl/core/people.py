"""How what concerns a person is told, the same in the trace and on the screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agentctl.core import events as e

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def who(decided: e.ApprovalDecided, at: float = 0.0) -> str:
    """Who decided, when (`at`, in seconds since the epoch; 0: that is not told), and how long it took.

    In a rehearsal nobody waited.
    """
    if decided.by == "the script":
        return "(answered by the script)"
    when = f" at {moment(at)}" if at else ""
    return f"by {decided.by}{when} after {decided.waited_s:,.1f}s"


def moment(at: float) -> str:
    """`2026-11-22 02:11:05Z`: UTC, so that it says the same wherever it is read."""
    try:
        return f"{EPOCH + timedelta(seconds=at):%Y-%m-%d %H:%M:%S}Z"
    except (OverflowError, ValueError):
        return "an unknown time"


def circling(loop: e.LoopSeen) -> str:
    """`search with the same arguments, 3 times`."""
    match loop.kind:
        case "cycle":
            return f"the same {loop.window} calls in a circle, {loop.tool} among them"
        case "stall":
            return f"{loop.count} results of {loop.tool} that say the same"
        case _:
            return f"{loop.tool} with the same arguments, {loop.count} times"
