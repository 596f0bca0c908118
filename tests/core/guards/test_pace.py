"""How fast all runs on a store may use one provider: what fits into a minute, and what a run does that must wait."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import events as ev
from agentctl.core.guards import pace
from agentctl.core.guards.pace import APART, SLICE_S, WINDOW, Demand, Rules
from tests.play import MAIN, SPARE, START, Full, Reply, Script, played, policy

LIMIT = 100
NOW = 1_000


def wants(amount: int) -> Demand:
    return Demand("tokens_per_minute:x", amount, LIMIT)


def booked_in_order(amounts: list[int], nows: list[int]) -> dict[int, int]:
    """The slices after one call after the other has waited for its room."""
    booked: dict[int, int] = {}
    last = 0
    for amount, now in zip(amounts, sorted(nows), strict=True):
        last = at = pace.place(wants(amount), booked, max(last, pace.slice_of(now)))
        assert pace.fits(wants(amount), booked, at)
        for start, piece in pace.spread(amount, LIMIT, at).items():
            booked[start] = booked.get(start, 0) + piece
    return booked


def test_a_minute_has_forty_thousand_tokens_and_two_dollars():
    """A11, C61, C62"""
    rules = Rules()

    assert (40_000, 2.00) == (rules.tokens_per_minute, rules.usd_per_minute)


def test_two_hundred_tokens_are_added_to_each_reservation():
    """A18"""
    assert 200 == Rules().overhead_tokens


def test_a_wait_of_more_than_two_minutes_is_refused():
    rules = Rules()

    assert (True, 120.0) == (rules.enabled, rules.max_wait_s)


def test_a_minute_is_sixty_seconds():
    """C20"""
    assert (60, 65) == (WINDOW, APART)


# --- The sliding minute ---------------------------------------------------------------------------


def test_what_fits_goes_at_once_up_to_the_limit_itself():
    """C21: at the cap is allowed."""
    assert pace.fits(wants(40), {NOW: 60}, NOW)
    assert not pace.fits(wants(41), {NOW: 60}, NOW)


def test_what_does_not_fit_goes_as_soon_as_enough_has_left_the_minute():
    """G14, A20"""
    assert NOW + APART == pace.place(wants(50), {NOW: 60}, NOW)
    assert NOW + 45 == pace.place(wants(50), {NOW - 20: 60}, NOW)


def test_who_came_earlier_and_waits_is_let_go_first():
    assert pace.fits(wants(10), {}, NOW, ahead=90)
    assert not pace.fits(wants(11), {}, NOW, ahead=90)
    assert NOW + APART == pace.place(wants(11), {}, NOW, ahead=90)
    assert NOW + 3 * APART == pace.place(wants(50), {}, NOW, ahead=260)


def test_what_was_given_back_is_waited_for_by_nobody():
    assert pace.fits(wants(100), {NOW: 0, NOW + 300: 0}, NOW)


def test_what_is_larger_than_the_minute_goes_alone_and_leaves_a_debt():
    """G16"""
    assert pace.fits(wants(250), {}, NOW)
    assert not pace.fits(wants(250), {}, NOW, ahead=1)
    assert NOW + APART == pace.place(wants(250), {NOW: 1}, NOW)
    assert {NOW: 100, NOW + APART: 100, NOW + 2 * APART: 50} == pace.spread(250, LIMIT, NOW)
    assert NOW + APART + 65 == pace.place(wants(50), pace.spread(250, LIMIT, NOW), NOW)
    assert NOW + 4 * APART - 65 == pace.place(wants(250), pace.spread(250, LIMIT, NOW), NOW)


def test_the_debt_under_a_tiny_limit_does_not_lock_others_out():
    """One run with another policy must not stop everybody for hours."""
    debt = pace.spread(8_400, 10, NOW)

    assert len(debt) <= pace.MOST_PIECES
    assert pace.fits(wants(80), debt, NOW + 5)


def test_a_limit_of_nothing_ends():
    assert len(pace.spread(10**9, 0, NOW)) == pace.MOST_PIECES


def test_a_clock_that_is_set_back_locks_nothing():
    assert pace.fits(wants(100), {NOW: 100, NOW + 5: 100}, NOW - 3_600)


def test_nothing_takes_no_place():
    assert {} == pace.spread(0, LIMIT, NOW)


@given(st.lists(st.tuples(st.integers(1, 3 * LIMIT), st.integers(NOW, NOW + 300)), max_size=40))
def test_no_minute_ever_holds_more_than_the_limit(wanted):
    """C22, A20: whatever comes in whatever order."""
    booked = booked_in_order([amount for amount, _ in wanted], [now for _, now in wanted])

    for start in booked:
        assert sum(amount for at, amount in booked.items() if start <= at <= start + WINDOW) <= LIMIT
    assert sum(booked.values()) == sum(amount for amount, _ in wanted)


@given(st.lists(st.integers(1, LIMIT), min_size=1, max_size=40), st.integers(0, 10**6))
def test_any_sixty_real_seconds_are_within_the_limit(amounts, seed):
    """G14: not only those that begin with a slice."""
    dice = random.Random(seed)
    moments = [
        (at + dice.random() * SLICE_S, amount) for at, amount in booked_in_order(amounts, [NOW] * len(amounts)).items()
    ]

    for begin, _ in moments:
        assert sum(amount for moment, amount in moments if begin <= moment <= begin + 60) <= LIMIT


# --- In a run -------------------------------------------------------------------------------------


def test_a_run_waits_and_then_asks():
    play = played(policy(MAIN), Script([Full(7.0), Reply("done")]))

    assert [7.0] == [event.seconds for event in play.of(ev.Waited)]
    assert ("done", 0) == (play.state.run.reason, play.of(ev.Completed)[-1].exit_code)
    assert play.now >= START + 7


def test_a_wait_that_is_too_long_stops_the_run_at_once_and_names_the_seconds():
    play = played(policy(MAIN), Script([Full(341.0, refused=True), Reply("never")]))
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "pace", 10) == (end.status, end.reason, end.exit_code)
    assert "the next call would wait 341s for tokens_per_minute, over max_wait_s of 120s" in end.message
    assert [] == play.asked
    assert START == play.now


def test_another_provider_answers_where_the_wait_would_be_too_long():
    """A61: slower answers, not errors."""
    play = played(policy(MAIN, SPARE), Script([Full(341.0, refused=True), Reply("from the spare")]))
    (fell,) = play.of(ev.FellBack)

    assert ["spare"] == [asked.provider for asked in play.asked]
    assert ("main", "spare", "tokens_per_minute full for 341s") == (fell.from_, fell.to, fell.reason)


def test_a_full_minute_is_over_when_its_time_is():
    state = pace.apply(pace.EMPTY, ev.Stamped("r", 1, "s", 0, START, ev.Waited("x", 341.0, True, "main")))

    assert 341.0 == pace.check(Rules(), state, "main", START)
    assert 0.0 == pace.check(Rules(), state, "main", START + 341)
    assert 0.0 == pace.check(Rules(), state, "spare", START)
    assert 0.0 == pace.check(Rules(enabled=False), state, "main", START)


def test_a_rest_that_a_clock_spoke_of_that_was_set_back_is_over():
    """Nobody waits for as long as the clock went back."""
    state = pace.apply(pace.EMPTY, ev.Stamped("r", 1, "s", 0, START, ev.Waited("x", 341.0, True, "main")))

    assert 0.0 == pace.check(Rules(), state, "main", START - 3_600)
    assert 343.0 == pace.check(Rules(), state, "main", START - 2)


def test_a_resumed_run_asks_again():
    play = played(policy(MAIN), Script([Full(341.0, refused=True), Reply("done")]))
    play.resume()

    assert "done" == play.state.run.reason
    assert pace.EMPTY == play.state.pace


@pytest.mark.parametrize("event", [ev.Waited("tokens_per_minute", 3.0), ev.Thought("x")])
def test_a_wait_that_is_waited_for_is_no_refusal(event):
    assert pace.EMPTY == pace.apply(pace.EMPTY, ev.Stamped("r", 1, "s", 0, START, event))
