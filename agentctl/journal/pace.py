"""The sliding minute of each provider, shared by all runs of a store: what is booked, slice by slice.

A booking is made before a call and corrected after it. It is never forgotten before its minute is over: what nobody
corrects (its process died) counts as it was booked. `core/guards/pace.py` says what fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentctl.core.guards import pace
from agentctl.core.guards.pace import Demand
from agentctl.journal.tx import Tx


@dataclass(frozen=True, slots=True)
class Booking:
    """What one call has booked."""

    demand: Demand
    at: int
    """The slice that it is in."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """Nothing is booked: it would be waited for longer than anybody may."""

    demand: Demand
    """The one that is waited for."""
    seconds: float


def book(tx: Tx, demands: Sequence[Demand], now: float, max_wait_s: float) -> tuple[Booking, ...] | TooLong:
    """Book every demand into the first slice that has room for all of them; first the one that is waited for."""
    found = [_booked(tx, demand.scope, now) for demand in demands]
    first = at = pace.slice_of(now)
    slowest = demands[0] if demands else None
    settled = False
    while not settled:
        settled = True
        for demand, booked in zip(demands, found, strict=True):
            fits = pace.place(demand, booked, at)
            if fits > at:
                at, slowest, settled = fits, demand, False
    if slowest is not None and at > first and at - now > max_wait_s:
        return TooLong(slowest, at - now)
    for demand in demands:
        _forget(tx, demand.scope, now)
        _add(tx, demand, demand.amount, at)
    return tuple(Booking(demand, at) for demand in sorted(demands, key=lambda each: each is not slowest))


def correct(tx: Tx, booking: Booking, actual: int) -> None:
    """It came to another amount; 0: the call was not made, or failed and is not counted."""
    if actual == booking.demand.amount:
        return
    tx.executemany(
        "UPDATE token_buckets SET tokens = max(0, tokens - ?) WHERE scope = ? AND bucket_start = ?",
        _pieces(booking.demand, booking.demand.amount, booking.at),
    )
    _add(tx, booking.demand, actual, booking.at)


def stands(booked: Sequence[Booking], demands: Sequence[Demand], now: float) -> bool:
    """Whether a place that was waited for may be taken: it is not over, and it is for as much as is asked for now."""
    in_time = all(pace.slice_of(now) <= booking.at for booking in booked)
    return in_time and {booking.demand for booking in booked} == set(demands)


def used(tx: Tx, scope: str, now: float) -> int:
    """What counts against the minute that ends now."""
    at = pace.slice_of(now)
    return sum(amount for start, amount in _booked(tx, scope, now).items() if start <= at)


def windows(tx: Tx, now: float) -> list[tuple[str, int, int]]:
    """Where anything is booked: the scope, what counts against the minute that ends now, what is booked for later."""
    at = pace.slice_of(now)
    rows = tx.execute(
        "SELECT scope, sum(CASE WHEN bucket_start <= ? THEN tokens ELSE 0 END),"
        " sum(CASE WHEN bucket_start > ? THEN tokens ELSE 0 END) FROM token_buckets"
        " WHERE bucket_start >= ? AND tokens > 0 GROUP BY scope ORDER BY scope",
        (at, at, at - pace.WINDOW),
    )
    return [(str(scope), int(amount), int(later)) for scope, amount, later in rows.fetchall()]


def _booked(tx: Tx, scope: str, now: float) -> dict[int, int]:
    rows = tx.execute(
        "SELECT bucket_start, tokens FROM token_buckets WHERE scope = ? AND bucket_start >= ? AND tokens > 0",
        (scope, pace.slice_of(now) - pace.WINDOW),
    )
    return dict(rows.fetchall())


def _add(tx: Tx, demand: Demand, amount: int, at: int) -> None:
    tx.executemany(
        "INSERT INTO token_buckets(tokens, scope, bucket_start) VALUES(?, ?, ?) ON CONFLICT DO"
        " UPDATE SET tokens = tokens + excluded.tokens",
        _pieces(demand, amount, at),
    )


def _pieces(demand: Demand, amount: int, at: int) -> list[tuple[int, str, int]]:
    return [(piece, demand.scope, start) for start, piece in pace.spread(amount, demand.limit, at).items()]


def _forget(tx: Tx, scope: str, now: float) -> None:
    """Drop the slices that no minute touches any more."""
    tx.execute(
        "DELETE FROM token_buckets WHERE scope = ? AND bucket_start < ?", (scope, pace.slice_of(now) - pace.WINDOW)
    )
