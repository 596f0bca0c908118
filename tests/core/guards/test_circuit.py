"""A provider or a tool that keeps failing is left alone for a while, then probed gently."""

from typing import Any

import pytest

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import circuit, retry
from agentctl.core.guards.circuit import Rules, ToolRules
from agentctl.core.policy import Policy
from tests.play import (
    MAIN,
    SAME_AGAIN,
    SPARE,
    START,
    Fault,
    Play,
    Reply,
    Script,
    asks,
    call,
    contract,
    make_setup,
    played,
    policy,
)

DOWN = Fault("server", 500)
LATE = "a call of another run"


class Shared:
    """One circuit, and what happens to it."""

    def __init__(self, rules: Any = None) -> None:
        self.rules = rules or Rules()
        self.circuit = circuit.CLOSED

    def went(self, at: float, *, ok: bool | None, asked: float | None = None, owner: str = LATE) -> None:
        asked_at = START + (at if asked is None else asked)
        self.circuit = circuit.recorded(self.rules, self.circuit, owner, ok=ok, asked_at=asked_at, now=START + at)

    def failed(self, count: int, every: float = 1.0) -> "Shared":
        for n in range(count):
            self.went(n * every, ok=False)
        return self

    def probe(self, at: float, owner: str = "probe", patience: float = 60.0) -> None:
        assert "half_open" == self.phase(at)
        self.circuit = circuit.probed(self.rules, self.circuit, owner, START + at, patience)

    def phase(self, at: float) -> str:
        return circuit.phase(self.rules, self.circuit, START + at)

    def until(self, at: float) -> float:
        return circuit.until(self.rules, self.circuit, START + at) - START


def test_five_failures_in_a_row_open_it_and_four_do_not():
    """A58, E06, C39"""
    assert "closed" == Shared().failed(4).phase(4)
    assert "open" == Shared().failed(5).phase(5)


def test_it_lets_a_probe_through_after_sixty_seconds():
    """A59, C38"""
    shared = Shared().failed(5)

    assert "open" == shared.phase(4 + 59.9)
    assert "half_open" == shared.phase(4 + 60)
    assert 64 == shared.until(5)


def test_the_breaker_of_the_standard_policy_is_five_and_sixty_seconds_with_a_spare():
    """C67, C52, E29"""
    spare = Policy().providers[1]

    assert (5, 60.0) == (Rules().failure_threshold, Rules().recovery_s)
    assert ("openai", 2) == (spare.name, spare.priority)


def test_a_success_in_between_starts_the_row_again():
    """C39"""
    shared = Shared().failed(4)
    shared.went(5, ok=True)
    shared.went(6, ok=False)

    assert "closed" == shared.phase(7)


def test_a_success_that_was_asked_for_before_the_failures_does_not_start_the_row_again():
    shared = Shared().failed(4)
    shared.went(5, ok=True, asked=-1)
    shared.went(6, ok=False)

    assert "open" == shared.phase(7)


def test_half_of_ten_calls_within_the_window_open_it_although_none_fail_in_a_row():
    """G4, E05, E03"""
    shared = Shared()
    for n in range(9):
        shared.went(2 * n, ok=n % 2 == 0)
    assert "closed" == shared.phase(18)

    shared.went(19, ok=False)

    assert "open" == shared.phase(20)


def test_the_rate_of_the_standard_policy_is_half_of_ten_calls_in_a_minute():
    rules = Rules()

    assert (0.5, 10, 60.0, 1) == (rules.failure_rate, rules.min_calls, rules.window_s, rules.half_open_probes)


def test_a_steady_failure_rate_of_four_fifths_opens_it():
    """G4: whichever comes first."""
    shared = Shared()
    for n in range(10):
        shared.went(2 * n, ok=n % 5 == 0)

    assert "open" == shared.phase(20)


def test_failures_older_than_the_window_are_no_rate():
    """E05: a rolling window."""
    shared = Shared()
    for n in range(10):
        shared.went(10 * n, ok=n % 2 == 0)

    assert "closed" == shared.phase(100)


