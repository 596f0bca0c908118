"""What a run may cost: reserved before, settled after, never reset."""

from dataclasses import replace
from typing import Any

import pytest

from agentctl.core import events as ev
from agentctl.core.guards import budget
from agentctl.core.guards.budget import Reached, Room, Rules, State
from agentctl.core.messages import Usage
from agentctl.core.state import fold
from tests.play import PRICE, Play, Reply, Says, Script, asks, call, contract, make_setup, played, policy, writer

ROOM = {"prompt_tokens": 1_000, "most_output": 8_192, "landing": False}


def stamped(event: ev.Event, ts: float, seq: int = 1) -> ev.Stamped:
    return ev.Stamped("r_1", seq, "s_1", 0, ts, event)


def replied(cost: int, purpose: Any = "answer") -> ev.ModelReplied:
    return ev.ModelReplied("main", "id", "m", Usage(10, 5), cost, 1, "end_turn", "x", (), purpose, 5)


def failed(cost: int) -> ev.ModelFailed:
    return ev.ModelFailed("main", "id", "server", 500, None, "x", 1, "answer", cost, 1)


def after(*events: ev.Event, every: float = 1.0) -> State:
    state = State()
    for number, event in enumerate(events):
        state = budget.apply(state, stamped(event, 100.0 + number * every))
    return state


def test_a_run_may_cost_one_dollar_and_a_half():
    """A35"""
    assert 1_500_000 == budget.cap_micro(Rules(), State())


def test_a_run_may_take_twenty_steps():
    """A34, E13: 20 is generous."""
    look = contract("look")
    many = Script([asks(call("look", q=n)) for n in range(60)], cycle=True)
    play = played(policy(), many, look)

    assert 20 == play.state.budget.steps
    assert "max_steps" == play.state.run.reason


def test_the_last_answer_of_a_run_that_reached_its_steps_is_no_step_of_its_own():
    play = played(
        policy(budget=Rules(max_steps=2)), Script([asks(call("look", q=n)) for n in range(9)]), contract("look")
    )

    assert ["answer", "answer", "landing"] == [asked.purpose for asked in play.asked]


@pytest.mark.parametrize(
    ("key", "default"),
    [("max_tool_calls", 100), ("max_tool_errors", 20), ("max_wall_s", 3600.0), ("warn_at", 0.75), ("landing", 0.08)],
)
def test_the_limits_without_a_row_have_the_defaults_of_the_standard_policy(key, default):
    assert default == getattr(Rules(), key)


def test_budgets_beyond_the_run_are_off_unless_set():
    rules = Rules()

    assert (None, None, None, None) == (
        rules.session_usd,
        rules.user_daily_usd,
        rules.tenant_daily_usd,
        rules.hourly_usd,
    )


# --- Money ----------------------------------------------------------------------------------------


def test_what_is_reserved_is_the_worst_that_the_call_can_cost():
    room = budget.room(Rules(), State(), PRICE, **ROOM)

    assert Room(8_192, PRICE.worst(1_000, 8_192), 1_380_000) == room


def test_a_share_of_the_money_is_kept_back_for_the_last_answer():
    spent = State(spent_micro=1_380_000)
    landing = {**ROOM, "landing": True}

    assert isinstance(budget.room(Rules(), spent, PRICE, **ROOM), Reached)
    assert isinstance(budget.room(Rules(), spent, PRICE, **landing), Room)


def test_a_reply_is_made_shorter_before_it_is_not_made_at_all():
    spent = State(spent_micro=1_380_000 - PRICE.worst(1_000, 2_000))

    assert Room(2_000, PRICE.worst(1_000, 2_000), 1_380_000) == budget.room(Rules(), spent, PRICE, **ROOM)


def test_under_the_least_output_the_run_lands_instead():
    enough = State(spent_micro=1_380_000 - PRICE.worst(1_000, budget.LEAST_OUTPUT))
    short = replace(enough, spent_micro=enough.spent_micro + 1)

    assert isinstance(budget.room(Rules(), enough, PRICE, **ROOM), Room)
    assert isinstance(budget.room(Rules(), short, PRICE, **ROOM), Reached)


