"""The sliding minute of each provider, shared by all runs of a store: what is booked, slice by slice, and who waits.

A booking is made when a call is let go, and corrected when it is over. It is never forgotten before its minute is
over: what nobody corrects (its process died) counts as it was booked. `core/guards/pace.py` says what fits.

Who has to wait stands in a queue and asks again every second or so; nobody is let go before those who came earlier
and are still heard of. So a queue moves up as soon as something is given back, and a process that died in it is
passed by within a few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    """That of the last booking; None: a version of before made it."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """Nothing is booked: it would be waited for longer than anybody may."""

    demand: Demand
    seconds: float


def ask(tx: Tx, place: Place, demands: Sequence[Demand], now: float, max_wait_s: float) -> Wait | TooLong | None:
    """None: there is room for all of it, and its place in the queue is given up. Else it waits for the slowest."""
    at = pace.slice_of(now)
    scopes = [demand.scope for demand in demands]
    minutes, queued, stale = _look(tx, scopes, place, now)
    if stale >= MOST_STALE:
        _forget(tx, scopes, now)
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
        "INSERT INTO waiting(scope, owner, since, amount, seen) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO"
        " UPDATE SET since = excluded.since, amount = excluded.amount, seen = excluded.seen",
        [(demand.scope, place.owner, place.since, _taken(demand), now) for demand in demands],
    )
    return Wait(slowest, seconds)


def take(tx: Tx, demands: Sequence[Demand], now: float) -> tuple[Booking, ...]:
    """Book every demand into the slice of now."""
    at = pace.slice_of(now)
    pieces = [(demand, start, piece) for demand in demands for start, piece in _pieces(demand, demand.amount, at)]
    _add(tx, [(demand.scope, start, piece, piece, demand.limit) for demand, start, piece in pieces])
    return tuple(Booking(demand, at) for demand in demands)


def book(
    tx: Tx, place: Place, demands: Sequence[Demand], now: float, max_wait_s: float
) -> tuple[Booking, ...] | Wait | TooLong:
    """`ask`, and where there is room `take`."""
    return ask(tx, place, demands, now, max_wait_s) or take(tx, demands, now)


def leave(tx: Tx, owner: str) -> None:
    """Wait no more."""
    tx.execute("DELETE FROM waiting WHERE owner = ?", (owner,))


def correct(tx: Tx, corrections: Sequence[tuple[Booking, int]]) -> None:
    """What each came to; 0: the call was not made, or failed and is not counted."""
    changed: list[tuple[int, int, int, str, int]] = []
    beyond: list[tuple[str, int, int, int, int]] = []
    for booking, actual in corrections:
        demand = booking.demand
        real = dict(_pieces(demand, actual, booking.at))
        for start, piece in _pieces(demand, demand.amount, booking.at):
            changed.append((piece, real.pop(start, 0), piece, demand.scope, start))
        beyond += [(demand.scope, start, piece, 0, demand.limit) for start, piece in real.items()]
    tx.executemany(
        "UPDATE token_buckets SET tokens = max(0, tokens - ?) + ?, held = max(0, held - ?)"
        " WHERE scope = ? AND bucket_start = ?",
        changed,
    )
    if beyond:
        _add(tx, beyond)


def used(tx: Tx, scope: str, now: float) -> int:
    """What counts against the minute that ends now."""
    minutes, _, _ = _look(tx, [scope], Place("", now), now)
    at = pace.slice_of(now)
    return sum(amount for start, amount in minutes[scope].booked.items() if start <= at)


def windows(tx: Tx, now: float) -> list[Window]:
    """Where anything is booked."""
    at = pace.slice_of(now)
    rows = tx.execute(
        "SELECT scope, sum(CASE WHEN bucket_start <= ? THEN tokens - held ELSE 0 END),"
        " sum(CASE WHEN bucket_start > ? THEN tokens ELSE held END), most, max(bucket_start) FROM token_buckets"
        " WHERE bucket_start >= ? AND tokens > 0 GROUP BY scope ORDER BY scope",
        (at, at, at - pace.WINDOW),
    )
    return [Window(scope, int(used), int(later), most) for scope, used, later, most, _ in rows.fetchall()]


@dataclass(slots=True)
class _Minute:
    """One scope as it stands, to who asks."""

    booked: dict[int, int]
    """By slice."""
    certain: dict[int, int]
    """The same without what is held by calls under way."""
    ahead: int = 0
    """What those take who came earlier and still wait."""


def _look(tx: Tx, scopes: Sequence[str], place: Place, now: float) -> tuple[dict[str, _Minute], bool, int]:
    """Every scope, whether who asks stands in a queue, and how much there is that is over."""
    minutes, oldest = {scope: _Minute({}, {}) for scope in scopes}, pace.slice_of(now) - pace.WINDOW
    among, stale, queued = ", ".join("?" * len(scopes)), 0, False
    for scope, start, tokens, held in tx.execute(
        f"SELECT scope, bucket_start, tokens, held FROM token_buckets WHERE scope IN ({among})",  # noqa: S608  # marks
        scopes,
    ):
        if start < oldest:
            stale += 1
        elif tokens > 0:
            minutes[scope].booked[start] = tokens
            minutes[scope].certain[start] = tokens - held
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


def _pieces(demand: Demand, amount: int, at: int) -> list[tuple[int, int]]:
    return list(pace.spread(amount, demand.limit, at).items())


def _taken(demand: Demand) -> int:
    """What it will be booked for: under a tiny limit less than its amount."""
    return sum(piece for _, piece in _pieces(demand, demand.amount, 0))


def _add(tx: Tx, rows: Sequence[tuple[str, int, int, int, int]]) -> None:
    """Rows of scope, slice, amount, how much of it is held by a call under way, and the limit."""
    tx.executemany(
        "INSERT INTO token_buckets(scope, bucket_start, tokens, held, most) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO"
        " UPDATE SET tokens = tokens + excluded.tokens, held = held + excluded.held, most = excluded.most",
        rows,
    )


def _forget(tx: Tx, scopes: Sequence[str], now: float) -> None:
    """Drop the slices that no minute touches any more, and those who were waiting a while ago."""
    oldest, unheard = pace.slice_of(now) - pace.WINDOW, now - pace.WINDOW
    tx.executemany(
        "DELETE FROM token_buckets WHERE scope = ? AND bucket_start < ?", [(scope, oldest) for scope in scopes]
    )
    tx.executemany("DELETE FROM waiting WHERE scope = ? AND seen < ?", [(scope, unheard) for scope in scopes])
