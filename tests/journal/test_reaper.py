"""Holds of dead drivers are settled in full, once; those of living ones are left alone."""

import os

import pytest

from agentctl.journal import lease, ledger, reaper, runs
from agentctl.journal.ledger import Scope
from agentctl.journal.runs import NewRun
from tests.journal.conftest import on_sqlite

RUN, DAY = Scope("run_usd:r_1", 0, None), Scope("user_daily_usd:ada", 86_400, None)
NOW = 1_000_000.0
DEAD = "elsewhere/boot/1:4711:99:abcd"


@pytest.fixture
def tx(store):
    def call(function, *args, **more):
        return store.write(lambda tx: function(tx, *args, **more))

    return call


@pytest.fixture
def held(tx):
    """Make a run whose driver is `owner` until `until`, with one open hold of 700."""

    def make(run_id="r_1", owner=DEAD, until=0.0, amount=700):
        tx(runs.create, NewRun(run_id, "s_1", "ada", "errand", "{}", NOW))
        tx(lambda tx: tx.execute("UPDATE runs SET owner = ?, lease_until = ?", (owner, until)))
        assert None is tx(ledger.reserve, f"{run_id}:2", run_id, amount, [RUN, DAY])
        return f"{run_id}:2"

    return make


def test_it_is_settled_in_full_in_every_scope_and_once(tx, held):
    hold = held()

    assert [reaper.Orphan(hold, "r_1", 700, rehearsed=False)] == tx(reaper.reap, NOW)
    assert [] == tx(reaper.reap, NOW) == tx(reaper.orphans, NOW)
    assert (700, 0) == tx(ledger.standing, RUN) == tx(ledger.standing, DAY)


def test_a_hold_under_a_lease_of_times_to_come_is_settled(tx, held):
    """The clock was set back, and nobody waits until it is there again."""
    hold = held(until=NOW + 3_600)

    assert [hold] == [orphan.hold_id for orphan in tx(reaper.reap, NOW)]


@pytest.mark.parametrize("told", [700, 40, 900])
def test_the_outcome_that_comes_after_all_replaces_it(tx, held, told):
    """The next owner tells the amount that was charged; a driver elsewhere, back from the dead, the real one."""
    hold = held()
    tx(reaper.reap, NOW)

    assert [(hold, 700)] == tx(ledger.open_holds, "r_1")
    assert [True, False] == [tx(ledger.settle, hold, told) for _ in range(2)]
    assert (told, 0) == tx(ledger.standing, RUN) == tx(ledger.standing, DAY)
    assert [] == tx(ledger.open_holds, "r_1")


def test_no_budget_goes_below_nothing(tx, held):
    hold = held()
    tx(reaper.reap, NOW)
    tx(lambda tx: tx.execute("UPDATE budgets SET spent = 0"))
    tx(ledger.settle, hold, 40)

    assert (0, 0) == tx(ledger.standing, RUN)


@pytest.mark.parametrize(
    ("owner", "until", "reaped"),
    [
        ("us", NOW + 30, False),
        ("us", NOW - 3600, False),  # it slept through its lease
        (DEAD, NOW + 1, False),
        (DEAD, NOW, True),
        ("", 0.0, True),
        ("gone", NOW + 30, True),
    ],
)
def test_only_who_can_not_be_driving_is_taken_for_dead(tx, held, owner, until, reaped):
    us = lease.new_owner()
    place, _, rest = us.partition(":")
    owners = {"us": us, "gone": f"{place}:{os.getpid()}:1:{rest[-8:]}"}
    held(owner=owners.get(owner, owner), until=until)

    assert reaped == bool(tx(reaper.reap, NOW))
    assert ((700, 0) if reaped else (0, 700)) == tx(ledger.standing, DAY)


def test_the_holds_of_a_run_that_was_removed_are_settled_too(tx, held):
    held()
    tx(lambda tx: tx.execute("DELETE FROM runs"))

    assert 1 == len(tx(reaper.reap, NOW))


@on_sqlite
def test_looking_for_them_reads_the_open_holds_alone(store, held):
    held()
    told = store.read(
        lambda tx: tx.execute("EXPLAIN QUERY PLAN SELECT 1 FROM holds INDEXED BY holds_open WHERE state = 'open'")
    ).fetchall()

    assert ["SCAN holds USING INDEX holds_open"] == [row[3] for row in told]
