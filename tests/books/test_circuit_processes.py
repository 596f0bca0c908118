"""One circuit, twenty real processes: what one of them sees, all of them know, and it outlives them."""

import time

import pytest

from agentctl.core.guards.circuit import Rules
from agentctl.journal import circuits

NAME = "anthropic:model"
RULES = {"recovery_s": 2.0}


@pytest.fixture
def asking(place, fleet):
    """Start a process that asks once at each of these gates."""

    def start(owner, *turns, on=fleet, **rules):
        given = [(on.gate(gate), ok) for gate, ok in turns]
        return on.start("asks", at=place, name=NAME, owner=owner, rules=RULES | rules, turns=given)

    return start


def answers(fleet, members):
    return [line["answer"] for member in members for line in fleet.said(member) if "answer" in line]


def probes(fleet, members):
    return sum(line.get("probe", False) for member in members for line in fleet.said(member))


def told(store, **rules):
    return store.read(lambda tx: circuits.told(tx, NAME, Rules(**(RULES | rules)), time.time()))


def one_by_one(fleet, asking, went, **rules):
    """As many processes as `went` says, each asking when the one before it has told how it went."""
    members = [asking(f"r{n}", (f"turn{n}", ok), **rules) for n, ok in enumerate(went)]
    for n, member in enumerate(members):
        fleet.open(f"turn{n}")
        fleet.wait(member)
    return answers(fleet, members)


@pytest.mark.slow
def test_five_failures_of_different_processes_open_it_for_all(fleet, asking):
    """A58 E09: five in all, not five of each."""
    assert ["Granted"] * 5 + ["Open"] * 15 == one_by_one(fleet, asking, [False] * 20, recovery_s=60.0)


@pytest.mark.slow
def test_a_steady_failure_rate_of_four_fifths_opens_it_although_it_is_never_five_in_a_row(fleet, asking):
    """G4 H3: the tenth call is the first that makes a rate."""
    went = [number % 5 == 0 for number in range(20)]

    assert ["Granted"] * 10 + ["Open"] * 10 == one_by_one(fleet, asking, went, recovery_s=60.0)


@pytest.mark.slow
def test_however_many_wait_one_probe_goes_at_a_time_and_its_answer_lets_everybody_in(store, fleets, asking):
    """A62 E10 H3: also where the first probe is killed, and every process is another one than those that failed."""
    before, after = fleets(), fleets()
    # Whoever is granted the first probe says nothing of it: it is killed before it hears.
    turns = [("too soon", None), ("probe", None), ("again", True), ("everybody", None)]
    members = [asking(f"r{number}", *turns, on=after) for number in range(20)]
    after.until(lambda: 20 == after.born)
    failing = [asking(f"f{number}", ("fail", False), on=before) for number in range(5)]
    before.open("fail")
    before.wait(*failing)
    assert "open" == told(store).phase
    after.open("too soon")
    after.until(lambda: 20 == len(answers(after, members)))
    assert {"Open"} == set(answers(after, members))

    def wave(gate, size):
        time.sleep(max(0.0, told(store).until - time.time()))
        so_far = len(answers(after, members))
        after.open(gate)
        after.until(lambda: so_far + size == len(answers(after, members)))

    wave("probe", 20)
    (prober,) = [member for member in members if probes(after, [member])]
    assert 1 == probes(after, members)
    after.signal(prober)
    after.wait(prober)

    wave("again", 19)
    assert 2 == probes(after, members)
    after.until(lambda: "closed" == told(store).phase)

    wave("everybody", 19)
    assert ["Granted"] * 19 == [answers(after, [member])[-1] for member in members if member != prober]
    assert 2 == probes(after, members)
    after.wait(*members)


@pytest.mark.slow
def test_a_success_that_was_asked_for_before_the_outage_closes_nothing(store, fleet, asking):
    """H3: the slow answer of another process comes in while the circuit is open."""
    late = asking("late", ("ask", None), ("hear", True), recovery_s=60.0)
    fleet.open("ask")
    fleet.until(lambda: fleet.said(late))
    failing = [asking(f"f{number}", ("fail", False), recovery_s=60.0) for number in range(5)]
    fleet.open("fail")
    fleet.wait(*failing)

    fleet.open("hear")
    fleet.wait(late)

    assert ["Granted"] == answers(fleet, [late])
    assert "open" == told(store, recovery_s=60.0).phase
