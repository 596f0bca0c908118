"""What the core tells the loop to do next. Values: the loop obeys them and knows no guard.

Facts (`events`) say what happened; decisions say what is to happen. Neither is ever an exception.
"""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from agentctl.core.envelope import Envelope
from agentctl.core.events import HandedOff, LoopSeen, Purpose, Status
from agentctl.core.tiers import Tier
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class AskModel:
    """Reserve, then make this one HTTP request."""

    provider: str
    purpose: Purpose
    attempt: int
    estimated_tokens: int
    max_output_tokens: int
    reserve_micro: int
    cap_micro: int
    """What the run may have spent and reserved in all, this call included."""
    fell_from: str = ""
    """The first provider of the chain, where this one newly stands in for it."""
    fell_why: str = ""
    chosen_why: str = ""
    """What made this provider the first of the chain, where that has just changed: a rule, or the budget."""
    uncached_tokens: int = 0
    """Of the estimated prompt: what no cache is expected to answer for."""
    upto: int = 0
    """For a summary: the seq of the oldest message that it leaves out."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
    """The failed model call is worth another attempt after a delay."""

    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class LeaveProvider:
    """Do not ask this provider again, for this call, until a moment, or at all."""

    provider: str
    to: str
    """Who takes the call; empty: there is none."""
    reason: str
    until: float | None
    """None: for the rest of the run."""


@dataclass(frozen=True, slots=True)
class NextProvider:
    """This provider had its attempts; the next one of the chain takes the call."""

    provider: str
    to: str
    """Empty: there is none."""
    reason: str


@dataclass(frozen=True, slots=True)
class Trim:
    """Drop all messages between the goal and `first_kept`."""

    first_kept: int
    dropped: int
    tokens: int
    limit: int
    summary: int = 0
    """Seq of the reply whose text joins the summaries behind the goal; 0: they stay as they are."""
    most: int = 0
    """Tokens that all summaries may take together."""


@dataclass(frozen=True, slots=True)
class Land:
    """A limit is reached: one last answer without tools, then the stop."""

    guard: str
    reason: str
    message: str
    """The stop's own sentence."""
    note: str
    """What the model is told."""
    loop: LoopSeen | None = None
    """The stall that it is for, recorded with it."""


@dataclass(frozen=True, slots=True)
class Say:
    """Add a user message and go on: the reply was cut, or said nothing, or results are the same again and again."""

    guard: str
    reason: str
    text: str
    loop: LoopSeen | None = None
    """The stall that it is for, recorded with it."""


@dataclass(frozen=True, slots=True)
class Report:
    """Something to be recorded and no more."""

    loop: LoopSeen


@dataclass(frozen=True, slots=True)
class Stop:
    """The drive ends here."""

    status: Status
    reason: str
    exit_code: int
    message: str = field(default="", compare=False)
    handed: HandedOff | None = None
    """What is recorded before the end, where a person takes over."""


@dataclass(frozen=True, slots=True)
class UseTools:
    """The last reply asks for tools; `before_tool` decides each."""


@dataclass(frozen=True, slots=True)
class RunCheck:
    """The task's `[check]` decides what comes next."""


@dataclass(frozen=True, slots=True)
class Verify:
    """It may have happened: the tool's own `verify` knows."""


@dataclass(frozen=True, slots=True)
class RunCall:
    """Nothing speaks against this call."""

    tier: Tier
    instead: str = ""
    """The fallback tool that takes it, since the tool's own circuit is open. E25"""
    remembered: bool = False
    """It would have asked, but a person said yes to this very call for the whole run."""


@dataclass(frozen=True, slots=True)
class RefuseCall:
    """This call is not run; the model gets this answer instead."""

    guard: str
    envelope: Envelope
    loop: LoopSeen | None = None
    """What is recorded with it, where it is a repeat."""
    halt: Stop | None = None
    """The run stops too."""


@dataclass(frozen=True, slots=True)
class ShareCall:
    """An identical call of this step has the answer already, or will."""

    with_call: str


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Above what may run by itself."""

    tier: Tier
    rule: str
    """What set the tier."""
    once: bool = False
    """No answer may be remembered for another call."""
    person: bool = False
    """A person alone says yes to it, no program does."""


@dataclass(frozen=True, slots=True)
class RetryCall:
    """The tool's failure is worth another attempt after a delay."""

    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class FinishCall:
    """This is the tool's answer."""

    envelope: Envelope


Action: TypeAlias = (
    AskModel | Sleep | Retry | LeaveProvider | NextProvider | Trim | Land | Say | Report | Stop | UseTools | RunCheck
)
CallDecision: TypeAlias = RunCall | RefuseCall | ShareCall | AskPerson | RunCheck | Verify | Sleep | Stop
ResultDecision: TypeAlias = RetryCall | FinishCall
