"""The sliding minute of each provider, shared by all runs of a store: what is booked, slice by slice, and who waits.

A booking is made when a call is let go, and corrected when it is over. It is never forgotten before its minute is
over, nor before what it owes is paid: what nobody corrects (its process died) counts as it was booked.
`core/guards/pace.py` says what fits, and what of a booking counts when.

A slice holds all that began in it, over-size calls too, and the limit of the last booking; while it holds more than
that, it keeps the limit that it is paid off at.

Who has to wait stands in a queue and asks again every second or so; nobody is let go before those who came earlier
and are still heard of. So a queue moves up as soon as something is given back, and a process that died in it is
passed by within a few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentctl.core.guards import pace
from agentctl.core.guards.pace import Demand
from agentctl.journal.tx import Tx
from agentctl.records import dataclass

UNHEARD_S = 5.0
"""Who has not asked for so long waits no more."""
MOST_STALE = 12
"""So many slices and waiters that are over may stay: to forget them at each call would cost as much as booking."""


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
class Window:
    """A minute for people, in tokens or micro-dollars."""

    scope: str
    used: int
    """In the minute that ends now."""
    later: int
    """Held or owed."""
    limit: int | None
    """That of the last booking, or that a debt is paid off at; None: a version of before made it."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """Nothing is booked: it would be waited for longer than anybody may."""

    demand: Demand
    seconds: float


def ask(tx: Tx, place: Place, demands: Sequence[Demand], now: float, max_wait_s: float) -> Wait | TooLong | None:
    """None: there is room for all of it, and its place in the queue is given up. Else it waits for the slowest."""
    at = pace.slice_of(now)
    limits = {demand.scope: demand.limit for demand in demands}
    minutes, queued, stale = _look(tx, limits, place, now)
    if stale >= MOST_STALE:
        _forget(tx, limits, now)
    waits = [(_wait(minutes[demand.scope], demand, now), demand) for demand in demands]
    seconds, slowest = max(waits, key=lambda each: each[0], default=(0.0, None))
    if slowest is None or seconds <= 0:
        if queued:
            leave(tx, place.owner)
        return None
    waited = max(0.0, now - place.since)
    certain = max(_certain(minutes[demand.scope], demand, at, now) for demand in demands)
    if waited >= max_wait_s or waited + certain > max_wait_s:
        leave(tx, place.owner)
        return TooLong(slowest, waited + seconds)
    tx.executemany(
        "INSERT INTO waiting(scope, owner, since, amount, seen) VALUES(?, ?, ?, ?, ?)"
        " ON CONFLICT(scope, owner) DO UPDATE SET"
        " since = excluded.since, amount = excluded.amount, seen = excluded.seen",
        [(demand.scope, place.owner, place.since, _taken(demand), now) for demand in demands],
    )
    return Wait(slowest, seconds)


def take(tx: Tx, demands: Sequence[Demand], now: float) -> tuple[Booking, ...]:
    """Book every demand into the slice of now."""
    at = pace.slice_of(now)
    tx.executemany(
        "INSERT INTO token_buckets(scope, bucket_start, tokens, held, most) VALUES(?, ?, ?, ?, ?)"
        " ON CONFLICT(scope, bucket_start) DO UPDATE SET"
        " tokens = token_buckets.tokens + excluded.tokens, held = token_buckets.held + excluded.held, most ="
        " CASE WHEN token_buckets.tokens > token_buckets.most THEN token_buckets.most ELSE excluded.most END",
        [(demand.scope, at, demand.amount, demand.amount, demand.limit) for demand in demands],
    )
    return tuple(Booking(demand, at) for demand in demands)


def leave(tx: Tx, owner: str) -> None:
    """Wait no more."""
    tx.execute("DELETE FROM waiting WHERE owner = ?", (owner,))


def correct(tx: Tx, corrections: Sequence[tuple[Booking, int]]) -> None:
    """What each came to; 0: the call was not made, or failed and is not counted."""
    tx.executemany(
        "UPDATE token_buckets SET tokens = max(0, tokens - ?) + ?, held = max(0, held - ?)"
        " WHERE scope = ? AND bucket_start = ?",
        [
            (booking.demand.amount, actual, booking.demand.amount, booking.demand.scope, booking.at)
            for booking, actual in corrections
        ],
    )


def used(tx: Tx, scope: str, now: float) -> int:
    """What counts against the minute that ends now, to those under the limits that it was booked under."""
    at = pace.slice_of(now)
    minute = _look(tx, {scope: 0}, Place("", now), now)[0][scope]
    return sum(amount for start, amount in minute.booked.items() if at - pace.WINDOW <= start <= at)


def windows(tx: Tx, now: float) -> list[Window]:
    """Where anything is booked, by scope."""
    at = pace.slice_of(now)
    rows = tx.execute(
        "SELECT scope, bucket_start, tokens, held, most FROM token_buckets"
        " WHERE bucket_start BETWEEN ? AND ? AND tokens > 0 ORDER BY scope, bucket_start",
        (at - pace.MOST_PIECES * pace.APART, at + pace.WINDOW),
    )
    found: dict[str, Window] = {}
    for scope, start, tokens, held, most in rows.fetchall():
        booked, settled = (pace.pieces(amount, most, 0, start) for amount in (tokens, tokens - held))
        left = sum(piece for begin, piece in booked.items() if begin >= at - pace.WINDOW)
        used = sum(piece for begin, piece in settled.items() if at - pace.WINDOW <= begin <= at)
        if left:
            before = found.get(scope, Window(scope, 0, 0, None))
            found[scope] = Window(scope, before.used + used, before.later + left - used, most)
    return list(found.values())


@dataclass(slots=True)
class _Minute:
    """One scope as it stands, to who asks."""

    booked: dict[int, int]
    """By slice."""
    certain: dict[int, int]
    """The same without what is held by calls under way."""
    ahead: int = 0
    """What those take who came earlier and still wait."""


def _look(tx: Tx, limits: Mapping[str, int], place: Place, now: float) -> tuple[dict[str, _Minute], bool, int]:
    """Every scope as it counts under these limits, whether who asks stands in a queue, and how much is over.

    A slice that begins more than a minute from now is left out: the clock was set back.
    """
    at, scopes = pace.slice_of(now), tuple(limits)
    minutes, oldest, newest = {scope: _Minute({}, {}) for scope in scopes}, at - pace.WINDOW, at + pace.WINDOW
    among, stale, queued = ", ".join("?" * len(scopes)) or "NULL", 0, False
    for scope, start, tokens, held, most in tx.execute(
        f"SELECT scope, bucket_start, tokens, held, most FROM token_buckets WHERE scope IN ({among})",  # noqa: S608  # marks
        scopes,
    ):
        if start < oldest and pace.over(tokens, most, start) < oldest:
            stale += 1
        elif start > newest or not tokens:
            continue
        elif most is None or tokens <= most:  # nothing is owed: nearly always, and so without detours
            booked, certain = minutes[scope].booked, minutes[scope].certain
            booked[start] = booked.get(start, 0) + tokens
            certain[start] = certain.get(start, 0) + tokens - held
        else:
            _owed(minutes[scope].booked, pace.pieces(tokens, most, limits[scope], start))
            _owed(minutes[scope].certain, pace.pieces(tokens - held, most, limits[scope], start))
    for scope, owner, since, amount, seen in tx.execute(
        f"SELECT scope, owner, since, amount, seen FROM waiting WHERE scope IN ({among})",  # noqa: S608  # marks
        scopes,
    ):
        if owner == place.owner:
            queued = True
        elif abs(now - seen) <= UNHEARD_S:
            minutes[scope].ahead += amount if (since, owner) < (place.since, place.owner) else 0
        elif seen < now - pace.WINDOW:
            stale += 1
    return minutes, queued, stale


def _wait(minute: _Minute, demand: Demand, now: float) -> float:
    """Seconds until there would be room, as things stand."""
    at = pace.slice_of(now)
    if pace.fits(demand, minute.booked, at, minute.ahead):
        return 0.0
    return max(pace.place(demand, minute.booked, at, minute.ahead) - now, 1.0)


def _certain(minute: _Minute, demand: Demand, at: int, now: float) -> float:
    """Seconds that are waited for even if all that is under way was given back."""
    if pace.fits(demand, minute.certain, at):
        return 0.0
    return pace.place(demand, minute.certain, at) - now


def _owed(booked: dict[int, int], pieces: Mapping[int, int]) -> None:
    for start, piece in pieces.items():
        booked[start] = booked.get(start, 0) + piece


def _taken(demand: Demand) -> int:
    """What those behind it make way for: under a tiny limit less than its amount."""
    return min(demand.amount, pace.MOST_PIECES * max(1, demand.limit))


def _forget(tx: Tx, limits: Mapping[str, int], now: float) -> None:
    """Drop the slices that nothing is counted or owed of any more, and those who were waiting a while ago."""
    oldest, unheard = pace.slice_of(now) - pace.WINDOW, now - pace.WINDOW
    tx.executemany(
        "DELETE FROM token_buckets WHERE scope = ? AND bucket_start < ? - ? *"  # as `pace.over` says
        " CASE WHEN most IS NULL THEN 0 ELSE min(?, max(0, tokens - 1) / max(1, most)) END",
        [(scope, oldest, pace.APART, pace.MOST_PIECES - 1) for scope in limits],
    )
    tx.executemany("DELETE FROM waiting WHERE scope = ? AND seen < ?", [(scope, unheard) for scope in limits])
