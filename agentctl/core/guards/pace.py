"""How fast all runs on a store may use one provider: a sliding minute, asked before each call.

Time is counted in slices of 5 s, of which a minute can touch 13. A booking goes into the first slice from which on no
13 slices in a row hold more than the limit, and never before a booking that was made earlier: who came first goes
first. `journal/pace.py` keeps the slices, shared by all runs; what a run was told is a fact of it (`Waited`).

What is larger than the whole limit goes alone, and what it is too large by is booked into the minutes after it: a
debt that later calls wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentctl.core.bounds import Count, Seconds, Usd, table
from agentctl.core.events import Resumed, Stamped, Waited


@table
class Rules:
    """The policy's `[pace]`."""

    enabled: bool = True
    """False is printed at every start."""
    tokens_per_minute: Count = 40_000
    """Uncached input and output tokens in any 60 s. A11, C61"""
    usd_per_minute: Usd = 2.00
    """USD in any 60 s. A11, C62"""
    overhead_tokens: Count = 200
    """Tokens added to each reservation. A18"""
    max_wait_s: Seconds = 120.0
    """A longer wait is refused at once."""


SLICE_S = 5
WINDOW = 12 * SLICE_S
"""A slice counts for every minute that it touches: those that begin up to so many seconds later."""
APART = WINDOW + SLICE_S
"""No minute touches two slices that are so far apart."""
MOST_PIECES = 1_440
"""No debt is longer than about a day, whatever the limit: a limit of less than a micro-dollar is rounded to none."""


@dataclass(frozen=True, slots=True)
class State:
    """Whether the last call had to wait longer than anybody may. Bound: constant."""

    refused: str = ""
    """What it would have waited for."""
    seconds: float = 0.0


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case Waited(reason=reason, seconds=seconds, refused=True):
            return State(reason, seconds)
        case Resumed() if state.refused:
            return State()
        case _:
            return state


def check(rules: Rules, state: State) -> str:
    """Why the run stops here, in the sentence of the contract; empty: it does not."""
    if not rules.enabled or not state.refused:
        return ""
    why = f"the next call would wait {state.seconds:.0f}s for {state.refused}, over max_wait_s of {rules.max_wait_s:g}s"
    return f"Could not complete: {why}. Please try a more specific query."


# --- The sliding minute ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call takes from one window."""

    scope: str
    """`tokens_per_minute:` or `usd_per_minute:` and the provider's identity for pace."""
    amount: int
    """Tokens, or micro-dollars."""
    limit: int


def slice_of(now: float) -> int:
    """The slice that a moment is in, by its start."""
    return int(now // SLICE_S) * SLICE_S


def place(demand: Demand, booked: Mapping[int, int], earliest: int) -> int:
    """The first slice from `earliest` on in which there is room, given what is booked already."""
    at = max(earliest, max((start for start, amount in booked.items() if amount), default=earliest))
    while not _fits(demand, booked, at):
        at += SLICE_S
    return at


def _fits(demand: Demand, booked: Mapping[int, int], at: int) -> bool:
    used = sum(amount for start, amount in booked.items() if at - WINDOW <= start <= at)
    return used == 0 or used + demand.amount <= demand.limit


def spread(amount: int, limit: int, at: int) -> dict[int, int]:
    """The slices that an amount is booked into: its own, and one in each later minute for what is too much."""
    piece = max(1, limit)
    pieces: dict[int, int] = {}
    while amount > 0 and len(pieces) < MOST_PIECES:
        pieces[at] = min(amount, piece)
        amount -= piece
        at += APART
    return pieces
