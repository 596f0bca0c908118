"""The sliding minute that all runs share: what fits, who is next, what is given back. The clock is the test's."""

import sqlite3

import pytest

from agentctl.core.guards.circuit import Rules
from agentctl.core.guards.pace import APART, MOST_PIECES, Demand, slice_of
from agentctl.journal import circuits, pace, schema
from agentctl.journal.admission import Granted, Open, Wait
from agentctl.journal.circuits import Ask, Outcome
from agentctl.journal.ledger import Refused
from agentctl.journal.pace import UNHEARD_S, TooLong
from tests.books.minute import LIMIT, START, TOKENS, USD, Minute


@pytest.fixture
def minute():
    tx = sqlite3.connect(":memory:", isolation_level=None)
    schema.make(tx)
    yield Minute(tx)
    tx.close()


# --- Who is next ----------------------------------------------------------------------------------


def test_what_fits_goes_at_once_and_the_first_that_does_not_waits_until_it_does(minute):
    """A20 C19: throttled before anything is sent, not after a 429."""
    assert [Granted(probe=False)] * 2 == [minute.ask(500), minute.ask(500)]
    wait = minute.ask(1, who="r")

    assert Wait(Demand(TOKENS, 1, LIMIT), slice_of(START) + APART - START) == wait
    minute.now += wait.seconds - 0.1
    assert isinstance(minute.ask(1, who="r", since=START), Wait)
    minute.now += 0.1
    assert isinstance(minute.ask(1, who="r", since=START), Granted)
    assert set() == minute.queue()


def test_who_comes_later_goes_later_however_little_it_asks_for(minute):
    """First come, first served: a small call does not pass a large one that waits, but goes beside it."""
    minute.ask(500)
    assert isinstance(minute.ask(900, who="large", since=START), Wait)
    assert isinstance(minute.ask(101, who="small", since=START + 1), Wait)
    assert isinstance(minute.ask(100, who="smaller", since=START + 2), Wait)
    minute.settle(1, 0)

    assert isinstance(minute.ask(101, who="small", since=START + 1), Wait)
    pace.leave(minute.tx, "small")
    assert isinstance(minute.ask(100, who="smaller", since=START + 2), Granted)
    assert isinstance(minute.ask(900, who="large", since=START), Granted)


def test_whoever_came_first_two_that_need_it_alone_are_never_each_behind_the_other(minute):
    """Also where they come back with another moment than the one that they came with."""
    minute.ask(LIMIT)
    for later in (0.0, 0.5, 0.5):
        for number, who in enumerate(("a", "b")):
            moment = START + later + number / 10
            assert isinstance(minute.ask(LIMIT + 1, who=who, since=moment), Wait)
    minute.settle(1, 0)

    assert isinstance(minute.ask(LIMIT + 1, who="b", since=START + 0.6), Wait)
    assert isinstance(minute.ask(LIMIT + 1, who="a", since=START + 0.5), Granted)


def test_an_over_size_call_goes_alone_and_leaves_a_debt(minute):
    """G16: 75,000 tokens under a limit of 40,000 are neither refused nor free."""
    minute.ask(1)
    wait = minute.ask(2 * LIMIT + 500, who="large")
    assert isinstance(wait, Wait)

    minute.now += wait.seconds
    assert isinstance(minute.ask(2 * LIMIT + 500, who="large", since=START), Granted)
    began = slice_of(minute.now)
    assert {began: LIMIT, began + APART: LIMIT, began + 2 * APART: 500} == minute.rows()
    small, larger = minute.ask(500, who="s"), minute.ask(501, who="l", since=START)
    assert minute.now + small.seconds == began + 2 * APART
    assert minute.now + larger.seconds == began + 3 * APART


def test_a_wait_that_is_sure_to_be_too_long_is_refused_at_once_with_the_seconds(minute):
    """What is used comes back with its minute only; nothing is left behind for it."""
    minute.ask(LIMIT)
    minute.settle(1, LIMIT)
    before = minute.rows()
    refused = minute.ask(1, most=30.0)

    assert TooLong(Demand(TOKENS, 1, LIMIT), slice_of(START) + APART - START) == refused
    assert (before, set()) == (minute.rows(), minute.queue())


