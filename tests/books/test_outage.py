"""Forty-five minutes without the primary, on a virtual clock: run after run over one store's circuits."""

import sqlite3

import pytest

from agentctl.core import events as ev
from agentctl.journal import admission, circuits, schema
from agentctl.journal.admission import Open
from agentctl.journal.circuits import Ask, Outcome
from tests.play import MAIN, SPARE, START, Fault, Play, Reply, Script, asks, call, contract, make_setup, policy

OUTAGE_S, RECOVERY_S, PATIENCE_S = 45 * 60.0, 60.0, 60.0
BEGINS = START + 300.0
ENDS = BEGINS + OUTAGE_S


class Shared(Play):
    """A run whose circuits are those of a store, by its rules and in its transactions."""

    def __init__(self, tx, number, at, *args):
        super().__init__(*args)
        self.tx, self.number, self.now, self.owner = tx, number, at, ""

    def _look(self, name, rules):
        told = circuits.told(self.tx, name, rules, self.now)
        known = self.state.circuit.open.get(name)
        if told.phase == "open" and told.until != known:
            self.record(ev.CircuitMoved(name, "closed" if known is None else "open", "open", told.until))
        elif told.phase == "closed" and known is not None:
            self.record(ev.CircuitMoved(name, "open", "closed"))
        return told.phase

    def _admitted(self, name, rules):
        self.owner = f"r{self.number}:{len(self.events)}"
        asked = Ask(name, rules, self.owner, PATIENCE_S)
        request = admission.Request(self.owner, f"r{self.number}", 0, (), asked)
        answer = admission.admit(self.tx, request, self.now)
        if isinstance(answer, Open):
            self._look(name, rules)
            return None
        return answer.probe

    def _weigh(self, name, rules, asked_at, *, ok, probe):
        outcome = Outcome(name, rules, self.owner, ok, asked_at)
        told = circuits.record(self.tx, outcome, self.now)
        was = "half_open" if probe else "open" if name in self.state.circuit.open else "closed"
        if (not ok or probe) and told.phase != was:
            self.record(ev.CircuitMoved(name, was, told.phase, told.until))


class World(Script):
    """Two steps and an answer; the primary fails while it is down."""

    def __init__(self, fails):
        super().__init__()
        self.fails, self.play = fails, None

    def model(self, asked):
        if asked.provider == "main" and BEGINS <= self.play.now < ENDS:
            return self.fails
        answered = len(self.play.of(ev.ModelReplied))
        return asks(call("look", q=answered)) if answered < 2 else Reply(f"from {asked.provider}")


def day(fails, every):
    """A run every so many seconds, from five minutes before the outage until ten minutes after it."""
    tx = sqlite3.connect(":memory:", isolation_level=None)
    schema.make(tx)
    setup = make_setup(policy(MAIN, SPARE), [contract("look")])
    plays, now = [], START
    while now < ENDS + 600:
        world = World(fails)
        play = Shared(tx, len(plays), now, setup, world)
        world.play = play
        play.run()
        plays.append(play)
        now = max(now + every, play.now)
    tx.close()
    return plays


def requests(plays, provider, begin, end):
    """When the provider was asked, between two moments."""
    asked = [one for play in plays for one in play.events if isinstance(one.event, ev.ModelAsked)]
    return [one.ts for one in asked if one.event.provider == provider and begin <= one.ts < end]


DOWN = pytest.mark.parametrize(
    ("fails", "every"),
    [(Fault("overloaded", 529, took=0.3), 20.0), (Fault("timeout", None, took=60.0), 30.0)],
    ids=["refuses", "is silent"],
)


@DOWN
def test_in_a_45_minute_outage_no_run_fails_and_the_primary_is_asked_five_times_and_once_a_minute(fails, every):
    """A54 A61 E09: whether it answers with errors or not at all."""
    plays = day(fails, every)

    assert {("completed", "done")} == {(play.state.run.status, play.state.run.reason) for play in plays}
    asked = requests(plays, "main", BEGINS, ENDS)
    assert 5 < len(asked) <= 5 + OUTAGE_S / RECOVERY_S


@DOWN
def test_while_the_circuit_is_open_nobody_but_a_probe_pays_for_the_primary(fails, every):
    """A60 C12: all other runs take as long as the fallback takes, to the second."""
    plays = day(fails, every)
    opened = next(one.ts for play in plays for one in play.events if isinstance(one.event, ev.CircuitMoved))
    within = [play for play in plays if opened < play.events[0].ts and play.now < ENDS]
    spared = [play for play in within if not any(asked.provider == "main" for asked in play.asked)]
    own = 4.0  # three replies of a second, two calls of half a second

    assert len(spared) >= len(within) // 4 > 5
    assert all(play.now - play.events[0].ts == own for play in spared)


@DOWN
def test_after_the_outage_the_primary_answers_again_within_a_recovery_period_and_for_good(fails, every):
    """A62"""
    plays = day(fails, every)
    back = ENDS + RECOVERY_S + PATIENCE_S
    later = [play for play in plays if play.events[0].ts >= back]

    assert len(later) > 5
    assert {"from main"} == {play.state.run.answer for play in later}
    assert [] == requests(later, "spare", back, back + 3_600)
