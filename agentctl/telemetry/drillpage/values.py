"""What the page of drills shows."""

from __future__ import annotations

from typing import Literal

from agentctl.records import dataclass

Word = Literal["ok", "failed", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One request, or one call that reached a tool."""

    at_s: float
    """Seconds after the drill began, with those that were skipped."""
    lane: str
    word: Word
    text: str
    """`503 status, after 2m 00s`."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A circuit that was open."""

    lane: str
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Card:
    """One drill."""

    name: str
    word: Word
    result: str
    """`held`, `FAILED`, `does not apply`."""
    naive: str
    """The same without any guard; empty: nobody asked."""
    injected: str
    observed: str
    fix: str
    command: str
    cost_usd: float
    duration_s: float
    played_s: float
    """As the table says it."""
    drawn_s: float
    """From the first that is drawn to the end: processes that were killed have clocks of their own."""
    lanes: tuple[str, ...]
    """From top to bottom."""
    marks: tuple[Mark, ...]
    phases: tuple[Phase, ...]
    spent: tuple[tuple[float, float], ...]
    """When, in seconds after the beginning, and what all clients had cost by then, in USD."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the comparison."""

    metric: str
    naive: str
    resilient: str
    delta: str
    note: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    title: str
    """`order-triage under customer-facing`."""
    summary: str
    """`14 of 15 held under policy customer-facing (seed 0)`."""
    word: Word
    cards: tuple[Card, ...]
    rows: tuple[Row, ...]
    at: float
    """When it was made, in seconds since the epoch."""