def test_a_provider_that_never_says_much_is_not_held_to_the_least_output():
    enough = State(spent_micro=1_380_000 - PRICE.worst(1_000, 100))
    room = budget.room(Rules(), enough, PRICE, prompt_tokens=1_000, most_output=100, landing=False)

    assert Room(100, PRICE.worst(1_000, 100), 1_380_000) == room


def test_reaching_the_money_says_what_is_and_what_would_come():
    """D46, C33: two decimals for what is, four for what would come."""
    reached = budget.room(Rules(run_usd=0.50), State(spent_micro=450_000), PRICE, **ROOM)

    assert Reached("run_usd", "run_usd limit exceeded: $0.45 + $0.0614 > $0.50") == reached


def test_a_limit_that_the_ledger_refused_is_named_with_its_own_figures():
    """G9: the lowest wins and is named."""
    state = after(ev.BudgetCounted("session_usd", 0.45, 0.50, "refused"))
    reached = budget.room(Rules(), state, PRICE, **ROOM)

    assert Reached("session_usd", "session_usd limit exceeded: $0.45 + $0.0614 > $0.50") == reached


def test_a_shared_limit_with_room_for_less_is_asked_for_less():
    """A02: what the budget still buys, whoever's it is."""
    state = after(ev.BudgetCounted("session_usd", 0.45, 0.50, "refused", 0.03))
    found = budget.room(Rules(), state, PRICE, **ROOM)

    assert isinstance(found, Room)
    assert 1_024 <= found.max_output_tokens < 2_000
    assert found.reserve_micro <= 30_000


def test_a_refusal_of_the_ledger_holds_where_no_price_is_known():
    state = after(ev.BudgetCounted("hourly_usd", 99.0, 100.0, "refused"))

    assert isinstance(budget.room(Rules(), state, None, **ROOM), Reached)


def test_a_refusal_of_the_ledger_is_over_after_the_next_reply():
    refused = ev.BudgetCounted("session_usd", 0.45, 0.50, "refused")

    assert "session_usd" == after(refused, failed(0)).refused
    assert "" == after(refused, replied(10)).refused
    assert "" == after(refused, ev.Resumed(1, "cli")).refused


def test_a_warning_of_the_ledger_refuses_nothing():
    assert "" == after(ev.BudgetCounted("run_usd", 1.2, 1.5, "warning")).refused


def test_without_a_price_nothing_is_reserved_and_without_the_guard_nothing_is_refused():
    """A02: other guards count on the reservation, whether or not this one limits it."""
    without = budget.room(Rules(enabled=False), State(spent_micro=10**9), PRICE, **ROOM)

    assert Room(8_192, 0, budget.UNLIMITED) == budget.room(Rules(), State(), None, **ROOM)
    assert Room(8_192, PRICE.worst(ROOM["prompt_tokens"], 8_192), budget.UNLIMITED) == without


def test_what_replies_and_failures_cost_is_counted():
    """A19, C22: recorded after the call, from what it really used."""
    assert 111 == after(replied(100), failed(11)).spent_micro


def test_a_call_is_settled_at_what_it_used_and_not_at_what_was_reserved():
    play = played(policy(), Script([Reply("done", usage=Usage(input=240, output=7))]))

    assert PRICE.cost(Usage(input=240, output=7)) == play.state.budget.spent_micro
    assert play.asked[0].reserved_micro > play.state.budget.spent_micro


def test_a_resume_raises_the_limits_and_forgets_nothing():
    """E28: a resume never starts with a full budget."""
    state = after(replied(1_000_000), ev.Resumed(1, "cli", add_micro=500_000, add_steps=5))

    assert 1_000_000 == state.spent_micro
    assert 1 == state.steps
    assert 2_000_000 == budget.cap_micro(Rules(), state)
    assert {"max_steps": 25} == {g.key: g.limit for g in budget.gauges(Rules(), state, 0) if g.key == "max_steps"}


# --- Steps, calls, errors -------------------------------------------------------------------------


def test_landing_and_summaries_are_no_steps():
    assert 1 == after(replied(1), replied(1, "landing"), replied(1, "summary")).steps


def test_a_limit_is_reached_at_its_number_and_not_before():
    """C32, G18: at iterations >= max."""
    rules = Rules(max_steps=2)

    assert None is budget.check(rules, State(steps=1), 0)
    assert "max_steps" == getattr(budget.check(rules, State(steps=2), 0), "reason", "")