def test_what_may_still_be_given_back_is_waited_for_as_long_as_anybody_may(minute):
    """A61: and then refused, with the seconds that it would have taken in all."""
    minute.ask(LIMIT)
    assert isinstance(minute.ask(1, who="r", since=START, most=30.0), Wait)
    minute.now += 29.9
    assert isinstance(minute.ask(1, who="r", since=START, most=30.0), Wait)
    minute.now += 0.1

    refused = minute.ask(1, who="r", since=START, most=30.0)

    assert TooLong(Demand(TOKENS, 1, LIMIT), slice_of(START) + APART - START) == refused
    assert set() == minute.queue()


def test_the_window_that_is_waited_for_is_named(minute):
    """Dollars are waited for, so dollars are named, at the first asking and at the next."""
    minute.ask(1, LIMIT)

    assert USD == minute.ask(1, 1, who="r").demand.scope
    assert USD == minute.ask(1, 1, who="r", since=START).demand.scope


# --- What is given back ---------------------------------------------------------------------------


def test_a_call_that_came_to_less_makes_room_at_once(minute):
    """A19 C22: actual usage replaces the reservation."""
    minute.ask(LIMIT, LIMIT)
    minute.settle(1, 20, 10)

    assert (20, 10) == (minute.used(), minute.used(USD))
    assert isinstance(minute.ask(LIMIT - 20, LIMIT - 10), Granted)


def test_a_call_that_failed_before_it_cost_anything_gives_its_place_back(minute):
    minute.ask(LIMIT)
    minute.settle(1, 0)

    assert 0 == minute.used()
    assert isinstance(minute.ask(LIMIT), Granted)


def test_a_call_that_no_budget_has_room_for_leaves_no_trace_in_the_minute(minute):
    """D48: all or none, also after a wait."""
    assert isinstance(minute.ask(500, 500, cap=100), Refused)
    assert {} == {at: tokens for at, tokens in minute.rows().items() if tokens}

    minute.ask(LIMIT)
    minute.now += minute.ask(500, 500, cap=100, who="r").seconds
    assert isinstance(minute.ask(500, 500, cap=100, who="r", since=START), Refused)
    assert (0, set()) == (minute.used(), minute.queue())


def test_a_call_that_finds_its_circuit_open_after_its_wait_makes_way(minute):
    """Somebody else is asked: the minute of this provider is for who comes next."""
    asked = Ask("them", Rules(failure_threshold=1), "h2", 60.0)
    minute.ask(LIMIT)
    assert isinstance(minute.ask(LIMIT, circuit=asked, who="first"), Wait)
    circuits.record(minute.tx, Outcome("them", asked.rules, "x", ok=False, asked_at=START), START + 1)
    minute.now += 2
    minute.settle(1, 0)

    assert isinstance(minute.ask(LIMIT, circuit=asked, who="first", since=START), Open)
    assert isinstance(minute.ask(LIMIT, who="second", since=START + 1), Granted)


def test_who_slept_through_its_turn_does_not_call_in_a_minute_that_others_have_filled_since(minute):
    """And is the first again for the next one."""
    minute.ask(LIMIT)
    assert isinstance(minute.ask(LIMIT, who="late"), Wait)
    minute.now += APART + 20
    assert isinstance(minute.ask(LIMIT), Granted)

    wait = minute.ask(LIMIT, who="late", since=START)
    assert isinstance(wait, Wait)
    assert isinstance(minute.ask(LIMIT, who="new"), Wait)
    minute.now += wait.seconds
    assert isinstance(minute.ask(LIMIT, who="late", since=START), Granted)


def test_who_waits_is_counted_by_what_it_asked_for_last(minute):
    """A conversation that was cut short meanwhile takes less: those behind it may go beside it."""
    minute.ask(500, LIMIT)
    assert isinstance(minute.ask(500, 1, who="first", since=START), Wait)
    assert isinstance(minute.ask(100, who="second", since=START + 1), Wait)

    assert isinstance(minute.ask(400, 1, who="first", since=START), Wait)
    assert isinstance(minute.ask(100, who="second", since=START + 1), Granted)


