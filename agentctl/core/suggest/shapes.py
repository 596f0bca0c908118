"""A pattern from values that a person let through: as narrow as they are, and anchored at both ends.

Theory. A value is a constant, one of a few that came again, or a text in which nothing but the digits differs. Anything
else is free text, and no pattern of it would be safe. A number that is no text never gets a class of its own: no
pattern bounds an amount.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from agentctl.core.messages import Json

FEW: Final = 8
"""Values that are listed."""
TWICE: Final = 2
"""How often each of them has to have come."""
VARIED: Final = 5
"""Different values that show that the digits are free."""
LONGEST: Final = 200
special = re.compile(r"[\\.+*?()|\[\]{}^$]")
digits = re.compile(r"[0-9]+")


def text_of(value: Json) -> str | None:
    """How a rule sees a value; None: one that a pattern should not be about."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else json.dumps(value)
    return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def pattern(values: Sequence[str], *, digits_may_vary: bool) -> str | None:
    """The part of an RE2 pattern that is these values, without anchors; None: they are free text."""
    if not all(value.isascii() and value.isprintable() and len(value) <= LONGEST for value in values):
        return None
    counted = Counter(values)
    if len(counted) == 1:
        return escaped(values[0])
    if len(counted) <= FEW and min(counted.values()) >= TWICE:
        return f"({'|'.join(escaped(value) for value in sorted(counted))})"
    if digits_may_vary and len(counted) >= VARIED:
        return _skeleton(sorted(counted))
    return None


def _skeleton(values: Sequence[str]) -> str | None:
    """Where only runs of digits differ: these as so many digits."""
    between = {tuple(digits.split(value)) for value in values}
    if len(between) > 1:
        return None
    (rest,) = between
    runs = list(zip(*(digits.findall(value) for value in values), strict=True))
    found = escaped(rest[0])
    for run, text in zip(runs, rest[1:], strict=True):
        sizes = sorted({len(each) for each in run})
        same = len(set(run)) == 1
        count = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]},{sizes[-1]}"
        found += (run[0] if same else f"[0-9]{{{count}}}") + escaped(text)
    return found


def escaped(text: str) -> str:
    """A text as a pattern of itself, in every dialect."""
    return special.sub(lambda found: f"\\{found[0]}", text)
