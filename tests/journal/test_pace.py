"""The sliding minute in the store: booked once for all that a call takes, corrected afterwards, forgotten in time."""

import pytest

from agentctl.core.guards.pace import Demand
from agentctl.journal import pace
from agentctl.journal.pace import Booking, TooLong

TOKENS, USD = "tokens_per_minute:x", "usd_per_minute:x"


def tokens(amount: int) -> Demand:
    return Demand(TOKENS, amount, 100)


def usd(amount: int) -> Demand:
    return Demand(USD, amount, 1_000)


@pytest.fixture
def tx(store):
    """Each call is a transaction of its own."""

    def call(function, *args, **more):
        return store.write(lambda tx: function(tx, *args, **more))

    return call


def test_a_call_is_booked_where_all_that_it_takes_has_room(tx):
    """C21: tokens and dollars."""
    tx(pace.book, [tokens(10), usd(950)], 1_000.0, 120.0)
    first, second = tx(pace.book, [tokens(10), usd(100)], 1_001.0, 120.0)

    assert [usd(100), tokens(10)] == [first.demand, second.demand], "the one that is waited for comes first"
    assert (1_065, 1_065) == (first.at, second.at)
    assert (10, 950) == (tx(pace.used, TOKENS, 1_004.0), tx(pace.used, USD, 1_004.0))


def test_who_would_wait_too_long_is_told_for_how_long_and_books_nothing(tx):
    tx(pace.book, [tokens(250)], 1_000.0, 120.0)
    refused = tx(pace.book, [usd(5), tokens(60)], 1_002.0, 120.0)

    assert TooLong(tokens(60), 193.0) == refused
    assert 0 == tx(pace.used, USD, 1_002.0)


def test_what_was_not_used_is_free_again_and_what_was_too_much_is_owed(tx):
    """A19, C22"""
    (booking,) = tx(pace.book, [tokens(80)], 1_000.0, 120.0)
    tx(pace.correct, booking, 30)
    assert 30 == tx(pace.used, TOKENS, 1_001.0)

    (other,) = tx(pace.book, [tokens(70)], 1_001.0, 120.0)
    tx(pace.correct, other, 130)

    assert 130 == tx(pace.used, TOKENS, 1_002.0)
    assert 160 == tx(pace.used, TOKENS, 1_066.0) + 130


def test_a_failed_call_gives_back_all_of_it(tx):
    (booking,) = tx(pace.book, [tokens(250)], 1_000.0, 120.0)
    tx(pace.correct, booking, 0)

    assert Booking(tokens(100), 1_000) == tx(pace.book, [tokens(100)], 1_001.0, 0.0)[0]


def test_slices_that_no_minute_touches_are_dropped(tx):
    for now in range(1_000, 3_000, 5):
        tx(pace.book, [tokens(1)], float(now), 120.0)
    (rows,) = tx(lambda tx: tx.execute("SELECT count(*) FROM token_buckets").fetchone())

    assert rows <= 13


def test_nothing_asked_for_is_nothing_booked(tx):
    assert () == tx(pace.book, [], 1_000.0, 0.0)
