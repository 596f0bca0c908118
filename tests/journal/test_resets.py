"""Forgiving what was spent: exact, on record, and blind to what is held."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.journal import ledger, resets, schema
from agentctl.journal.ledger import Scope
from agentctl.journal.resets import Reset

DAY = Scope("user_daily_usd:ada", 86_400, 1000)


def test_what_is_spent_is_forgiven_and_what_is_held_stays(store):
    def work(tx):
        ledger.reserve(tx, "h1", "r_1", 300, [DAY])
        ledger.settle(tx, "h1", 300)
        ledger.reserve(tx, "h2", "r_1", 700, [DAY])
        return resets.reset(tx, DAY.key, DAY.window_start, "ada", 5.0)

    assert 300 == store.write(work)
    assert (0, 700) == store.read(lambda tx: ledger.standing(tx, DAY))
    assert {(DAY.key, 86_400): Reset(300, "ada", 5.0)} == store.read(resets.listing)

    store.write(lambda tx: ledger.settle(tx, "h2", 650))
    assert (650, 0) == store.read(lambda tx: ledger.standing(tx, DAY))


def test_several_are_told_together_and_nothing_is_no_reset(store):
    def work(tx):
        came_to = []
        for number, (sender, spent) in enumerate([("ada", 10), ("eve", 20), ("bob", 0)]):
            ledger.reserve(tx, f"h{number}", "r_1", spent, [DAY])
            ledger.settle(tx, f"h{number}", spent)
            came_to.append(resets.reset(tx, DAY.key, DAY.window_start, sender, 5.0 + number))
        return came_to

    assert [10, 20, 0] == store.write(work)
    assert {(DAY.key, 86_400): Reset(30, "eve", 6.0)} == store.read(resets.listing)


# --- A hold that was settled in full for its dead driver, forgiven, and then told after all --------

HOUR = Scope("hourly_usd:store", 3_600, None)


def forgiven_hold(tx):
    """What ada's day and the hour stand at: the day's charge was forgiven, then others spent 500."""
    ledger.reserve(tx, "late", "r_1", 300, [DAY, HOUR])
    ledger.reap(tx, "late")
    resets.reset(tx, DAY.key, DAY.window_start, "bob", 5.0)
    ledger.reserve(tx, "other", "r_2", 500, [DAY, HOUR])
    ledger.settle(tx, "other", 500)


@pytest.mark.parametrize(("came_to", "day"), [(0, 500), (10, 500), (300, 500), (350, 550)])
def test_an_outcome_after_the_forgiving_takes_nothing_off_what_others_spent(store, came_to, day):
    """D07: what it cost beyond what was forgiven is added; where nothing was forgiven the amount is corrected."""

    def work(tx):
        forgiven_hold(tx)
        return [ledger.settle(tx, "late", came_to), ledger.settle(tx, "late", came_to)]

    assert [True, False] == store.write(work)
    assert (day, 0) == store.read(lambda tx: ledger.standing(tx, DAY))
    assert (500 + came_to, 0) == store.read(lambda tx: ledger.standing(tx, HOUR))


def test_what_is_held_while_others_are_forgiven_is_charged_and_corrected_as_ever(store):
    def work(tx):
        ledger.reserve(tx, "late", "r_1", 300, [DAY])
        ledger.reserve(tx, "other", "r_2", 500, [DAY])
        ledger.settle(tx, "other", 500)
        resets.reset(tx, DAY.key, DAY.window_start, "bob", 5.0)
        ledger.reap(tx, "late")
        ledger.settle(tx, "late", 10)

    store.write(work)

    assert (10, 0) == store.read(lambda tx: ledger.standing(tx, DAY))


def test_another_window_of_the_same_budget_is_not_forgiven(store):
    def work(tx):
        ledger.reserve(tx, "late", "r_1", 300, [DAY])
        ledger.reap(tx, "late")
        tomorrow = Scope(DAY.key, 2 * DAY.window_start, 1000)
        ledger.reserve(tx, "other", "r_2", 500, [tomorrow])
        ledger.settle(tx, "other", 500)
        resets.reset(tx, tomorrow.key, tomorrow.window_start, "bob", 5.0)
        ledger.settle(tx, "late", 10)

    store.write(work)

    assert (10, 0) == store.read(lambda tx: ledger.standing(tx, DAY))


OPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "reap", "settle", "reset"]), st.integers(0, 3), st.integers(0, 90)),
    max_size=30,
)


@given(OPS)
def test_a_budget_is_never_below_what_was_told_since_it_was_forgiven(steps):
    """D07: whatever is reaped, forgiven and told late, in any order."""
    tx = sqlite3.connect(":memory:", isolation_level=None)
    schema.make(tx)
    state, told, free = {}, 0, Scope("tenant_daily_usd:t", 0, None)
    for number, (step, which, amount) in enumerate(steps):
        hold = f"h{which}"
        if step == "reset":
            resets.reset(tx, free.key, 0, "bob", float(number))
            told = 0
        elif step == "reserve" and hold not in state:
            ledger.reserve(tx, hold, "r", amount, [free])
            state[hold] = "open"
        elif step == "reap" and state.get(hold) == "open":
            ledger.reap(tx, hold)
            state[hold] = "reaped"
        elif step == "settle" and state.get(hold) in {"open", "reaped"}:
            ledger.settle(tx, hold, amount)
            told += amount if state[hold] == "open" else 0
            state[hold] = "told"
        assert ledger.standing(tx, free)[0] >= told
    tx.close()
