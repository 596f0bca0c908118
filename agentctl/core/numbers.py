"""Numbers made within the limits of a JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Final

from agentctl.core.fitting import number
from agentctl.core.messages import Json, JsonObject

FINE: Final = 20
"""Numbers that a narrow range is cut into, at least."""


def amount(schema: JsonObject, n: int, *, whole: bool) -> Json:
    """The `n`th number upwards from 1, or from the least or most one allowed; then those below."""
    low, above = _limit(schema, "minimum", "exclusiveMinimum", max)
    high, below = _limit(schema, "maximum", "exclusiveMaximum", min)
    step = _step(schema, low, high, whole=whole)
    least = None if low is None else math.floor(low / step) + 1 if above else math.ceil(low / step)
    most = None if high is None else math.ceil(high / step) - 1 if below else math.floor(high / step)
    if least is not None and most is not None and least > most and not whole:
        return _plain(((low or Fraction(0)) + (high or Fraction(0))) / 2)
    start = math.ceil(1 / step) if "multipleOf" not in schema else 1
    start = max(start, least) if least is not None else start
    start = min(start, most) if most is not None else start
    at = start + n
    if most is not None and at > most:
        at = start - (at - most)
        at = most if least is not None and at < least else at
    return _plain(at * step)


def _limit(
    schema: JsonObject, key: str, exclusive: str, hardest: Callable[[Iterable[Fraction]], Fraction]
) -> tuple[Fraction | None, bool]:
    """The limit of both that is harder to keep, and whether it is itself forbidden."""
    soft, hard = number(schema.get(key)), number(schema.get(exclusive))
    limits = [limit for limit in (soft, hard) if limit is not None]
    limit = hardest(limits) if limits else None
    return limit, limit is not None and limit == hard


def _step(schema: JsonObject, low: Fraction | None, high: Fraction | None, *, whole: bool) -> Fraction:
    """What lies between two numbers that can be made."""
    unit = schema.get("multipleOf")
    if (exact := number(unit)) is not None and exact > 0:
        exact = Fraction(str(unit))  # 0.01 is meant as it is written
        return Fraction(exact.numerator) if whole else exact
    if whole:
        return Fraction(1)
    wide = None if low is None or high is None or low >= high else high - low
    if wide is None or wide >= FINE:
        return Fraction(1, 2)
    return Fraction(10) ** (_digits(wide) - 2)


def _digits(wide: Fraction) -> int:
    """How many digits stand before the point, or minus how many zeros behind it; near enough."""
    return len(str(math.floor(wide))) if wide >= 1 else -len(str(math.floor(1 / wide))) + 1


def _plain(exact: Fraction) -> Json:
    whole = exact.denominator == 1 or abs(exact) > 2**53  # where a float has no room for what is behind the point
    return math.floor(exact) if whole else exact.numerator / exact.denominator
