"""How fast all runs on a store may use one provider: a sliding minute, asked before each call.

Time is counted in slices of 5 s, of which a minute can touch 13. A call is booked at its worst into the slice of now,
if no 13 slices in a row hold more than the limit then, and corrected when it is over: who waits asks again meanwhile,
since most of what was booked is given back. Who came first goes first. `journal/pace.py` keeps the slices and the
queue, shared by all runs; what a run was told is a fact of it (`Waited`).

What is larger than the whole limit goes alone and leaves a debt that later calls wait for. It is booked whole, where it
was made; whoever asks sees what is too much for one minute in the minutes after it, paid off at the larger of two
limits, the one that it was booked under and that of who asks. So what a policy with a tiny limit owes for an hour
holds up its own calls; to a policy with a larger limit on the same key it is what it really was, a call of one minute
or a few. Nobody of one limit ever sees more than that in any minute, but for the over-size call itself. G16, A61

A clock may be set back. A slice or a wait further ahead than it could be was written by a clock that has been set back
since, and is not believed: nobody waits for as long as the clock went back.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentctl.core import clock
from agentctl.core.bounds import Count, Seconds, Usd, table
from agentctl.core.events import Resumed, Stamped, Waited
from agentctl.records import dataclass, replace


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
MOST_PIECES = 60
"""A debt ends after about an hour: more says only that the limit is another's."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A wait that was too long."""

    until: float
    """When the provider may be asked again, in seconds since the epoch."""
    window: str
    seconds: float


@dataclass(frozen=True, slots=True)
class State:
    """The providers whose minute is full for longer than anybody may wait. Bound: the policy's providers."""

    rests: dict[str, Rest]


EMPTY = State({})


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case Waited(reason=window, seconds=seconds, refused=True, provider=provider):
            return State({**state.rests, provider: Rest(stamped.ts + seconds, window, seconds)})
        case Resumed():
            return EMPTY
        case _:
            return state


def check(rules: Rules, state: State, provider: str, now: float) -> float:
    """Seconds for which a provider's minute is too full to wait for; 0: it may be asked."""
    rest = state.rests.get(provider)
    if not rules.enabled or rest is None:
        return 0.0
    left = rest.until - now
    return left if 0 < left <= rest.seconds + clock.SKEW_S else 0.0


def message(rules: Rules, rest: Rest) -> str:
    """Why a run stops that nobody else can answer."""
    why = f"the next call would wait {rest.seconds:.0f}s for {rest.window}, over max_wait_s of {rules.max_wait_s:g}s"
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


def fits(demand: Demand, booked: Mapping[int, int], at: int, ahead: int = 0) -> bool:
    """Whether a call may be booked into a slice, beside what is booked and behind those who wait for `ahead`."""
    if demand.amount > demand.limit:
        return not ahead and not any(amount for start, amount in booked.items() if start >= at - WINDOW)
    most = demand.limit - demand.amount - ahead
    near = [(start, amount) for start, amount in booked.items() if at - WINDOW <= start <= at + WINDOW]
    begins = {at, *(start for start, _ in near if start <= at)}
    return all(sum(amount for at, amount in near if begin <= at <= begin + WINDOW) <= most for begin in begins)


def place(demand: Demand, booked: Mapping[int, int], earliest: int, ahead: int = 0) -> int:
    """The first slice from `earliest` on in which there would be room if nothing more was booked or given back."""
    total = demand.amount + ahead
    minutes, alone = max(0, total - 1) // max(1, demand.limit), demand.amount > demand.limit
    wanted = demand if alone else replace(demand, amount=min(total, demand.limit))
    at = earliest
    while not fits(wanted, booked, at):
        at += SLICE_S
    return at + (0 if alone else minutes * APART)


def spread(amount: int, limit: int, at: int) -> dict[int, int]:
    """The slices that an amount is booked into: its own, and one in each later minute for what is too much."""
    piece = max(1, limit)
    pieces: dict[int, int] = {}
    while amount > 0 and len(pieces) < MOST_PIECES:
        pieces[at] = min(amount, piece)
        amount -= piece
        at += APART
    return pieces


def pieces(amount: int, under: int | None, limit: int, at: int) -> dict[int, int]:
    """What is booked in a slice, as it counts for who asks under `limit`.

    `under`: the limit that it was booked under; None: nobody knows, and nothing of it is owed.
    """
    rate = amount if under is None else max(under, limit)
    return {at: amount} if amount <= rate else spread(amount, rate, at)


def over(amount: int, under: int | None, at: int) -> int:
    """The last slice that anything of a booking counts in, whoever asks. Bound: about an hour after it."""
    later = 0 if under is None else max(0, amount - 1) // max(1, under)
    return at + min(later, MOST_PIECES - 1) * APART
