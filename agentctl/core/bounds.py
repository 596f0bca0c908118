"""Limits on values, stated beside the field that they limit.

A `Bound` in an `Annotated` type is read by `config/` when a TOML file is checked and when its JSON Schema is written.
The hook below speaks the validator's plain-dict protocol, so that the core needs no import of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Any, TypeVar, dataclass_transform

from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """A closed or open interval, a least or greatest length, a pattern. Infinity and NaN never fit."""

    gt: float | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def __get_pydantic_core_schema__(
        self, source: type[object], handler: Callable[[type[object]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Add the limits to the schema of the bare type."""
        schema = handler(source)
        limits = {name: getattr(self, name) for name in self.__slots__}
        schema.update({name: limit for name, limit in limits.items() if limit is not None})
        if schema["type"] == "float":
            schema["allow_inf_nan"] = False
        return schema


Count = Annotated[int, Bound(gt=0)]
"""A whole number above zero."""
Natural = Annotated[int, Bound(ge=0)]
"""A whole number, or zero."""
Seconds = Annotated[float, Bound(gt=0)]
"""A span of time above zero, in seconds."""
Usd = Annotated[float, Bound(gt=0)]
"""An amount above zero, in US dollars."""
Price = Annotated[float, Bound(ge=0)]
"""US dollars per million tokens; zero is a price."""
Share = Annotated[float, Bound(gt=0, le=1)]
"""A part of a whole, above 0 and at most 1."""
Factor = Annotated[float, Bound(gt=0)]
"""How many times as much."""
Name = Annotated[str, Bound(min_length=1, max_length=128)]
"""A name that is not empty."""

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def table(cls: type[T]) -> type[T]:
    """Make a frozen, slotted value of a class that is read from a TOML table.

    A key that it does not have is an error.
    """
    made = dataclass(frozen=True, slots=True)(cls)
    made.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]  # the validator's hook
    return made
