"""What one model call asks of the books that all runs share: the circuit, the minute, the money.

One transaction, in this order; whatever refuses leaves nothing behind but a place in the queue for the minute.

    admit ─▶ Open       the circuit is open: somebody else is asked
          ─▶ TooLong    the minute is full for longer than anybody may wait
          ─▶ Wait       the minute is full: ask again in a second, under the same place
          ─▶ Refused    a budget has no room
          ─▶ Granted    circuit, minute and money are taken: call, then `settle`
"""

from __future__ import annotations

import json

from agentctl.core.guards.circuit import CLOSED
from agentctl.core.guards.pace import Demand, slice_of
from agentctl.journal import circuits, ledger, pace
from agentctl.journal.circuits import Ask
from agentctl.journal.ledger import Refused, Scope
from agentctl.journal.pace import Booking, Place, TooLong, Wait
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One model call, before it is made."""

    hold_id: str
    run_id: str
    amount: int
    """Micro-dollars, at the worst."""
    scopes: tuple[Scope, ...]
    circuit: Ask | None
    demands: tuple[Demand, ...] = ()
    """What it takes from the minute."""
    max_wait_s: float = 0.0
    since: float | None = None
    """When it was first asked for; None: just now."""


@dataclass(frozen=True, slots=True)
class Open:
    """The circuit is open."""

    until: float


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may be made now."""

    probe: bool


Answer = Open | TooLong | Wait | Refused | Granted


def admit(tx: Tx, request: Request, now: float) -> Answer:
    """See the module."""
    found = CLOSED
    if request.circuit is not None:
        found = circuits.read(tx, request.circuit.name)
        standing = circuits.standing(request.circuit.rules, found, now)
        if standing.phase == "open":
            pace.leave(tx, request.run_id)
            return Open(standing.until)
    place = Place(request.run_id, now if request.since is None else request.since)
    wait = pace.ask(tx, place, request.demands, now, request.max_wait_s) if request.demands else None
    if wait is not None:
        return wait
    beside = json.dumps([(one.scope, one.amount, one.limit, slice_of(now)) for one in request.demands])
    refused = ledger.reserve(
        tx, request.hold_id, request.run_id, request.amount, request.scopes, now=now, beside=beside
    )
    if refused is not None:
        return refused
    if request.demands:
        pace.take(tx, request.demands, now)
    probes = request.circuit is not None and circuits.probe(tx, request.circuit, found, now)
    return Granted(probes)


def settle(tx: Tx, hold_id: str, micro: int, tokens: int) -> None:
    """What the call came to: money in the ledger, tokens and money in its minute."""
    kept = ledger.settled(tx, hold_id, micro)
    booked = [Booking(Demand(*demand), at) for *demand, at in json.loads(kept or "[]")]
    if booked:
        spent = [tokens if booking.demand.scope.startswith("tokens") else micro for booking in booked]
        pace.correct(tx, list(zip(booked, spent, strict=True)))
