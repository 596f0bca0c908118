"""When to stop trying and give the case to a person, once and concisely."""

import pytest

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import handoff
from agentctl.core.guards.handoff import Rules
from agentctl.core.tiers import Tier
from tests.play import SAME_AGAIN, Play, Reply, Says, Script, asks, call, contract, played, policy, writer

BROKEN = envelope.permanent("no such order")
FINE = envelope.success("fine")
LOOK, SEND = contract("look"), writer("send")
ON = {"enabled": True, "contact": "ops@example.com"}


def asked(count: int):
    return [asks(call("look", q=n)) for n in range(count)]


def run(replies, *answers, people=(None,), **rules) -> Play:
    tables = {"handoff": Rules(**{**ON, **rules}), **SAME_AGAIN}
    script = Script([*replies, Reply("done")], {"look": list(answers or (BROKEN,))}, people)
    return played(policy(**tables), script, LOOK, SEND)


def test_handing_off_is_off_until_there_is_a_contact():
    rules = Rules()

    assert (False, "") == (rules.enabled, rules.contact)
    assert "done" == run(asked(9), enabled=False).state.run.reason


def test_five_tool_errors_in_a_row_are_handed_off_and_no_tier_is():
    rules = Rules()

    assert (5, "") == (rules.after_tool_errors, rules.before_tier)


def test_repeated_tool_errors_are_given_to_a_person():
    """D93, D92: one message with reason and contact, and no apologies of the model."""
    play = run(asked(9))
    end = play.of(ev.Completed)[-1]
    reason = "5 tool errors in a row, the last of look"

    assert ("stopped", "handoff", 19) == (end.status, end.reason, end.exit_code)
    assert [ev.HandedOff(reason, "ops@example.com")] == play.of(ev.HandedOff)
    assert f"Handed over to ops@example.com: {reason}." == end.answer == end.message
    assert (5, ["answer"] * 5) == (len(play.of(ev.ToolStarted)), [one.purpose for one in play.asked])


def test_a_success_in_between_begins_the_count_anew():
    play = run(asked(9), BROKEN, BROKEN, BROKEN, BROKEN, FINE, BROKEN, BROKEN, BROKEN, BROKEN)

    assert "done" == play.state.run.reason


def test_only_calls_that_ran_are_counted():
    bad = [asks(call("look", bad=n)) for n in range(9)]

    assert "done" == run([*bad, asks(call("nonsense"))]).state.run.reason


def test_attempts_of_one_call_count_once():
    play = run(asked(1), envelope.transient("it broke"), after_tool_errors=2)

    assert ("done", 3) == (play.state.run.reason, len(play.of(ev.ToolStarted)))


def test_a_resume_goes_on_and_counts_anew():
    play = run(asked(9))
    stop = play.resume()

    assert ("done", 9) == (stop.reason, len(play.of(ev.ToolStarted)))
    assert "done" == play.state.run.answer
    play = run(asked(20))
    play.resume()

    assert 2 == len(play.of(ev.HandedOff)), "and hands over again after as many"


def test_calls_that_were_still_open_wait_for_the_resume():
    play = run([asks(*[call("look", q=n) for n in range(7)])])
    open_ = len(play.state.inflight.open_calls)
    stop = play.resume()

    assert (2, "done") == (open_, stop.reason)


def test_before_a_dangerous_call_the_case_is_given_away():
    """D94: instead of asking, from this tier on; the call is not made."""
    play = run([asks(call("send", to="bob"))], before_tier="medium", people=[Says("approve")])
    end = play.of(ev.Completed)[-1]

    assert [] == play.of(ev.ToolStarted, ev.ApprovalRequested)
    assert ("handoff", 19) == (end.reason, end.exit_code)
    assert "Handed over to ops@example.com: send needs a person's decision (risk medium)." == end.answer


def test_below_that_tier_a_person_is_asked():
    play = run([asks(call("send", to="bob"))], before_tier="high", people=[Says("approve")])

    assert ("done", 1) == (play.state.run.reason, len(play.of(ev.ApprovalRequested)))


def test_what_runs_by_itself_is_not_handed_off():
    assert "done" == run(asked(2), FINE, before_tier="safe").state.run.reason


def test_who_resumes_is_asked_as_always():
    play = run([asks(call("send", to="bob"))], before_tier="medium", people=[Says("approve")])
    stop = play.resume()

    assert ("done", 1, 1) == (stop.reason, len(play.of(ev.HandedOff)), len(play.of(ev.ApprovalRequested)))


@pytest.mark.parametrize("tier", list(Tier))
def test_tiers_are_compared_as_numbers(tier):
    """H1"""
    handed = [
        handoff.check_call(Rules(**ON, before_tier=word), handoff.State(), "c1", "send", tier) is not None
        for word in ("safe", "low", "medium", "high")
    ]

    assert [Tier.of(word) <= tier for word in ("safe", "low", "medium", "high")] == handed


def test_what_is_remembered_is_bounded():
    state = handoff.State()
    for number in range(200):
        event = ev.HandedOff("why", "ada", f"c{number}")
        state = handoff.apply(state, ev.Stamped("r", number, "s", 0, 0.0, event))

    assert handoff.MOST_HANDED == len(state.handed)