def test_a_reached_limit_speaks_in_the_words_of_the_contract():
    """A39"""
    reached = budget.check(Rules(), State(steps=20), 0)

    assert "Could not complete: max_steps of 20 reached. Please try a more specific query." == getattr(
        reached, "message", ""
    )


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State(steps=20), "max_steps"),
        (State(tool_calls=100), "max_tool_calls"),
        (State(tool_errors=20), "max_tool_errors"),
        (State(active_s=3600.0), "max_wall_s"),
    ],
)
def test_every_limit_of_the_table_stops_the_run_under_its_own_name(state, reason):
    """C51, A33, A82: several dimensions in one evaluator."""
    assert reason == getattr(budget.check(Rules(), state, 0.0), "reason", "")
    assert None is budget.check(Rules(enabled=False), state, 0.0)


def test_a_call_is_not_stopped_by_the_steps_but_by_its_own_limits():
    assert None is budget.check_call(Rules(), State(steps=20), 0.0)
    assert "max_tool_calls" == getattr(budget.check_call(Rules(), State(tool_calls=100), 0.0), "reason", "")
    assert None is budget.check_call(Rules(enabled=False), State(tool_calls=100), 0.0)


def test_only_first_attempts_are_tool_calls_and_only_final_errors_are_tool_errors():
    """D03, D124: agents need an error budget."""
    start = ev.ToolStarted("c1", "look", {}, "safe", 1, effect=False, timeout_s=5)
    end = ev.ToolFinished("c1", "look", "error", "transient", True, 1, {}, 1)
    state = after(start, replace(end, final=False), replace(start, attempt=2), end)

    assert (1, 1) == (state.tool_calls, state.tool_errors)


def test_an_error_that_two_calls_share_counts_once():
    end = ev.ToolFinished("c1", "look", "error", "permanent", False, 1, {}, 1)

    assert 1 == after(end, replace(end, call_id="c2", shared_with="c1")).tool_errors


def test_calls_beyond_the_limit_are_answered_without_running():
    rules = Rules(max_tool_calls=1)
    script = Script([asks(call("look", q=1), call("look", q=2)), Reply("so far")])
    play = played(policy(budget=rules), script, contract("look"))

    assert [None, "LIMIT"] == [answer.code for answer in play.answers]
    assert 1 == len(play.of(ev.ToolStarted))
    assert ("max_tool_calls", 10) == (play.state.run.reason, play.of(ev.Completed)[-1].exit_code)


# --- Time -----------------------------------------------------------------------------------------


def test_waiting_for_a_person_takes_no_time_of_the_run():
    slow = Script([asks(call("send")), Reply("sent")], people=[Says("approve", waited=100_000.0)])
    play = played(policy(), slow, writer("send"))

    assert "done" == play.state.run.reason
    assert 2.5 == pytest.approx(play.state.budget.active_s)


def test_the_time_between_two_drives_is_not_counted():
    play = Play(make_setup(policy(), [writer("send")]), Script([asks(call("send")), Reply("sent")], people=[None]))
    play.run()
    play.now += 1_000_000.0
    play.script.people = [Says("approve")]
    play.resume()

    assert "done" == play.state.run.reason
    assert 2.5 == pytest.approx(play.state.budget.active_s)


def test_the_time_since_the_last_event_counts_already():
    state = after(replied(1), replied(1), every=10.0)
    gauge = budget.gauges(Rules(), state, now=125.0)[-1]

    assert ("max_wall_s", 25.0, 3600.0) == (gauge.key, gauge.used, gauge.limit)


def test_a_clock_that_jumps_back_takes_no_time_away():
    state = budget.apply(after(replied(1), replied(1), every=10.0), stamped(replied(1), 50.0))

    assert 10.0 == state.active_s


def test_gauges_say_how_close_every_limit_is():
    """C31: iterations, cost and the rest, from the journal."""
    play = played(policy(), Script([asks(call("look", q=1)), Reply("done")]), contract("look"))
    used = {gauge.key: gauge.used for gauge in budget.gauges(Rules(), fold(play.events).budget, play.now)}

    assert 2 == used["max_steps"]
    assert 1 == used["max_tool_calls"]
    assert 0 < used["run_usd"] < 1.5
