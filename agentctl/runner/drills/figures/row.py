"""A row of the comparison, and the comparison."""

from __future__ import annotations

from dataclasses import field

from agentctl.core.messages import Json, JsonObject
from agentctl.records import dataclass

HEADINGS = ("Metric", "Naive", "Resilient", "Delta")
"""Of the columns, in this order. C88"""
NONE = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One metric."""

    metric: str
    naive: str
    resilient: str
    delta: str
    """Resilient against naive."""
    naive_value: float | None
    """In `unit`; None: it could not be measured."""
    resilient_value: float | None
    unit: str
    note: str = ""
    """What a reader has to know to read it right."""
    details: JsonObject = field(default_factory=dict[str, Json])
    """What it is made of, by column."""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Under `HEADINGS`."""
        return self.metric, self.naive, self.resilient, self.delta


@dataclass(frozen=True, slots=True)
class Comparison:
    """The five rows, in the order of the contract."""

    rows: tuple[Row, ...]
    took_s: float
    """Of real time, in seconds."""
    cost_usd: float = 0.0
    """What its runs would have cost, both columns together."""

    def as_json(self) -> JsonObject:
        """For programs."""
        return {"items": [_item(row) for row in self.rows], "duration_s": round(self.took_s, 1), "truncated": False}


def _item(row: Row) -> JsonObject:
    return {
        "metric": row.metric,
        "naive": row.naive,
        "resilient": row.resilient,
        "delta": row.delta,
        "naive_value": row.naive_value,
        "resilient_value": row.resilient_value,
        "unit": row.unit,
        "note": row.note,
        "details": row.details,
    }


def absent(metric: str, unit: str, why: str) -> Row:
    """One that this task can't show."""
    return Row(metric, NONE, NONE, NONE, None, None, unit, why)
