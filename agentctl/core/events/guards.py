"""What guards saw and said: decisions, waits, limits, circuits, loops, caches."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.records import dataclass

LoopKind = Literal["consecutive", "window", "cycle", "stall"]


@dataclass(frozen=True, slots=True)
class Decided:
    """A guard spoke. The words are for people: two decisions with other words are the same decision."""

    seam: str
    guard: str
    decision: str
    reason: str
    text: str = field(default="", compare=False)
    """What the model is told, where it is told something."""
    tokens: int = field(default=0, compare=False)
    message: str = field(default="", compare=False)
    """The stop's own sentence, for people."""


@dataclass(frozen=True, slots=True)
class Retried:
    """The same call will be made again after a delay: to a model, or `call_id` to a tool."""

    attempt: int
    """The retry's number, from 1."""
    delay_s: float
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Waited:
    """The run will do nothing for a while, or would have to for longer than anybody may."""

    reason: str
    seconds: float
    refused: bool = False
    """It was too long: nothing is waited for."""
    provider: str = ""
    """Whose minute is full."""


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
class CacheSeen:
    """What the provider's cache did for the run so far."""

    hit_ratio: float
    read: int
    write: int
    miss_reason: str = ""


@dataclass(frozen=True, slots=True)
class Alerted:
    """A rule of `[alerts]` was crossed, as far as the run itself can tell. B51"""

    rule: str
    value: float
    """A share, seconds, USD or a count, as the rule says (`core/alerts.py`)."""
    limit: float
    subject: str = ""
    """Whose it is: a tool, the run, its task with the reason."""
    baseline: float = 0.0
    """The median that the limit is a multiple of; 0: it stands in the policy."""


@dataclass(frozen=True, slots=True)
class SecretsNumbered:
    """From here on the model knows so many more values by a number, in their order."""

    count: int
    sealed: str
    """Digest of the sealed values, a JSON list."""
