"""Where a run stands: folded from the journal and from nothing else."""

from dataclasses import replace

import pytest

from agentctl.core import events as ev
from agentctl.core.messages import Usage
from agentctl.core.state import MOST_DEGRADED, Run, State, apply, fold
from tests.play import Reply, Script, asks, call, contract, played, policy

START = ev.RunStarted("t", "p", "d", "u", "", "goal", "system", 100, 40, {}, rehearsed=True)
REPLY = ev.ModelReplied("main", "id", "m", Usage(10, 5), 3, 1, "end_turn", "text", (), "answer", 5)
LAND = ev.Decided("before_model", "budget", "land", "max_steps", "note", 4, "sentence")


def after(*events: ev.Event) -> Run:
    stamped = [ev.Stamped("r", number, "s", 0, 10.0 + number, event) for number, event in enumerate(events, 1)]
    return fold(stamped).run


def test_a_run_begins_with_its_first_event():
    run = after(START)

    assert ("t", "running", 11.0, 100, True) == (run.task, run.status, run.started, run.fixed_tokens, run.rehearsed)


def test_a_state_knows_how_far_it_was_folded():
    assert 0 == fold([]).seq
    assert 2 == fold([ev.Stamped("r", 1, "s", 0, 1.0, START), ev.Stamped("r", 2, "s", 0, 2.0, REPLY)]).seq


def test_the_size_of_the_next_request_is_prompt_goal_and_conversation():
    """C28: known before the call."""
    begun = fold([ev.Stamped("r", 1, "s", 0, 1.0, START)])

    assert 100 + 40 == begun.prompt_tokens
    assert 10 + 5 == apply(begun, ev.Stamped("r", 2, "s", 0, 2.0, REPLY)).prompt_tokens


def test_steps_are_answers():
    assert 1 == after(START, REPLY, replace(REPLY, purpose="landing"), replace(REPLY, purpose="summary")).step


@pytest.mark.parametrize("status", ["stopped", "completed", "failed", "parked", "paused", "cancelled"])
def test_a_run_is_what_its_last_event_says(status):
    run = after(START, ev.Completed(status, "why", 1, 0, ""))

    assert (status, "why") == (run.status, run.reason)


def test_a_resumed_run_is_running_again_and_no_longer_landing():
    run = after(START, LAND, ev.Completed("stopped", "max_steps", 10, 0, ""), ev.Resumed(3, "cli"))

    assert ("running", "", None, 100) == (run.status, run.reason, run.landing, run.fixed_tokens)
    assert LAND == after(START, LAND).landing


def test_a_resume_under_another_prompt_takes_its_size():
    assert 250 == after(START, ev.Resumed(1, "cli", fixed_tokens=250)).fixed_tokens


def test_the_answer_is_what_was_said_since_the_last_call():
    play = played(policy(), Script([asks(call("look"), text="let me look"), Reply("found")]), contract("look"))

    assert "found" == play.state.run.answer


def test_degradations_are_kept_once_each_and_not_without_end():
    """The user is told, and told once."""
    same = ev.Degraded("spare", "less polished")
    many = [ev.Degraded("spare", f"notice {n}") for n in range(100)]

    assert (same,) == after(START, same, same).degraded
    assert MOST_DEGRADED == len(after(START, *many).degraded)


def test_what_nobody_knows_changes_nothing_but_the_place():
    """Old and newer journals stay readable."""
    state = fold([ev.Stamped("r", 1, "s", 0, 1.0, START)])
    odd = apply(state, ev.Stamped("r", 2, "s", 0, 1.0, ev.Failed("code", "message")))

    assert (state.run, 2) == (odd.run, odd.seq)
    assert (state.transcript, state.inflight, state.loops) == (odd.transcript, odd.inflight, odd.loops)


def test_nothing_folded_is_the_empty_state():
    assert State() == fold([])
    assert State() == fold([], State())
