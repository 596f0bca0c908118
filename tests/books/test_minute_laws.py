"""What holds in the sliding minute whoever asks, waits, sleeps or leaves, under whatever limits."""

import os
import sqlite3
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.guards.pace import APART, MOST_PIECES, SLICE_S, WINDOW, Demand, place, spread
from agentctl.journal import pace, schema
from agentctl.journal.admission import Granted, Wait
from agentctl.journal.pace import UNHEARD_S
from tests.books.minute import LIMIT, TOKENS, USD, Minute

amounts = st.one_of(
    st.integers(1, LIMIT // 4), st.just(LIMIT), st.integers(1, LIMIT), st.integers(LIMIT + 1, 4 * LIMIT)
)
books = st.dictionaries(st.integers(-30, 60).map(lambda n: n * SLICE_S), st.integers(0, LIMIT), max_size=40)


@given(amount=amounts, booked=books, earliest=st.integers(-5, 5).map(lambda n: n * SLICE_S))
def test_a_place_is_found_at_most_a_minute_after_the_last_booking(amount, booked, earliest):
    """Nobody starves: what is booked already is all that anybody waits for."""
    last = max([earliest, *(start for start, held in booked.items() if held)])

    assert earliest <= place(Demand(TOKENS, amount, LIMIT), booked, earliest) <= last + APART


@given(amount=st.integers(0, 50 * LIMIT), limit=st.integers(0, LIMIT))
def test_an_amount_is_spread_whole_and_within_the_limit(amount, limit):
    """But for what would be owed for longer than an hour."""
    pieces = spread(amount, limit, 100)

    assert len(pieces) <= MOST_PIECES
    assert all(0 < piece <= max(1, limit) for piece in pieces.values())
    if amount <= MOST_PIECES * limit:
        assert amount == sum(pieces.values())


moves = st.one_of(
    st.tuples(st.just("ask"), amounts, st.just(0) | st.integers(0, LIMIT)),
    st.tuples(st.just("pass"), st.sampled_from((0.1, 0.1, 3.0, 64.0, 130.0)), st.just(0)),
    st.tuples(st.just("again"), st.sampled_from((0.0, 0.0, 1.0, 4.9, 8.0, 70.0)), st.integers(0, 9)),
    st.tuples(st.just("settle"), st.sampled_from((0.0, 0.0, 0.1, 1.0)), st.integers(0, 9)),
    st.tuples(st.just("leave"), st.just(0), st.integers(0, 9)),
)


@settings(deadline=None, max_examples=int(os.environ.get("AGENTCTL_MINUTES", "150")), derandomize=True)
@given(st.lists(moves, max_size=60))
def test_no_minute_ever_holds_more_than_the_limit_whoever_asks_waits_sleeps_or_leaves(played):
    """C21 H5: tokens and dollars, reserved before, corrected after, never negative; and everybody gets a turn."""
    tx = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.make(tx)
        World(tx).play(played)
    finally:
        tx.close()


LIMITS = (1, 10, 400, LIMIT, 3 * LIMIT)
mixed = st.tuples(st.sampled_from(LIMITS), st.integers(1, 4 * LIMIT), st.sampled_from((0.0, 0.1, 5.0, 30.0, 70.0)))


@settings(deadline=None, max_examples=int(os.environ.get("AGENTCTL_MINUTES", "150")), derandomize=True)
@given(st.lists(st.tuples(mixed, st.sampled_from((0.0, 0.1, 1.0))), max_size=30))
def test_policies_of_many_limits_keep_each_its_own_and_none_waits_for_what_a_tiny_one_owes(played):
    """C21 G16 A61: by what really went in sixty seconds; and the largest call waits for minutes, not for an hour."""
    tx = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.make(tx)
        minute, made = Minute(tx), []
        for (limit, amount, later), share in played:
            minute.now += later
            lately = sum(tokens for at, tokens in made if minute.now - 60 <= at)
            if isinstance(minute.ask(amount, limit=limit, who="r"), Granted):
                assert lately + amount <= limit or not lately, "only an over-size call, alone"
                minute.settle(minute.count, int(amount * share))
                made.append((minute.now, int(amount * share)))
            pace.leave(tx, "r")
        largest = minute.ask(3 * LIMIT + 1, limit=3 * LIMIT, who="r")
        spent = sum(tokens for _, tokens in made)
        assert isinstance(largest, Granted) or largest.seconds <= (spent // (3 * LIMIT) + 2) * APART
    finally:
        tx.close()


@dataclass
class Waiter:
    """Who stands in the queue, and when it was heard of."""

    who: str
    since: float
    wanted: tuple[int, int]
    seen: float


class World(Minute):
    """Calls beside a plain account of them: when each began, and what it counts for."""

    def __init__(self, tx: sqlite3.Connection) -> None:
        super().__init__(tx)
        self.made: dict[int, tuple[float, int, int]] = {}
        self.open: list[int] = []
        self.waiting: list[Waiter] = []

    def play(self, played) -> None:
        for move, first, second in played:
            getattr(self, f"do_{move}")(first, second)
            self.check()
        self.drain()

    def do_ask(self, tokens: int, usd: int) -> None:
        self.turn(Waiter(f"r_{self.count + 1}", self.now, (tokens, usd), self.now))

    def do_pass(self, seconds: float, _: int) -> None:
        self.now += seconds

    def do_again(self, later: float, which: int) -> None:
        self.now += later
        if self.waiting:
            self.turn(self.waiting.pop(which % len(self.waiting)))

    def do_settle(self, share: float, which: int) -> None:
        if self.open:
            hold = self.open.pop(which % len(self.open))
            at, tokens, usd = self.made[hold]
            self.made[hold] = (at, int(tokens * share), int(usd * share))
            self.settle(hold, *self.made[hold][1:])

    def do_leave(self, _: int, which: int) -> None:
        if self.waiting:
            pace.leave(self.tx, self.waiting.pop(which % len(self.waiting)).who)

    def turn(self, one: Waiter) -> float:
        """It asks, and goes or waits; the seconds that it was told."""
        answer = self.ask(*one.wanted, who=one.who, since=one.since)
        if isinstance(answer, Wait):
            one.seen = self.now
            self.waiting.append(one)
            assert answer.seconds > 0
            return answer.seconds
        assert isinstance(answer, Granted)
        self.made[self.count] = (self.now, *one.wanted)
        self.open.append(self.count)
        for of in (1, 2):
            if one.wanted[of - 1]:
                self.fair(one, of)
        return 0.0

    def fair(self, one: Waiter, of: int) -> None:
        """No real minute has too much, nor has anybody gone before who came earlier and had no room beside it."""
        counted = sum(made[of] for made in self.made.values() if self.now - 60 <= made[0])
        heard = [each for each in self.waiting if self.now - UNHEARD_S <= each.seen]
        ahead = [each.wanted[of - 1] for each in heard if (each.since, each.who) < (one.since, one.who)]
        alone = counted == one.wanted[of - 1] and not sum(ahead)
        assert counted + sum(ahead) <= LIMIT or alone, "only an over-size call, alone"

    def drain(self) -> None:
        """Whoever still waits is let in when it is said, in the order of their coming."""
        for one in sorted(self.waiting, key=lambda each: (each.since, each.who)):
            self.waiting.remove(one)
            for _ in range(10):
                self.now += self.turn(one)
                if one not in self.waiting:
                    break
                self.waiting.remove(one)
            else:
                raise AssertionError(f"{one} waits for ever")
            self.check()
        assert set() == self.queue()

    def check(self) -> None:
        assert {each.who for each in self.waiting if self.now - WINDOW <= each.seen} <= self.queue()
        assert self.queue() <= {each.who for each in self.waiting}
        for scope in (TOKENS, USD):
            rows = self.rows(scope)
            assert all(held >= 0 for held in rows.values())
            for start in rows:
                assert sum(held for at, held in rows.items() if start <= at <= start + WINDOW) <= LIMIT