def test_what_is_corrected_after_its_minute_leaves_nothing_below_zero(minute):
    """H5: a stream of two minutes that failed for nothing gives back what nobody counts any more."""
    minute.ask(LIMIT, LIMIT)
    minute.now += 3 * APART
    minute.ask(1, 1)
    minute.settle(1, 0)

    assert {1, 0} >= set(minute.rows().values()) | set(minute.rows(USD).values())


def test_a_killed_waiter_costs_the_others_a_few_seconds(minute):
    """It holds nothing, and nobody is behind it any more once it was not heard of for so long."""
    minute.ask(500)
    assert isinstance(minute.ask(LIMIT, who="dead", since=START), Wait)
    minute.now += UNHEARD_S
    assert isinstance(minute.ask(1, who="alive", since=START + 1), Wait)
    minute.now += 0.1

    assert isinstance(minute.ask(1, who="alive", since=START + 1), Granted)


def test_those_who_wait_under_a_tiny_limit_stop_nobody(minute):
    """Others have a limit of a hundred times as much: what the tiny ones wait for is small to them."""
    minute.ask(1)
    for _ in range(8):
        assert isinstance(minute.ask(LIMIT, limit=1), Wait)

    minute.now += 1
    assert isinstance(minute.ask(LIMIT // 2), Granted)


def test_what_is_owed_under_a_tiny_limit_stops_no_over_size_call_of_others(minute):
    """A61 G16: ten tokens a minute are no reason to refuse one of 1,000 for an hour."""
    minute.ask(LIMIT, limit=10)
    minute.settle(1, 760)
    minute.now += 2 * APART

    assert isinstance(minute.ask(LIMIT + 1, most=120.0), Granted)


def test_a_call_under_a_tiny_limit_counts_whole_in_its_minute_to_everybody(minute):
    """G16: 760 tokens are 760 tokens to the provider, whoever owes them for how long."""
    minute.ask(LIMIT, limit=10)
    minute.settle(1, 760)

    assert isinstance(minute.ask(241, who="much"), Wait)
    pace.leave(minute.tx, "much")
    assert isinstance(minute.ask(240), Granted)


def test_a_debt_is_paid_off_at_the_larger_of_two_limits(minute):
    """G16: 2,500 are owed for three minutes to all with a limit of 1,000 or less, and for one under a larger one."""
    minute.ask(2 * LIMIT + 500)
    minute.settle(1, 2 * LIMIT + 500)
    began = slice_of(minute.now)

    minute.now = began + APART
    assert isinstance(minute.ask(1, limit=LIMIT // 2, most=60.0), TooLong)
    assert isinstance(minute.ask(1, most=60.0), TooLong)
    assert isinstance(minute.ask(2 * LIMIT, limit=3 * LIMIT), Granted)


def test_a_debt_is_remembered_for_an_hour_and_then_forgotten(minute):
    """However much is booked and forgotten beside it. Bound: MOST_PIECES minutes."""
    minute.ask(LIMIT, limit=1)
    minute.settle(1, LIMIT)
    for _ in range(MOST_PIECES - 1):
        minute.now += APART
        assert isinstance(minute.ask(1, limit=1, most=1.0), TooLong)
        assert isinstance(minute.ask(1), Granted)
    minute.now += 2 * APART

    assert isinstance(minute.ask(1, limit=1, most=1.0), Granted)
    (oldest,) = minute.tx.execute("SELECT min(bucket_start) FROM token_buckets").fetchone()
    assert oldest > START


# --- A clock that is set back ---------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, LIMIT, 2 * LIMIT])
def test_a_clock_that_is_set_back_by_hours_makes_nobody_wait_for_hours(minute, amount):
    """What was booked in times to come was booked by a clock that is no more."""
    minute.ask(3 * LIMIT)
    minute.now -= 7_200

    assert isinstance(minute.ask(amount), Granted)


def test_a_clock_that_is_set_back_by_seconds_forgets_no_call_of_the_last_minute(minute):
    """C21"""
    minute.ask(LIMIT)
    minute.now -= 30

    wait = minute.ask(1)
    assert isinstance(wait, Wait)
    assert wait.seconds <= 30 + APART
