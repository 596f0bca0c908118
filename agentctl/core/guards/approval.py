"""Who decides a call that may not run by itself, and what happens when nobody does."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from agentctl.core import envelope
from agentctl.core.bounds import Count, Seconds, table
from agentctl.core.envelope import Envelope
from agentctl.core.events import ApprovalDecided, Resumed, Stamped
from agentctl.core.messages import Json
from agentctl.records import dataclass


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


@dataclass(frozen=True, slots=True)
class State:
    """Denials in a row. Bound: constant."""

    denials: int = 0


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ApprovalDecided(decision="approve") | Resumed():
            return State()
        case ApprovalDecided(decision="deny"):
            return State(state.denials + 1)
        case _:
            return state


def check(rules: Rules, state: State) -> bool:
    """Whether the run has been told no too often."""
    return rules.enabled and state.denials >= rules.max_denials


def digest(tool: str, definition: str, args: Json, policy: str) -> str:
    """What an answer is bound to: this tool, as defined, with exactly these arguments, under this policy. D70"""
    exact = json.dumps([tool, definition, args, policy], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(exact.encode(errors="surrogatepass")).hexdigest()


def denied(tool: str, why: str) -> Envelope:
    """B42"""
    reason = f" Reason: {why}" if why else ""
    return envelope.permanent(f"Action denied by user. Cannot proceed with {tool}.{reason}", code="DENIED")
