"""What a run is doing, in the words of a status line."""

from __future__ import annotations

from agentctl.core import events as e


def doing_at(event: e.Event) -> str:
    """What the run does from this event on; empty: as before."""
    match event:
        case e.ModelAsked(provider=provider):
            return f"asks {provider}"
        case e.ToolStarted(tool=tool):
            return f"runs {tool}"
        case e.Retried(attempt=attempt):
            return f"waits for retry #{attempt}"
        case e.Waited(reason=reason, refused=False):
            return f"waits for {reason}"
        case e.ApprovalRequested():
            return "needs a person"
        case e.ToolFinished() | e.ModelReplied():
            return "thinks"
        case _:
            return ""


def rest(event: e.Event) -> float:
    """Seconds for which nothing will happen, where that is known."""
    match event:
        case e.Retried(delay_s=seconds) | e.Waited(seconds=seconds, refused=False):
            return seconds
        case _:
            return 0.0
