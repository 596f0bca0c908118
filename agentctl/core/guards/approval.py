"""Who decides a call that may not run by itself, and what happens when nobody does."""

from __future__ import annotations

from typing import Final, Literal

from agentctl.core import envelope, receipts
from agentctl.core.bounds import Count, Seconds, table
from agentctl.core.envelope import Envelope
from agentctl.core.events import ApprovalDecided, Completed, Forked, Stamped
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[approval]`."""

    enabled: bool = True
    """False is printed at every start."""
    timeout_s: Seconds = 300.0
    """Seconds that the prompt stands on a terminal."""
    on_timeout: Literal["park", "deny"] = "park"
    """What happens when nobody answered by then."""
    non_interactive: Literal["park", "deny"] = "park"
    """What happens where no person can answer."""
    max_denials: Count = 3
    """Denials in a row that stop the run."""
    command: tuple[str, ...] = ()
    """A reviewer program: JSON in, JSON out; failure or silence means deny."""


REMEMBERED: Final = 100
"""Exact calls that one run may have been told to remember; the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class State:
    """Bound: `REMEMBERED`."""

    denials: int = 0
    """In a row."""
    remembered: tuple[tuple[str, float], ...] = ()
    """Digest of an exact call that may run again in this run, and when a person said so."""


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ApprovalDecided(decision="approve") as said:
            kept = (*state.remembered, (said.digest, said.at or stamped.ts)) if said.remember else state.remembered
            return State(0, kept[-REMEMBERED:])
        case ApprovalDecided(decision="deny"):
            return replace(state, denials=state.denials + 1)
        case Completed(reason="denied"):  # who resumes it wants it to go on
            return replace(state, denials=0)
        case Forked():  # what was approved was approved for another run
            return State()
        case _:
            return state


def check(rules: Rules, state: State) -> bool:
    """Whether the run has been told no too often."""
    return rules.enabled and state.denials >= rules.max_denials


def remembers(state: State, digest: str, now: float) -> bool:
    """Whether a person said yes to this very call for the rest of the run, and not too long ago."""
    return any(kept == digest and receipts.counts(at, now) for kept, at in state.remembered)


def denied(tool: str, why: str) -> Envelope:
    """B42"""
    reason = f" Reason: {why}" if why else ""
    return envelope.permanent(f"Action denied by user. Cannot proceed with {tool}.{reason}", code="DENIED")
