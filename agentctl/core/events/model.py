"""What models were asked, what came of it, and who answers."""

from __future__ import annotations

from typing import Literal

from agentctl.core.messages import Json, Usage
from agentctl.records import dataclass

Purpose = Literal["answer", "landing", "summary"]


@dataclass(frozen=True, slots=True)
class ModelAsked:
    """The intent of one HTTP request to a provider; its worst case is reserved."""

    provider: str
    identity: str
    model: str
    attempt: int
    purpose: Purpose
    estimated_tokens: int
    max_output_tokens: int
    reserved_micro: int
    position: int = 0
    """In a rehearsal: the stand-in's position before this call."""
    probe: bool = False
    """It tests an open circuit."""
    upto: int = 0
    """For a summary: the seq of the oldest message that it leaves out."""


@dataclass(frozen=True, slots=True)
class CallProposed:
    """A tool call in a reply."""

    call_id: str
    wire_id: str
    tool: str
    """As shown; an unknown tool keeps the model's word for it."""
    args: Json
    """Scrubbed; a string where the arguments were no JSON object."""
    key: str
    """Keyed digest of name and canonical arguments: equal calls have equal keys, and it tells nothing else."""
    exact: str = ""
    """The same of the arguments as they came; empty: they came as the canonical ones."""
    filled: tuple[int, ...] = ()
    """The numbers of the placeholders in them, under `scrub.to_model`: the tool gets what they stand for."""


@dataclass(frozen=True, slots=True)
class ModelReplied:
    """The outcome: what came, what it cost."""

    provider: str
    identity: str
    model: str
    usage: Usage
    cost_micro: int
    duration_ms: int
    stop_reason: str
    text: str
    calls: tuple[CallProposed, ...]
    purpose: Purpose
    tokens: int
    """What this message adds to later prompts: the reported output; for a summary the estimate of its text."""
    sealed: str = ""
    """Digest of the sealed original; empty: text and calls are the original."""
    refusal: str = ""
    withheld: str = ""
    """Why a line stands for the text: `system_prompt`."""


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The outcome: it failed, in the provider's words made one line."""

    provider: str
    identity: str
    kind: str
    status: int | None
    retry_after_s: float | None
    message: str
    attempt: int
    purpose: Purpose
    cost_micro: int
    """What was settled: the known usage, else the whole reservation; nothing where it was refused or never sent."""
    duration_ms: int
    tokens: int = 0
    """What it counts against the run's tokens: as known, or as estimated where it was billed blindly."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thought, as far as it is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class FellBack:
    """Another provider answers from here on."""

    from_: str
    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderOut:
    """A provider that this run will not ask again, or not before `until`."""

    provider: str
    reason: str
    until: float | None = None
    """Seconds since the epoch; None: for the rest of the run."""
