"""What a span is before any SDK makes one of it, and the ids that follow from a run and a place in it.

The ids are no dice: whoever tells of the same events, live, after a resume or from the journal, tells of the same
trace and the same spans.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from typing import Literal, TypeAlias

from agentctl.records import dataclass

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
Attributes: TypeAlias = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a span, in OpenTelemetry's sense."""

    name: str
    ts: float
    """Seconds since the epoch."""
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Link:
    """What this goes on from."""

    trace_id: int
    span_id: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One call, or one drive of a run."""

    name: str
    kind: Literal["internal", "client"]
    trace_id: int
    span_id: int
    parent: int | None
    start: float
    end: float
    """Seconds since the epoch, never before `start`."""
    attributes: Attributes
    happenings: tuple[Happening, ...] = ()
    dropped: int = 0
    """Happenings that were too many to be kept."""
    status: Literal["unset", "ok", "error"] = "unset"
    words: str = ""
    """Of an error's status."""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """One value for one instrument of `measures.INSTRUMENTS`."""

    name: str
    value: float
    attributes: Attributes = field(default_factory=dict[str, Value])


def trace_id(run_id: str) -> int:
    """The trace of a run: 128 bits, never zero."""
    return int.from_bytes(hashlib.sha256(f"agentctl trace {run_id}".encode()).digest()[:16], "big") or 1


def span_id(run_id: str, seq: int) -> int:
    """The span that the event `seq` of a run opened: 64 bits, never zero."""
    return int.from_bytes(hashlib.sha256(f"agentctl span {run_id} {seq}".encode()).digest()[:8], "big") or 1
