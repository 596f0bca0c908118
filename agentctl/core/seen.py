"""What guards and meters saw: the events of limits, circuits, loops and caches. `events.py` has the rest.

The same rules hold: inert values in the past tense, scrubbed before they are made.
"""

from __future__ import annotations

from typing import Literal

from agentctl.records import dataclass

LoopKind = Literal["consecutive", "window", "cycle", "stall"]


@dataclass(frozen=True, slots=True)
class ContextTrimmed:
    """Older messages left the request; the goal, the system prompt and whole pairs stay."""

    tokens: int
    """After the trim, estimated."""
    limit: int
    dropped: int
    first_kept: int
    """The seq of the oldest message that stays beside the goal."""
    summary: str = ""
    """What stands behind the goal from here on: all summaries of the run, as far as they fit; empty: as before."""
    summary_tokens: int = 0
    sealed: str = ""
    """Digest of the sealed summary; empty: it is the original."""


@dataclass(frozen=True, slots=True)
class BudgetCounted:
    """A limit came close, was refused by the ledger, or was raised. USD limits are in dollars."""

    key: str
    used: float
    limit: float
    state: Literal["warning", "refused", "raised"]
    room: float = 0.0
    """Refused: what is left for a smaller call."""


@dataclass(frozen=True, slots=True)
class CircuitMoved:
    """What the run was told of a circuit that all runs share: it opened, let a probe through, or closed."""

    name: str
    """A provider's name, or `tool:NAME`."""
    from_: str
    to: str
    until: float = 0.0
    """Open: when the next probe may go, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class LoopSeen:
    """The same again: a call, a round of calls (`cycle`), or what different calls came to (`stall`)."""

    kind: LoopKind
    tool: str
    count: int
    """The call, the round or the result that this is of its kind."""
    window: int
    """Calls or results that are looked back at; of a cycle: its calls."""
    halt: bool = False
    """The run stops for it."""


@dataclass(frozen=True, slots=True)
class CacheSeen:
    """What the provider's cache did for the run so far."""

    hit_ratio: float
    read: int
    write: int
    miss_reason: str = ""


@dataclass(frozen=True, slots=True)
class Degraded:
    """The user gets something lesser and is told so."""

    provider: str
    notice: str


@dataclass(frozen=True, slots=True)
class HandedOff:
    """The run gives its case to a person and stops."""

    reason: str
    contact: str
    call_id: str = ""
    """The call that it stops before; empty: none."""
