"""Circuits that all runs of a store share: moved in transactions, one probe however many ask, kept over restarts."""

import pytest

from agentctl.core.guards.circuit import Rules
from agentctl.journal import circuits
from agentctl.journal.circuits import Ask, Outcome, Told

RULES = Rules(failure_threshold=2, recovery_s=60.0)
NAME = "anthropic:model-a"


def ask(owner: str, name: str = NAME) -> Ask:
    return Ask(name, RULES, owner, 30.0)


def went(owner: str = "h", *, ok: bool = False, asked_at: float = 0.0) -> Outcome:
    return Outcome(NAME, RULES, owner, ok, asked_at)


@pytest.fixture
def tx(store):
    """Each call is a transaction of its own."""

    def call(function, *args, **more):
        return store.write(lambda tx: function(tx, *args, **more))

    return call


def test_a_circuit_that_nobody_asked_of_is_closed_and_has_no_row(tx):
    assert Told("closed") == tx(circuits.take, ask("h1"), 10.0)
    assert [] == tx(circuits.listing)


def test_failures_of_all_runs_count_together(tx):
    assert "closed" == tx(circuits.record, went("r_1:5"), 10.0).phase
    assert Told("open", 71.0) == tx(circuits.record, went("r_2:9"), 11.0)
    assert Told("open", 71.0) == tx(circuits.told, NAME, RULES, 70.9)


def test_exactly_one_of_those_who_ask_is_a_probe(tx):
    """E10"""
    for _ in range(2):
        tx(circuits.record, went(), 10.0)

    assert Told("half_open") == tx(circuits.take, ask("first"), 70.0)
    assert Told("open", 100.0) == tx(circuits.take, ask("second"), 70.0)
    assert Told("half_open") == tx(circuits.take, ask("third"), 100.0)


def test_looking_takes_no_place(tx):
    for _ in range(2):
        tx(circuits.record, went(), 10.0)

    assert {"half_open"} == {tx(circuits.told, NAME, RULES, 80.0).phase for _ in range(3)}


def test_the_answer_to_the_probe_closes_it_for_all(tx):
    """A62, E07"""
    for _ in range(2):
        tx(circuits.record, went(), 10.0)
    tx(circuits.take, ask("probe"), 70.0)

    assert "open" == tx(circuits.record, went("somebody else", ok=True, asked_at=69.0), 71.0).phase
    assert Told("closed") == tx(circuits.record, went("probe", ok=True, asked_at=70.0), 72.0)


def test_what_it_saw_outlives_the_process(opened):
    first = opened()
    for _ in range(2):
        first.write(lambda tx: circuits.record(tx, went(), 10.0))
    first.close()

    assert "open" == opened().read(lambda tx: circuits.told(tx, NAME, RULES, 20.0)).phase


def test_a_reset_one_is_closed_and_others_stay(tx):
    for _ in range(2):
        tx(circuits.record, went(), 10.0)
        tx(circuits.record, Outcome("tool:x", RULES, "h", False, 0.0), 10.0)

    assert [True, False] == [tx(circuits.reset, NAME) for _ in range(2)]
    assert "closed" == tx(circuits.told, NAME, RULES, 20.0).phase
    assert ["tool:x"] == [row.name for row in tx(circuits.listing)]
    assert [] == tx(circuits.listing, prefix="anthropic")
