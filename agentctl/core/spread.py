"""Many whole numbers, kept so that their quantiles can be told: exact up to EXACT of them, in narrow buckets above.

Above, a quantile is off by at most ERROR of itself, whatever the numbers are; both are functions of the numbers alone,
so that parts can be added up in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Final

from agentctl.records import dataclass

EXACT: Final = 1_000
"""Numbers that are kept one by one."""
ERROR: Final = 0.01
"""Of a quantile above that: half the width of a bucket, as a share of the number."""
_BASE: Final = math.log((1 + ERROR) / (1 - ERROR))


@dataclass(slots=True)
class Spread:
    """Numbers from 0 up. Bound: EXACT, or the buckets from 1 to the largest: 1,100 of them reach 10^9."""

    count: int = 0
    total: int = 0
    least: int = 0
    most: int = 0
    kept: dict[int, int] = field(default_factory=dict[int, int])
    """How often each number came; above EXACT how many are in each bucket."""

    def add(self, number: int, times: int = 1) -> None:
        """Count one more; what is below 0 counts as 0."""
        number = max(0, number)
        self.least = number if not self.count else min(self.least, number)
        self.most = max(self.most, number)
        before, self.count, self.total = self.count, self.count + times, self.total + number * times
        if before <= EXACT < self.count:
            self.kept = _bucketed(self.kept)
        place = number if self.count <= EXACT else _bucket(number)
        self.kept[place] = self.kept.get(place, 0) + times

    def merge(self, other: Spread) -> None:
        """Add all that another one has."""
        if not other.count:
            return
        self.least = min(self.least, other.least) if self.count else other.least
        self.most = max(self.most, other.most)
        count = self.count + other.count
        mine, theirs = self.kept, other.kept
        if count > EXACT:
            mine = mine if self.count > EXACT else _bucketed(mine)
            theirs = theirs if other.count > EXACT else _bucketed(theirs)
        for place, times in theirs.items():
            mine[place] = mine.get(place, 0) + times
        self.count, self.total, self.kept = count, self.total + other.total, mine

    def at(self, share: float) -> float | None:
        """The smallest number that at least this share of them does not exceed (nearest rank); None: there is none."""
        rank = max(1, math.ceil(share * self.count))
        for place in sorted(self.kept):
            rank -= self.kept[place]
            if rank <= 0:
                return float(place) if self.count <= EXACT else min(max(_middle(place), self.least), self.most)
        return None


def _bucket(number: int) -> int:
    return 0 if not number else 1 + math.ceil(math.log(number) / _BASE)


def _middle(bucket: int) -> float:
    return 0.0 if not bucket else (1 - ERROR) * math.exp((bucket - 1) * _BASE)


def _bucketed(kept: Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, times in kept.items():
        place = _bucket(number)
        found[place] = found.get(place, 0) + times
    return found
