"""Who decides a call that may not run by itself, and what happens when nobody does."""

from typing import Any

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import approval
from agentctl.core.guards.approval import Rules, State
from tests.play import Play, Reply, Says, Script, asks, call, contract, make_setup, played, policy, writer

SEND = asks(call("send", to="a@example.com"))


def decided(*answers: Any) -> State:
    state = State()
    for number, answer in enumerate(answers):
        event = ev.ApprovalDecided("c1", answer, "person", 1.0, "", "digest")
        state = approval.apply(state, ev.Stamped("r", number, "s", 0, 0.0, event))
    return state


def test_three_denials_in_a_row_stop_the_run():
    assert not approval.check(Rules(), decided("deny", "deny"))
    assert approval.check(Rules(), decided("deny", "deny", "deny"))


def test_an_approval_in_between_starts_the_row_again():
    assert not approval.check(Rules(), decided("deny", "deny", "approve", "deny", "deny"))


def test_a_run_that_was_told_no_too_often_can_be_gone_on_with():
    over = ev.Completed("stopped", "denied", 13, 0, "")
    state = approval.apply(decided("deny", "deny", "deny"), ev.Stamped("r", 9, "s", 0, 0.0, over))

    assert not approval.check(Rules(), state)


def test_a_resume_alone_resets_no_limit():
    state = approval.apply(decided("deny", "deny", "deny"), ev.Stamped("r", 9, "s", 0, 0.0, ev.Resumed(9, "cli")))

    assert approval.check(Rules(), state)


def test_the_defaults_wait_five_minutes_and_then_park():
    rules = Rules()

    assert (300.0, "park", "park", 3, ()) == (
        rules.timeout_s,
        rules.on_timeout,
        rules.non_interactive,
        rules.max_denials,
        rules.command,
    )


def test_the_guard_can_be_off():
    play = played(policy(approval=Rules(enabled=False)), Script([SEND, Reply("done")]), writer("send"))

    assert not approval.check(Rules(enabled=False), decided("deny", "deny", "deny"))
    assert 1 == len(play.of(ev.ToolStarted))
    assert [] == play.of(ev.ApprovalRequested)


def test_a_denial_names_the_tool_and_carries_the_reason():
    """B42"""
    answer = approval.denied("send", "ask the customer first")

    assert "Action denied by user. Cannot proceed with send. Reason: ask the customer first" == answer.message
    assert "Action denied by user. Cannot proceed with send." == approval.denied("send", "").message
    assert ("permanent", False, "DENIED") == (answer.error_type, answer.retry_safe, answer.code)


# --- In a run -------------------------------------------------------------------------------------


def test_a_person_is_asked_before_the_call_runs():
    """D118, B59"""
    play = played(policy(), Script([SEND, Reply("sent")], people=[Says("approve")]), writer("send"))
    order = [type(one.event) for one in play.events if type(one.event).__name__[:4] in {"Appr", "Tool"}]

    assert [ev.ApprovalRequested, ev.ApprovalDecided, ev.ToolStarted, ev.ToolFinished] == order
    assert "sent" == play.state.run.answer


def test_a_denied_call_is_not_run_and_the_model_hears_why():
    """B42"""
    play = played(policy(), Script([SEND, Reply("ok")], people=[Says("deny", "not today")]), writer("send"))

    assert [] == play.of(ev.ToolStarted)
    assert "Action denied by user. Cannot proceed with send. Reason: not today" == play.answers[0].result["message"]
    assert "done" == play.state.run.reason


def test_a_run_that_keeps_asking_for_what_was_denied_stops_with_thirteen():
    many = [asks(call("send", n=n)) for n in range(9)]
    play = played(policy(), Script(many, people=[Says("deny")]), writer("send"))
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "denied", 13) == (end.status, end.reason, end.exit_code)
    assert 3 == len(play.of(ev.ApprovalDecided))


def test_a_person_can_stop_the_run():
    play = played(policy(), Script([SEND], people=[Says("stop")]), writer("send"))
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "denied", 13, "Stopped by a person.") == (end.status, end.reason, end.exit_code, end.message)
    assert [] == play.of(ev.ToolStarted)


def test_what_a_person_stopped_is_asked_for_again_on_resume():
    play = played(policy(), Script([SEND, Reply("sent")], people=[Says("stop"), Says("approve")]), writer("send"))
    stop = play.resume()

    assert "done" == stop.reason
    assert 1 == len(play.of(ev.ToolStarted))


def test_nobody_there_parks_the_run_and_the_answer_goes_on_with_it():
    """Paused and continued."""
    play = Play(make_setup(policy(), [writer("send")]), Script([SEND, Reply("sent")], people=[None, Says("approve")]))
    parked = play.run()
    done = play.resume()

    assert ("parked", "approval", 12) == (parked.status, parked.reason, parked.exit_code)
    assert "done" == done.reason
    assert 1 == len(play.of(ev.ApprovalRequested))
    assert 1 == len(play.of(ev.ToolStarted))


def test_where_nobody_can_answer_a_policy_may_deny():
    rules = Rules(non_interactive="deny")
    play = played(policy(approval=rules), Script([SEND, Reply("ok")], people=[None]), writer("send"))

    assert ["nobody can answer here"] == [one.why for one in play.of(ev.ApprovalDecided)]
    assert "done" == play.state.run.reason


def test_an_approval_holds_for_one_call_alone():
    """D70: single-use."""
    script = Script([SEND, asks(call("look")), SEND, Reply("x")], people=[Says("approve"), Says("deny")])
    play = played(policy(), script, writer("send"), contract("look"))

    assert 2 == len(play.of(ev.ApprovalRequested))
    assert 1 == len([start for start in play.of(ev.ToolStarted) if start.tool == "send"])


def test_a_retry_of_an_approved_call_does_not_ask_again():
    flaky = {"send": [envelope.server_error(503), envelope.success("ok")]}
    tool = writer("send", retry_policy="exponential_backoff")
    play = played(policy(), Script([SEND, Reply("sent")], flaky, people=[Says("approve")]), tool)

    assert 2 == len(play.of(ev.ToolStarted))
    assert 1 == len(play.of(ev.ApprovalRequested))