def test_a_circuit_that_a_rate_opened_stays_open_until_a_probe_is_answered_however_short_the_window():
    shared = Shared(Rules(failure_threshold=100, min_calls=2, window_s=1.0, recovery_s=10.0))
    shared.went(0, ok=True)
    shared.went(0.5, ok=False)

    assert "open" == shared.phase(9)
    assert "half_open" == shared.phase(11)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("rate_limit", 429), ("invalid", 400), ("auth", 401), ("quota", 429), ("context", 400), ("cancelled", None)],
)
def test_what_says_nothing_of_health_does_not_count(kind, status):
    assert not circuit.faulty(kind, status)


@pytest.mark.parametrize("kind", ["overloaded", "server", "timeout", "connection", "truncated", "malformed"])
def test_what_speaks_of_health_counts(kind):
    """E01: the model is a dependency that times out and returns garbage."""
    assert circuit.faulty(kind, None)


def test_an_answered_probe_closes_it():
    """A62, E07: closed, open, half open, closed."""
    shared = Shared().failed(5)
    shared.probe(70)
    shared.went(71, ok=True, owner="probe")

    assert circuit.CLOSED == shared.circuit


def test_a_failed_probe_opens_it_for_another_rest():
    """E10"""
    shared = Shared().failed(5)
    shared.probe(70)
    shared.went(71, ok=False, owner="probe")

    assert "open" == shared.phase(71 + 59)
    assert "half_open" == shared.phase(71 + 60)


def test_exactly_one_probe_is_out_at_a_time():
    """E10"""
    shared = Shared().failed(5)
    shared.probe(70, patience=30)

    assert "open" == shared.phase(99)
    assert 100 == shared.until(99)


def test_as_many_probes_as_the_policy_says_are_out_at_a_time():
    shared = Shared(Rules(half_open_probes=2)).failed(5)
    shared.probe(70, "one")
    shared.probe(70, "other")

    assert "open" == shared.phase(71)


def test_a_probe_that_hung_does_not_block_the_next_one():
    """C45: recovery is tried again on timeout."""
    shared = Shared().failed(5)
    shared.probe(70, "hung", patience=30)
    shared.probe(100, "next")
    shared.went(101, ok=True, owner="next")

    assert "closed" == shared.phase(101)


def test_a_success_that_was_asked_for_before_the_outage_closes_nothing():
    """C40: only an answered probe restores traffic."""
    shared = Shared().failed(5)
    shared.went(7, ok=True, asked=0.5)
    assert "open" == shared.phase(8)

    shared.probe(70)
    shared.went(71, ok=True, asked=0.5)

    assert "open" == shared.phase(72)


def test_what_is_remembered_is_bounded():
    shared = Shared(Rules(failure_rate=1.0, failure_threshold=1_000))
    for n in range(500):
        shared.went(n / 2, ok=n % 3 > 0)

    assert len(shared.circuit.tallies) <= circuit.LONGEST_S / circuit.GRAIN_S + 1
    assert len(shared.circuit.tallies) > 10


def test_a_probe_that_took_longer_than_its_patience_and_was_answered_closes_it():
    """C45: a slow provider is a healthy one."""
    shared = Shared().failed(5)
    shared.probe(70, "slow", patience=60)
    shared.probe(131, "next", patience=60)
    shared.went(150, ok=True, owner="slow")

    assert circuit.CLOSED == shared.circuit


def test_a_probe_that_was_cut_short_says_nothing_and_gives_its_place_back():
    shared = Shared().failed(5)
    shared.probe(70)
    assert "open" == shared.phase(71)

    shared.went(71, ok=None, owner="probe")

    assert "half_open" == shared.phase(71)


def test_probes_are_bounded_however_many_hang():
    shared = Shared().failed(5)
    for n in range(50):
        shared.probe(70 + 10 * n, f"p{n}", patience=10)

    assert circuit.MOST_PROBES == len(shared.circuit.probes)


@pytest.mark.parametrize("jump", [3_600.0, 86_400.0])
def test_a_clock_that_is_set_back_locks_nothing(jump):
    shared = Shared().failed(5)

    assert "half_open" == shared.phase(5 - jump)
    shared.probe(5 - jump)
    shared.went(6 - jump, ok=True, owner="probe")
    assert "closed" == shared.phase(6 - jump)


def test_failures_from_a_clock_that_was_ahead_do_not_count_for_ever():
    shared = Shared().failed(4)
    shared.went(-3_600, ok=True)
    shared.went(-3_599, ok=False)

    assert "closed" == shared.phase(-3_599)
    assert 1 == shared.circuit.failures


