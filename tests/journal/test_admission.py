"""One transaction for circuit, minute and money: whatever refuses leaves nothing behind."""

from dataclasses import replace

import pytest

from agentctl.core.guards.circuit import Rules
from agentctl.core.guards.pace import Demand
from agentctl.journal import admission, circuits, ledger, pace
from agentctl.journal.admission import Granted, Open, Request
from agentctl.journal.circuits import Ask, Outcome, Told
from agentctl.journal.ledger import Refused, Scope
from agentctl.journal.pace import TooLong, Wait

RUN = Scope("run_usd:r_1", 0, 1_000)
RULES = Rules(failure_threshold=1, recovery_s=60.0)
TOKENS, USD = "tokens_per_minute:x", "usd_per_minute:x"


def request(hold: str, amount: int = 300, tokens: int = 60, **more) -> Request:
    demands = (Demand(TOKENS, tokens, 100), Demand(USD, amount, 10_000))
    return Request(hold, "r_1", amount, (RUN,), Ask("main", RULES, hold, 30.0), demands, 120.0, **more)


def other(hold: str, **more) -> Request:
    """What another run asks."""
    return replace(request(hold, **more), run_id="r_2")


@pytest.fixture
def tx(store):
    """Each call is a transaction of its own."""

    def call(function, *args, **more):
        return store.write(lambda tx: function(tx, *args, **more))

    return call


def taken(tx, now: float) -> tuple[int, int, int]:
    """Held money, tokens and dollars of the minute."""
    return tx(ledger.standing, RUN)[1], tx(pace.used, TOKENS, now), tx(pace.used, USD, now)


def test_what_is_granted_is_taken_from_all_and_corrected_together(tx):
    """A18, A19"""
    assert Granted(probe=False) == tx(admission.admit, request("h1"), 1_000.0)
    assert (300, 60, 300) == taken(tx, 1_001.0)

    tx(admission.settle, "h1", 120, 25)

    assert (0, 25, 120) == taken(tx, 1_001.0)
    assert (120, 0) == tx(ledger.standing, RUN)


def test_settling_twice_counts_once(tx):
    tx(admission.admit, request("h1"), 1_000.0)
    tx(admission.settle, "h1", 120, 25)
    tx(admission.settle, "h1", 900, 99)

    assert (0, 25, 120) == taken(tx, 1_001.0)


def test_an_open_circuit_takes_nothing(tx):
    """A60"""
    tx(circuits.record, Outcome("main", RULES, "h", False, 0.0), 990.0)

    assert Open(1_050.0) == tx(admission.admit, request("h1"), 1_000.0)
    assert (0, 0, 0) == taken(tx, 1_000.0)


def test_a_half_open_one_grants_a_probe(tx):
    tx(circuits.record, Outcome("main", RULES, "h", False, 0.0), 900.0)

    assert Granted(probe=True) == tx(admission.admit, request("h1"), 1_000.0)
    assert Open(1_030.0) == tx(admission.admit, request("h2"), 1_000.0)


def test_money_that_is_not_there_leaves_no_booking_and_no_probe(tx):
    tx(circuits.record, Outcome("main", RULES, "h", False, 0.0), 900.0)
    refused = tx(admission.admit, request("h1", amount=1_001), 1_000.0)

    assert isinstance(refused, Refused)
    assert (0, 0, 0) == taken(tx, 1_000.0)
    assert Told("half_open") == tx(circuits.told, "main", RULES, 1_000.0)


def test_who_must_wait_stands_in_the_queue_and_holds_nothing_meanwhile(tx):
    tx(admission.admit, request("h1"), 1_000.0)
    wait = tx(admission.admit, other("h2"), 1_001.0)

    assert Wait(Demand(TOKENS, 60, 100), 64.0) == wait
    assert (300, 60, 300) == taken(tx, 1_001.0)
    assert Granted(probe=False) == tx(admission.admit, other("h2", since=1_001.0), 1_065.0)
    assert 60 == tx(pace.used, TOKENS, 1_066.0)


def test_who_finds_the_circuit_open_leaves_the_queue(tx):
    tx(admission.admit, request("h1"), 1_000.0)
    tx(admission.admit, other("h2"), 1_001.0)
    tx(circuits.record, Outcome("main", RULES, "h", False, 0.0), 1_002.0)

    assert isinstance(tx(admission.admit, other("h2", since=1_001.0), 1_003.0), Open)
    assert (0,) == tx(lambda tx: tx.execute("SELECT count(*) FROM waiting").fetchone())


def test_a_wait_that_is_too_long_takes_nothing(tx):
    tx(admission.admit, request("h1", tokens=300), 1_000.0)
    tx(admission.settle, "h1", 300, 300)

    assert TooLong(Demand(TOKENS, 60, 100), 194.0) == tx(admission.admit, other("h2"), 1_001.0)
    assert 0 == tx(ledger.standing, RUN)[1]


def test_without_a_circuit_and_without_demands_only_money_is_asked(tx):
    bare = Request("h1", "r_1", 300, (RUN,), None)

    assert Granted(probe=False) == tx(admission.admit, bare, 1_000.0)
    tx(admission.settle, "h1", 10, 10)
    assert (0, 0, 0) == taken(tx, 1_000.0)
