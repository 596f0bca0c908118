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
from collections.abc import Sequence
from dataclasses import dataclass

from agentctl.core.guards.pace import Demand
from agentctl.journal import circuits, ledger, pace
from agentctl.journal.circuits import Ask
from agentctl.journal.ledger import Refused, Scope
from agentctl.journal.pace import Booking, Place, TooLong, Wait
from agentctl.journal.tx import Tx


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
    if request.circuit is not None:
        standing = circuits.told(tx, request.circuit.name, request.circuit.rules, now)
        if standing.phase == "open":
            pace.leave(tx, request.run_id)
            return Open(standing.until)
    place = Place(request.run_id, now if request.since is None else request.since)
    booked = pace.book(tx, place, request.demands, now, request.max_wait_s)
    if not isinstance(booked, tuple):
        return booked
    refused = ledger.reserve(tx, request.hold_id, request.run_id, request.amount, request.scopes, now=now)
    if refused is not None:
        for booking in booked:
            pace.correct(tx, booking, 0)
        return refused
    if booked:
        _keep(tx, request.hold_id, booked)
    probes = request.circuit is not None and circuits.take(tx, request.circuit, now).phase == "half_open"
    return Granted(probes)


def settle(tx: Tx, hold_id: str, micro: int, tokens: int) -> None:
    """What the call came to: money in the ledger, tokens and money in its minute."""
    if not ledger.settle(tx, hold_id, micro):
        return
    for booking in _kept(tx, hold_id):
        pace.correct(tx, booking, tokens if booking.demand.scope.startswith("tokens") else micro)


def _keep(tx: Tx, hold_id: str, booked: Sequence[Booking]) -> None:
    rows = [(one.demand.scope, one.demand.amount, one.demand.limit, one.at) for one in booked]
    tx.execute("UPDATE holds SET pace = ? WHERE hold_id = ?", (json.dumps(rows), hold_id))


def _kept(tx: Tx, hold_id: str) -> list[Booking]:
    (text,) = tx.execute("SELECT pace FROM holds WHERE hold_id = ?", (hold_id,)).fetchone()
    return [Booking(Demand(scope, amount, limit), at) for scope, amount, limit, at in json.loads(text)]