def test_policies_with_other_windows_do_not_spoil_each_others_rate():
    long = Rules(failure_threshold=1_000, window_s=600.0, min_calls=8)
    short = Rules(failure_threshold=1_000, window_s=5.0, min_calls=1_000)
    shared = Shared(long)
    for n in range(8):
        shared.rules = short if n % 2 else long
        shared.went(30.0 * n, ok=n == 1)
    shared.rules = long
    shared.went(245, ok=False)

    assert "open" == shared.phase(246)


# --- What a run was told --------------------------------------------------------------------------


def told(*events: ev.Event) -> circuit.State:
    state = circuit.EMPTY
    for event in events:
        state = circuit.apply(state, ev.Stamped("r", 1, "s", 0, START, event))
    return state


def test_an_unknown_circuit_may_be_asked():
    assert 0.0 == circuit.check(Rules(), circuit.EMPTY, "main", START)


def test_an_open_circuit_is_left_alone_until_its_next_probe():
    state = told(ev.CircuitMoved("main", "closed", "open", START + 60))

    assert 20.0 == circuit.check(Rules(), state, "main", START + 40)
    assert 0.0 == circuit.check(Rules(), state, "main", START + 60)
    assert 0.0 == circuit.check(Rules(enabled=False), state, "main", START)


def test_a_closed_one_is_forgotten_and_a_resumed_run_asks_again():
    opened = ev.CircuitMoved("main", "closed", "open", START + 60)

    assert circuit.EMPTY == told(opened, ev.CircuitMoved("main", "half_open", "closed"))
    assert circuit.EMPTY == told(opened, ev.Resumed(1, "ada"))


# --- In a run -------------------------------------------------------------------------------------


def test_an_outage_costs_exactly_five_failures_before_the_primary_is_left_alone():
    """Five errors instead of fifty."""
    calls = [contract("look")]
    outage = ByProvider({"main": [DOWN], "spare": [asks(call("look", q=n)) for n in range(12)] + [Reply("done")]})
    play = Play(make_setup(policy(MAIN, SPARE), calls), outage)
    play.run()

    assert 5 == len([event for event in play.of(ev.ModelFailed) if event.provider == "main"])
    assert "done" == play.state.run.reason


def test_while_it_is_open_the_primary_is_skipped_and_nothing_waits_for_it():
    """A60, C86"""
    outage = ByProvider({"main": [DOWN], "spare": [asks(call("look", q=n)) for n in range(6)] + [Reply("done")]})
    play = Play(make_setup(policy(MAIN, SPARE), [contract("look")]), outage)
    play.run()
    opened = [one.seq for one in play.events if isinstance(one.event, ev.ModelFailed)][-1]
    later = [one.event.provider for one in play.events[opened:] if isinstance(one.event, ev.ModelAsked)]

    assert {"spare"} == set(later)
    assert [] == [one for one in play.events[opened:] if isinstance(one.event, ev.Retried)]


def test_on_recovery_the_primary_answers_again():
    """A62"""
    outage = ByProvider(
        {
            "main": [*[DOWN] * 5, Reply("from main")],
            "spare": [asks(call("look", q=1)), asks(call("look", q=2), took=70.0)],
        }
    )
    play = Play(make_setup(policy(MAIN, SPARE), [contract("look")]), outage)
    play.run()

    assert "from main" == play.state.run.answer
    assert [True] == [event.probe for event in play.asked if event.probe]
    assert "main" == play.asked[-1].provider


def test_an_open_circuit_ends_the_attempts_of_a_call_at_once():
    """A61, C87: the call is answered by the fallback in the same step."""
    rules = {"circuit": Rules(failure_threshold=2), "retry": retry.Rules(max_attempts=4)}
    play = played(policy(MAIN, SPARE, **rules), Script([DOWN, DOWN, Reply("from spare")]))
    fell = play.of(ev.FellBack)[0]

    assert ["main", "main", "spare"] == [event.provider for event in play.asked]
    assert ("main", "spare", "circuit open") == (fell.from_, fell.to, fell.reason)
    assert 1 == play.state.budget.steps


