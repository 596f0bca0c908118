"""Which messages a request carries, by the events that hold them."""

from dataclasses import replace

from agentctl.core import events as ev
from agentctl.core import transcript
from agentctl.core.messages import Usage
from agentctl.core.transcript import ANSWERS_OVERHEAD, State

START = ev.RunStarted("t", "p", "d", "u", "", "goal", "system", 100, 40, {})
FINISHED = ev.ToolFinished("c1", "look", "success", None, False, 1, {}, 30)


def replied(*call_ids: str, purpose: str = "answer", tokens: int = 20) -> ev.ModelReplied:
    calls = tuple(ev.CallProposed(call_id, f"w{call_id}", "look", {}, call_id) for call_id in call_ids)
    return ev.ModelReplied("main", "id", "m", Usage(1, tokens), 0, 1, "", "", calls, purpose, tokens)  # type: ignore[arg-type]


def answer(call_id: str, **changes) -> ev.ToolFinished:
    return replace(FINISHED, call_id=call_id, **changes)


def after(*events: ev.Event) -> State:
    state = State()
    for number, event in enumerate((START, *events), 1):
        state = transcript.apply(state, ev.Stamped("r", number, "s", 0, 0.0, event))
    return state


def kinds(state: State) -> list[tuple[str, int]]:
    return [(entry.kind, entry.seq) for entry in state.entries]


def test_the_goal_comes_first():
    assert [("goal", transcript.GOAL_SEQ)] == kinds(after())
    assert 40 == after().tokens


def test_answers_enter_together_when_the_last_is_there():
    """A26"""
    half = after(replied("c1", "c2"), answer("c2"))
    whole = after(replied("c1", "c2"), answer("c2"), answer("c1"))

    assert [("goal", 1), ("reply", 2)] == kinds(half)
    assert [("goal", 1), ("reply", 2), ("answers", 3)] == kinds(whole)
    assert 40 + 20 + 60 + ANSWERS_OVERHEAD == whole.tokens


def test_answers_stand_in_the_order_of_the_calls_however_they_came():
    """The same input, the same order."""
    state = after(replied("c1", "c2", "c3"), answer("c3"), answer("c1"), answer("c2"))

    assert (4, 5, 3) == state.entries[-1].parts


def test_an_attempt_that_is_tried_again_is_no_answer():
    assert [("goal", 1), ("reply", 2)] == kinds(after(replied("c1"), answer("c1", final=False)))


def test_an_answer_to_nothing_that_was_asked_is_left_out():
    assert [("goal", 1), ("reply", 2)] == kinds(after(replied("c1"), answer("c9")))
    assert [("goal", 1)] == kinds(after(answer("c1")))


def test_a_summary_is_no_message_of_the_conversation():
    assert [("goal", 1)] == kinds(after(replied(purpose="summary")))


def test_what_is_said_to_the_model_is_a_message_and_a_silent_decision_is_none():
    said = ev.Decided("before_answer", "answer", "say", "cut", "go on", 5)

    assert [("goal", 1), ("note", 2)] == kinds(after(said, replace(said, text="")))
    assert 45 == after(said).tokens


def test_a_reply_and_its_answers_are_one_unit_and_a_note_belongs_to_the_unit_before():
    """A26"""
    said = ev.Decided("before_answer", "answer", "say", "cut", "go on", 5)
    state = after(said, replied("c1"), answer("c1"), said, replied())

    assert [["note"], ["reply", "answers", "note"], ["reply"]] == [
        [entry.kind for entry in unit] for unit in transcript.units(state)
    ]


def test_a_trim_keeps_the_goal_and_what_comes_from_its_first_message_on():
    """D14, H6, A26: the goal is never dropped."""
    state = after(replied("c1"), answer("c1"), replied("c2"), answer("c2"), ev.ContextTrimmed(1, 2, 2, 4))

    assert [("goal", 1), ("reply", 4), ("answers", 5)] == kinds(state)
    assert 40 + 20 + 30 + ANSWERS_OVERHEAD == state.tokens


def test_what_was_rewritten_is_sent_without_thinking_up_to_there():
    trimmed = after(replied(), ev.ContextTrimmed(1, 2, 0, 2))

    assert (0, 0) == (after(replied()).epoch, after(replied()).bare_until)
    assert (1, 3) == (trimmed.epoch, trimmed.bare_until)


def test_a_resume_rewrites_only_where_the_prefix_changed():
    same, other = ev.Resumed(2, "cli"), ev.Resumed(2, "cli", fixed_tokens=120)

    assert (0, 0) == (after(replied(), same).epoch, after(replied(), same).bare_until)
    assert (1, 3) == (after(replied(), other).epoch, after(replied(), other).bare_until)
