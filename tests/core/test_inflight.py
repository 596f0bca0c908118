"""What has been started and not yet been settled."""

from dataclasses import replace
from typing import Any

import pytest

from agentctl.core import events as ev
from agentctl.core import inflight
from agentctl.core.inflight import State
from agentctl.core.messages import Usage

ASKED = ev.ModelAsked("main", "id", "m", 1, "answer", 10, 10, 5)
FAILED = ev.ModelFailed("main", "id", "server", 500, None, "x", 1, "answer", 0, 1)
FINISHED = ev.ToolFinished("c1", "look", "success", None, False, 1, {}, 1)
STARTED = ev.ToolStarted("c1", "look", {}, "low", 1, effect=False, timeout_s=5)


def replied(*call_ids: str) -> ev.ModelReplied:
    calls = tuple(ev.CallProposed(call_id, f"w{call_id}", "look", {}, call_id) for call_id in call_ids)
    return ev.ModelReplied("main", "id", "m", Usage(1, 1), 0, 1, "tool_use", "", calls, "answer", 1)


def after(*events: ev.Event) -> State:
    state = State()
    for number, event in enumerate(events, 1):
        state = inflight.apply(state, ev.Stamped("r", number, "s", 0, 100.0, event))
    return state


def phase(*events: ev.Event) -> Any:
    call = inflight.find(after(*events), "c1")
    return None if call is None else call.phase


def test_a_model_call_is_open_from_its_intent_to_its_outcome():
    """What a crashed worker had begun is known."""
    assert ASKED == after(ASKED).asked
    assert None is after(ASKED, replied()).asked
    assert None is after(ASKED, FAILED).asked


def test_a_failure_stands_until_something_was_decided():
    assert FAILED == after(ASKED, FAILED).failed
    assert None is after(ASKED, FAILED, ev.FellBack("main", "spare", "x")).failed
    assert None is after(ASKED, FAILED, ev.ContextTrimmed(1, 2, 3, 4)).failed
    assert None is after(ASKED, FAILED, ASKED).failed


def test_a_retry_is_due_at_its_moment():
    assert 102.5 == after(ASKED, FAILED, ev.Retried(1, 2.5)).retry_at
    assert 0.0 == after(ASKED, FAILED, ev.Retried(1, 2.5), ASKED).retry_at


def test_providers_that_had_their_attempts_are_remembered_once_until_the_next_reply():
    gone = ev.FellBack("main", "spare", "x")

    assert ("main",) == after(gone, gone).passed
    assert () == after(gone, replied()).passed


@pytest.mark.parametrize(
    ("phase_", "events"),
    [
        ("proposed", []),
        ("waiting", [ev.ApprovalRequested("c1", "look", "high", "rule", "digest", {})]),
        ("approved", [ev.ApprovalDecided("c1", "approve", "ann", 1.0, "", "digest")]),
        ("denied", [ev.ApprovalDecided("c1", "deny", "ann", 1.0, "no", "digest")]),
        ("stopped", [ev.ApprovalDecided("c1", "stop", "ann", 1.0, "", "digest")]),
        ("started", [STARTED]),
        ("started", [STARTED, replace(FINISHED, final=False)]),
        ("retrying", [STARTED, replace(FINISHED, final=False), ev.Retried(1, 1.0, "c1")]),
        ("done", [STARTED, FINISHED]),
        ("done", [replace(FINISHED, ran=False)]),
    ],
)
def test_a_call_goes_through_its_phases(phase_, events):
    assert phase_ == phase(replied("c1", "c2"), *events)
    assert "proposed" == after(replied("c1", "c2"), *events).calls[1].phase


def test_open_calls_are_those_without_an_answer_in_call_order():
    state = after(replied("c1", "c2", "c3"), replace(FINISHED, call_id="c2"))

    assert ["c1", "c3"] == [call.call_id for call in state.open_calls]
    assert None is inflight.find(state, "c9")


def test_a_retry_of_a_tool_is_no_retry_of_a_model():
    state = after(replied("c1"), STARTED, ev.Retried(1, 2.0, "c1"))

    assert 0.0 == state.retry_at
    assert (102.0, 2.0, 1) == (state.calls[0].retry_at, state.calls[0].delay_s, state.calls[0].attempts)


def test_a_reply_is_answered_by_whatever_is_said_next():
    said = ev.Decided("before_answer", "answer", "say", "cut", "go on")

    assert None is not after(replied()).last
    assert None is after(replied(), said).last
    assert None is after(replied(), ASKED).last


def test_a_landing_note_does_not_answer_a_reply():
    landing = ev.Decided("before_model", "budget", "land", "max_steps", "the last reply")

    assert None is not after(replied(), landing).last


def test_a_resume_forgets_what_was_begun_with_a_model_and_keeps_what_was_begun_with_tools():
    state = after(replied("c1"), STARTED, FAILED, ev.FellBack("main", "", "x"), ev.Resumed(9, "cli"))

    assert (None, None, 0.0, ()) == (state.asked, state.failed, state.retry_at, state.passed)
    assert "started" == state.calls[0].phase


def test_a_resume_asks_again_for_what_was_stopped():
    stop = ev.ApprovalDecided("c1", "stop", "ann", 1.0, "", "digest")

    assert "proposed" == phase(replied("c1"), stop, ev.Resumed(9, "cli"))


def test_what_was_in_doubt_when_a_person_stopped_the_run_is_in_doubt_still():
    """E30: or it would happen a second time."""
    stopped = ev.ApprovalDecided("c1", "stop", "ann", 1.0, "", "digest")

    assert "started" == phase(replied("c1"), STARTED, stopped, ev.Resumed(3, "ann"))