def test_every_circuit_open_ends_the_run_with_fourteen_and_says_how_long():
    """A83: distinguishable."""
    rules = {"circuit": Rules(failure_threshold=1), "retry": retry.Rules(max_attempts=1)}
    play = played(policy(MAIN, **rules), Script([DOWN]))
    end = play.of(ev.Completed)[-1]

    assert ("failed", "providers", 14) == (end.status, end.reason, end.exit_code)
    assert "Max retries exceeded: no provider is left (main: circuit open for 60s)" == end.message


def test_a_circuit_that_is_off_is_never_named():
    rules = {"circuit": Rules(enabled=False), "retry": retry.Rules(max_attempts=9, base_delay_s=0.1)}
    play = played(policy(MAIN, **rules), Script([DOWN]))

    assert 9 == len(play.asked)
    assert "circuit" not in play.of(ev.Completed)[-1].message


# --- Tools ----------------------------------------------------------------------------------------


def test_tools_have_a_threshold_of_their_own():
    """G15"""
    rules = ToolRules()

    assert (5, 0.5, 10, 60.0, 60.0, 1) == (
        rules.failure_threshold,
        rules.failure_rate,
        rules.min_calls,
        rules.window_s,
        rules.recovery_s,
        rules.half_open_probes,
    )


def test_what_a_run_was_told_in_times_to_come_it_asks_again():
    """The clock was set back."""
    opened = ev.Stamped("r", 1, "s", 0, 10_000.0, ev.CircuitMoved("main", "closed", "open", 10_060.0))
    state = circuit.apply(circuit.EMPTY, opened)
    closed = circuit.apply(state, ev.Stamped("r", 2, "s", 0, 10_001.0, ev.CircuitMoved("main", "open", "closed")))

    assert 60.0 == circuit.check(Rules(), state, "main", 10_000.0)
    assert 0.0 == circuit.check(Rules(), state, "main", 6_400.0)
    assert circuit.EMPTY == closed


def test_a_tool_that_keeps_failing_is_not_run_any_more():
    """D03, E08: `upstream is unhealthy`, and it may be tried later."""
    broken = {"look": [envelope.transient("it broke")]}
    many = [asks(call("look", q=n)) for n in range(4)]
    play = played(policy(), Script([*many, Reply("done")], broken), contract("look", retry_policy="none"))
    play_on = played(policy(), Script([*many, *many, Reply("done")], broken), contract("look"))
    last = play_on.answers[-1]

    assert 4 == len(play.of(ev.ToolStarted))
    assert 5 == len(play_on.of(ev.ToolStarted))
    assert ("transient", True, "upstream is unhealthy") == (last.error_type, last.retry_safe, last.result["message"])


def test_a_circuit_that_opens_between_two_attempts_ends_them():
    """G15: the sample's policy opens after 2."""
    rules = Rules(tools=ToolRules(failure_threshold=2))
    broken = {"look": [envelope.transient("it broke")]}
    play = played(policy(circuit=rules), Script([asks(call("look")), Reply("done")], broken), contract("look"))

    assert 2 == len(play.of(ev.ToolStarted))
    assert "upstream is unhealthy" == play.answers[0].result["message"]


def test_a_tools_permanent_errors_say_nothing_of_its_health():
    wrong = {"look": [envelope.permanent("no such order")]}
    many = [asks(call("look", q=n)) for n in range(8)]
    play = played(policy(**SAME_AGAIN), Script([*many, Reply("done")], wrong), contract("look"))

    assert 8 == len(play.of(ev.ToolStarted))
    assert 0.0 == circuit.check(Rules(), play.state.circuit, circuit.tool_name("look"), play.now)


def test_a_tool_that_answers_its_probe_is_well_again():
    script = Script(
        [
            *[asks(call("look", q=n)) for n in range(5)],
            asks(call("rest"), took=70.0),
            asks(call("look", q=9)),
            Reply("x"),
        ],
        {"look": [*[envelope.transient("it broke")] * 5, envelope.success("ok")]},
    )
    play = played(policy(), script, contract("look", retry_policy="none"), contract("rest"))

    assert [True] == [event.probe for event in play.of(ev.ToolStarted) if event.probe]
    assert 0.0 == circuit.check(Rules(), play.state.circuit, circuit.tool_name("look"), play.now)


class ByProvider(Script):
    """Each provider plays its own list."""

    def __init__(self, lists: dict[str, list[Any]]) -> None:
        super().__init__()
        self.lists = lists

    def model(self, asked: Any) -> Any:
        return self._next(asked.provider, self.lists[asked.provider])
