"""The sliding minute of each provider, shared by all runs of a store: what is booked, slice by slice, and who waits.

A booking is made when a call is let go, and corrected when it is over. It is never forgotten before its minute is
over: what nobody corrects (its process died) counts as it was booked. `core/guards/pace.py` says what fits.

Who has to wait stands in a queue and asks again every second or so; nobody is let go before those who came earlier
and are still heard of. So a queue moves up as soon as something is given back, and a process that died in it is
passed by within a few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentctl.core.guards import pace
from agentctl.core.guards.pace import Demand
from agentctl.journal.tx import Tx

UNHEARD_S = 5.0
"""Who has not asked for so long waits no more."""


@dataclass(frozen=True, slots=True)
class Booking:
    """What one call has booked."""

    demand: Demand
    at: int
    """The slice that it is in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who asks, and since when: its place in the queue."""

    owner: str
    since: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is booked yet: ask again in a second."""

    demand: Demand
    """The one that is waited for."""
    seconds: float
    """Until there would be room if nothing was given back."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """Nothing is booked: it would be waited for longer than anybody may."""

    demand: Demand
    seconds: float


def book(
    tx: Tx, place: Place, demands: Sequence[Demand], now: float, max_wait_s: float
) -> tuple[Booking, ...] | Wait | TooLong:
    """Book every demand into the slice of now, or none: then wait for the one that takes longest."""
    at = pace.slice_of(now)
    waits = [(_wait(tx, demand, place, now), demand) for demand in demands]
    seconds, slowest = max(waits, key=lambda each: each[0], default=(0.0, None))
    if slowest is None or seconds <= 0:
        leave(tx, place.owner)
        for demand in demands:
            _forget(tx, demand.scope, now)
            _add(tx, demand, demand.amount, demand.amount, at)
        return tuple(Booking(demand, at) for demand in demands)
    waited = max(0.0, now - place.since)
    if waited >= max_wait_s or waited + _certain(tx, demands, now) > max_wait_s:
        leave(tx, place.owner)
        return TooLong(slowest, waited + seconds)
    tx.executemany(
        "INSERT INTO waiting(scope, owner, since, amount, seen) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO"
        " UPDATE SET since = excluded.since, amount = excluded.amount, seen = excluded.seen",
        [(demand.scope, place.owner, place.since, _taken(demand), now) for demand in demands],
    )
    return Wait(slowest, seconds)


def leave(tx: Tx, owner: str) -> None:
    """Wait no more."""
    tx.execute("DELETE FROM waiting WHERE owner = ?", (owner,))


def correct(tx: Tx, booking: Booking, actual: int) -> None:
    """It came to this amount; 0: the call was not made, or failed and is not counted."""
    _add(tx, booking.demand, -booking.demand.amount, -booking.demand.amount, booking.at)
    _add(tx, booking.demand, actual, 0, booking.at)


def used(tx: Tx, scope: str, now: float) -> int:
    """What counts against the minute that ends now."""
    at = pace.slice_of(now)
    return sum(amount for start, (amount, _) in _booked(tx, scope, now).items() if start <= at)


def windows(tx: Tx, now: float) -> list[tuple[str, int, int]]:
    """Where anything is booked: the scope, what was used in the minute that ends now, and what is held or owed."""
    at = pace.slice_of(now)
    rows = tx.execute(
        "SELECT scope, sum(CASE WHEN bucket_start <= ? THEN tokens - held ELSE 0 END),"
        " sum(CASE WHEN bucket_start > ? THEN tokens ELSE held END) FROM token_buckets"
        " WHERE bucket_start >= ? AND tokens > 0 GROUP BY scope ORDER BY scope",
        (at, at, at - pace.WINDOW),
    )
    return [(str(scope), int(amount), int(later)) for scope, amount, later in rows.fetchall()]


def _wait(tx: Tx, demand: Demand, place: Place, now: float) -> float:
    """Seconds until there would be room, as things stand."""
    at, booked = pace.slice_of(now), {start: amount for start, (amount, _) in _booked(tx, demand.scope, now).items()}
    ahead = _ahead(tx, demand.scope, place, now)
    if pace.fits(demand, booked, at, ahead):
        return 0.0
    return max(pace.place(demand, booked, at, ahead) - now, 1.0)


def _certain(tx: Tx, demands: Sequence[Demand], now: float) -> float:
    """Seconds that are waited for even if all that is under way was given back."""
    at, latest = pace.slice_of(now), 0.0
    for demand in demands:
        spent = {start: amount - held for start, (amount, held) in _booked(tx, demand.scope, now).items()}
        if not pace.fits(demand, spent, at):
            latest = max(latest, pace.place(demand, spent, at) - now)
    return latest


def _taken(demand: Demand) -> int:
    """What it will be booked for: under a tiny limit less than its amount."""
    return sum(pace.spread(demand.amount, demand.limit, 0).values())


def _ahead(tx: Tx, scope: str, place: Place, now: float) -> int:
    """What those take who came earlier and still wait."""
    (amount,) = tx.execute(
        "SELECT COALESCE(SUM(amount), 0) FROM waiting WHERE scope = ? AND owner <> ?"
        " AND (since < ? OR (since = ? AND owner < ?)) AND seen BETWEEN ? AND ?",
        (scope, place.owner, place.since, place.since, place.owner, now - UNHEARD_S, now + UNHEARD_S),
    ).fetchone()
    return int(amount)


def _booked(tx: Tx, scope: str, now: float) -> dict[int, tuple[int, int]]:
    """By slice: what is booked, and how much of that is of calls under way."""
    rows = tx.execute(
        "SELECT bucket_start, tokens, held FROM token_buckets WHERE scope = ? AND bucket_start >= ? AND tokens > 0",
        (scope, pace.slice_of(now) - pace.WINDOW),
    )
    return {start: (tokens, held) for start, tokens, held in rows.fetchall()}


def _add(tx: Tx, demand: Demand, amount: int, held: int, at: int) -> None:
    """Book, or give back a negative amount; what is forgotten by now is not made again."""
    sign, pieces = (1 if amount >= 0 else -1), pace.spread(abs(amount), demand.limit, at)
    if sign > 0:
        tx.executemany(
            "INSERT INTO token_buckets(scope, bucket_start, tokens, held) VALUES(?, ?, ?, ?) ON CONFLICT DO"
            " UPDATE SET tokens = tokens + excluded.tokens, held = held + excluded.held",
            [(demand.scope, start, piece, piece if held else 0) for start, piece in pieces.items()],
        )
        return
    tx.executemany(
        "UPDATE token_buckets SET tokens = max(0, tokens - ?), held = max(0, held - ?)"
        " WHERE scope = ? AND bucket_start = ?",
        [(piece, piece if held else 0, demand.scope, start) for start, piece in pieces.items()],
    )


def _forget(tx: Tx, scope: str, now: float) -> None:
    """Drop the slices that no minute touches any more, and those who were waiting a while ago."""
    tx.execute(
        "DELETE FROM token_buckets WHERE scope = ? AND bucket_start < ?", (scope, pace.slice_of(now) - pace.WINDOW)
    )
    tx.execute("DELETE FROM waiting WHERE scope = ? AND seen < ?", (scope, now - pace.WINDOW))
