"""Moments of the wall clock, which somebody may set back: by a second, by an hour.

A moment that was written down as the now of then, and lies ahead of the now of today, was written by a clock that has
been set back since: how long ago it was nobody can tell, so whatever it began is over. What began at a moment that is
believed lasts its own span from there, so that nobody ever waits longer than a span, however far a clock went back.
"""

from __future__ import annotations

from typing import Final

SKEW_S: Final = 5.0
"""Clocks may differ by so much, and be set back by so much unnoticed."""


def past(moment: float, now: float) -> bool:
    """Whether what was written down as now, in seconds since the epoch, can have been."""
    return moment <= now + SKEW_S
