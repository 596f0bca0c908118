"""What happened: inert values in the past tense, stamped by the recorder, folded by `state.apply`.

All are imported from here; the files part them by whom they are about: the run, models, tools, guards.

Everything textual in an event is scrubbed before the event is made. Money is whole micro-dollars here and dollars on
disk. `journal/codec.py` alone knows the short tags of the contract and how fields are written.
"""

from __future__ import annotations

from typing import TypeAlias

from agentctl.core.events.guards import (
    Alerted,
    BudgetCounted,
    CacheSeen,
    CircuitMoved,
    ContextTrimmed,
    Decided,
    LoopKind,
    LoopSeen,
    Retried,
    SecretsNumbered,
    Waited,
)
from agentctl.core.events.model import (
    CallProposed,
    FellBack,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    ProviderOut,
    Purpose,
    Thought,
)
from agentctl.core.events.run import (
    Checked,
    Completed,
    Degraded,
    Exchange,
    Failed,
    Forked,
    HandedOff,
    Resumed,
    RunStarted,
    Status,
    StepsPlanned,
)
from agentctl.core.events.tools import (
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    CallSettled,
    ToolFinished,
    ToolStarted,
)
from agentctl.core.taint import Copied, InjectionSuspected
from agentctl.records import dataclass

__all__ = [
    "Alerted", "ApprovalDecided", "ApprovalRequested", "BudgetCounted", "CacheSeen", "CallEdited", "CallProposed",
    "CallSettled", "Checked", "CircuitMoved", "Completed", "ContextTrimmed", "Copied", "Decided", "Degraded",
    "Event", "Exchange", "Failed", "FellBack", "Forked",
    "HandedOff", "InjectionSuspected", "LoopKind", "LoopSeen", "ModelAsked", "ModelFailed", "ModelReplied",
    "ProviderOut", "Purpose", "Resumed", "Retried", "RunStarted", "SecretsNumbered", "Stamped", "Status",
    "StepsPlanned", "Thought", "ToolFinished", "ToolStarted", "Waited",
]  # fmt: skip

Event: TypeAlias = (
    RunStarted | ModelAsked | ModelReplied | ModelFailed | Retried | Waited | FellBack | ProviderOut | Thought
    | ToolStarted | ToolFinished | ApprovalRequested | ApprovalDecided | Decided | ContextTrimmed | BudgetCounted
    | StepsPlanned | Checked | CircuitMoved | LoopSeen | CacheSeen | Degraded | HandedOff | Resumed | Failed
    | Completed | InjectionSuspected | CallEdited | CallSettled | SecretsNumbered | Forked
    | Alerted
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its place in the journal."""

    run_id: str
    seq: int
    """From 1, without gaps."""
    session_id: str
    step: int
    ts: float
    """Seconds since the epoch, UTC."""
    event: Event
