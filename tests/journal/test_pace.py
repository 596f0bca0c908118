"""The sliding minute in the store: a queue, booked once for all that a call takes, corrected, forgotten in time."""

import pytest

from agentctl.core.guards.pace import Demand
from agentctl.journal import pace
from agentctl.journal.pace import MOST_STALE, Booking, Place, TooLong, Wait, Window

TOKENS, USD = "tokens_per_minute:x", "usd_per_minute:x"


def tokens(amount: int) -> Demand:
    return Demand(TOKENS, amount, 100)


def usd(amount: int) -> Demand:
    return Demand(USD, amount, 1_000)


@pytest.fixture
def book(store):
    """Ask for room, as `who`, who has been waiting `since`; each call is a transaction of its own."""

    def call(now, *demands, who="r_1", since=None, most=120.0):
        place = Place(who, now if since is None else since)
        return store.write(lambda tx: pace.ask(tx, place, demands, now, most) or pace.take(tx, demands, now))

    return call


@pytest.fixture
def used(store):
    return lambda scope, now: store.read(lambda tx: pace.used(tx, scope, now))


@pytest.fixture
def correct(store):
    return lambda booking, actual: store.write(lambda tx: pace.correct(tx, [(booking, actual)]))


def test_a_call_is_booked_when_all_that_it_takes_has_room(book, used):
    """C21: tokens and dollars."""
    book(1_000.0, tokens(10), usd(950))
    wait = book(1_001.0, tokens(10), usd(100), who="r_2")

    assert Wait(usd(100), 64.0) == wait
    assert (10, 950) == (used(TOKENS, 1_004.0), used(USD, 1_004.0))
    assert [Booking(tokens(10), 1_065), Booking(usd(100), 1_065)] == list(
        book(1_065.0, tokens(10), usd(100), who="r_2", since=1_001.0)
    )


def test_who_waits_moves_up_when_something_is_given_back(book, correct):
    """A20, A61: most of what is reserved is not used."""
    (first,) = book(1_000.0, tokens(90))
    assert isinstance(book(1_000.5, tokens(90), who="r_2"), Wait)

    correct(first, 5)

    assert isinstance(book(1_001.5, tokens(90), who="r_2", since=1_000.5), tuple)


def test_who_came_first_goes_first_however_little_the_others_ask_for(book, correct):
    (first,) = book(1_000.0, tokens(60))
    assert isinstance(book(1_001.0, tokens(70), who="large"), Wait)
    assert isinstance(book(1_002.0, tokens(35), who="small"), Wait)

    correct(first, 10)

    assert isinstance(book(1_003.0, tokens(35), who="small", since=1_002.0), Wait)
    assert isinstance(book(1_003.0, tokens(70), who="large", since=1_001.0), tuple)


def test_there_is_room_for_those_behind_as_soon_as_all_before_them_fit_too(book):
    book(1_000.0, tokens(101), who="over")
    assert isinstance(book(1_001.0, tokens(40), who="a"), Wait)
    assert isinstance(book(1_001.0, tokens(40), who="b", since=1_001.5), Wait)

    assert isinstance(book(1_131.0, tokens(40), who="b", since=1_001.5), tuple)


def test_who_died_in_the_queue_is_passed_by(book):
    book(1_000.0, tokens(60))
    assert isinstance(book(1_001.0, tokens(90), who="dead"), Wait)
    assert isinstance(book(1_002.0, tokens(20), who="alive"), Wait)

    assert isinstance(book(1_007.0, tokens(20), who="alive", since=1_002.0), tuple)


def test_who_leaves_the_queue_is_waited_for_by_nobody(book, store):
    book(1_000.0, tokens(60))
    assert isinstance(book(1_001.0, tokens(90), who="gone"), Wait)
    store.write(lambda tx: pace.leave(tx, "gone"))

    assert isinstance(book(1_002.0, tokens(20)), tuple)


def test_what_is_sure_to_take_too_long_is_refused_at_once_with_the_seconds(book, correct, used):
    (huge,) = book(1_000.0, tokens(250))
    correct(huge, 250)
    refused = book(1_002.0, usd(5), tokens(60), who="r_2")

    assert TooLong(tokens(60), 193.0) == refused
    assert 0 == used(USD, 1_002.0)


def test_what_may_be_given_back_is_waited_for_up_to_the_limit(book):
    book(1_000.0, tokens(250))
    assert isinstance(book(1_002.0, tokens(60), who="r_2"), Wait)
    refused = book(1_122.0, tokens(60), who="r_2", since=1_002.0)

    assert isinstance(refused, TooLong)
    assert refused.seconds > 120


def test_what_was_not_used_is_free_again_and_what_was_too_much_is_owed(book, correct, used):
    """A19, C22"""
    (booking,) = book(1_000.0, tokens(80))
    correct(booking, 30)
    assert 30 == used(TOKENS, 1_001.0)

    (other,) = book(1_001.0, tokens(70))
    correct(other, 130)

    assert 100 == used(TOKENS, 1_002.0)
    assert 60 == used(TOKENS, 1_066.0)


def test_a_failed_call_gives_back_all_of_it(book, correct):
    (booking,) = book(1_000.0, tokens(250))
    correct(booking, 0)

    assert (Booking(tokens(100), 1_000),) == book(1_001.0, tokens(100), most=0.0)


def test_what_is_corrected_after_it_was_forgotten_is_not_made_again(book, correct, store):
    (booking,) = book(1_000.0, tokens(80))
    for now in range(1_005, 2_000, 5):
        book(float(now), tokens(1))
    correct(booking, 50)

    assert [] == store.read(lambda tx: tx.execute("SELECT * FROM token_buckets WHERE bucket_start < 1100").fetchall())


def test_slices_that_no_minute_touches_are_dropped(book, store):
    for now in range(1_000, 3_000, 5):
        book(float(now), tokens(1))
    (rows,) = store.read(lambda tx: tx.execute("SELECT count(*) FROM token_buckets").fetchone())

    assert rows <= 13 + MOST_STALE


def test_nothing_asked_for_is_nothing_booked(book):
    assert () == book(1_000.0, most=0.0)


def test_what_is_under_way_is_told_apart_from_what_was_used(book, correct, store):
    (done,) = book(1_000.0, tokens(40))
    correct(done, 25)
    book(1_001.0, tokens(30), who="r_2")

    assert [Window(TOKENS, 25, 30, 100)] == store.read(lambda tx: pace.windows(tx, 1_002.0))
