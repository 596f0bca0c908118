"""When to stop trying and give the case to a person, once and concisely."""

from __future__ import annotations

from typing import Literal

from agentctl.core.bounds import Count, table
from agentctl.core.events import Completed, Forked, HandedOff, Stamped, ToolFinished
from agentctl.core.tiers import Tier
from agentctl.records import dataclass, replace

MOST_HANDED = 64
"""Calls that were handed over and are remembered: those of one reply."""


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


@dataclass(frozen=True, slots=True)
class State:
    """Errors in a row, and the calls that were handed over. Bound: MOST_HANDED."""

    errors: int = 0
    tool: str = ""
    """Of the last error."""
    handed: tuple[str, ...] = ()


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event. Only calls that ran count; after a hand-over the count starts anew."""
    match stamped.event:
        case ToolFinished(final=True, ran=True, status="error", tool=tool):
            return replace(state, errors=state.errors + 1, tool=tool)
        case ToolFinished(final=True, ran=True) if state.errors:
            return replace(state, errors=0, tool="")
        case HandedOff(call_id=call_id) if call_id:
            return replace(state, handed=(*state.handed, call_id)[-MOST_HANDED:])
        case Completed(reason="handoff"):
            return replace(state, errors=0, tool="")
        case Forked():
            return replace(state, handed=())
        case _:
            return state


def check(rules: Rules, state: State) -> HandedOff | None:
    """Whether tools have failed too often in a row. D93"""
    if not rules.enabled or state.errors < rules.after_tool_errors:
        return None
    return HandedOff(f"{state.errors} tool errors in a row, the last of {state.tool}", rules.contact)


def check_call(rules: Rules, state: State, call_id: str, tool: str, tier: Tier) -> HandedOff | None:
    """Whether this call, which needs a person, is not asked about but handed over. D94

    Once: a person who resumes the run after that is asked as always.
    """
    if not rules.enabled or not rules.before_tier or call_id in state.handed:
        return None
    if tier < Tier[rules.before_tier.upper()]:
        return None
    return HandedOff(f"{tool} needs a person's decision (risk {tier.word})", rules.contact, call_id)


def sentence(handed: HandedOff) -> str:
    """The one message. D92"""
    return f"Handed over to {handed.contact}: {handed.reason}."
