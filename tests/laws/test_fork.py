"""A fork at any safe point is the run that it was forked from, with nothing spent, called or approved."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.events import Forked, ModelReplied, Stamped, ToolFinished, ToolStarted
from agentctl.core.forking import is_safe, own_from, safe_points
from agentctl.core.guards import budget, results
from agentctl.core.state import State, fold
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays, scripts
from tests.play import Crashed, Play


def forked(parent: Play, at: int, **changes: object) -> Play:
    """What the runner does: the events up to a seq, and the one that says where they are from."""
    fork = Play(parent.setup, parent.script, most=2 * parent.most)
    fork.events = [replace(stamped, run_id="r_2") for stamped in parent.events[:at]]
    fork.state, fork.now = fold(fork.events), parent.events[-1].ts
    fork.args, fork.results = dict(parent.args), dict(parent.results)
    fork.circuits = dict(parent.circuits)
    fork.record(Forked("r_1", at, "tests", **changes))  # type: ignore[arg-type]  # fields of Forked
    return fork


def a_point(data: st.DataObject, play: Play) -> int:
    return data.draw(st.sampled_from(safe_points(play.events)))


@examples(100)
@given(plays(crashes=True), st.data())
def test_a_fork_begins_with_the_conversation_of_its_parent_and_none_of_its_spend(play: Play, data: st.DataObject):
    """B48: what would be sent next is what the parent would have sent, thinking included."""
    run_through(play)
    at = a_point(data, play)
    before, after = fold(play.events[:at]), forked(play, at).state

    assert before.transcript == after.transcript
    assert before.prompt_tokens == after.prompt_tokens
    assert (before.loops, before.progress, before.trust) == (after.loops, after.progress, after.trust)
    assert before.run.step == after.run.step
    assert replace(after.budget, last_ts=0.0) == budget.State()
    assert (0, 0) == (after.tokens.used, after.tokens.raised)
    assert results.EMPTY == after.results
    assert after.approval.remembered == ()
    assert [] == [call for call in after.inflight.open_calls if call.phase != "proposed" or call.approved]


@examples(100)
@given(plays(crashes=True), scripts(), st.data())
def test_no_tool_runs_again_in_a_fork_for_a_call_that_was_copied_with_its_answer(play: Play, script, data):
    """E35: the fork ends, its state is what its journal says, and each call has one final answer."""
    run_through(play)
    at = a_point(data, play)
    fork = forked(play, at)
    fork.script = script
    done = {one.event.call_id for one in play.events[:at] if isinstance(one.event, ToolFinished) and one.event.final}
    for _ in range(3):
        try:
            fork.resume()
        except Crashed:
            continue
    started = {one.event.call_id for one in fork.events[at:] if isinstance(one.event, ToolStarted)}

    assert fold(fork.events) == fork.state
    assert at + 1 == own_from(fork.events)
    assert not done & started


@examples(60)
@given(plays(crashes=True), st.data())
def test_another_goal_drops_all_thinking_from_before_it_and_nothing_else(play: Play, data: st.DataObject):
    """The goal is the first message: whatever was bound to the prefix is bound to it."""
    run_through(play)
    at = a_point(data, play)
    before = fold(play.events[:at]).transcript
    after = forked(play, at, goal="another", goal_tokens=7).state.transcript

    assert before.epoch + 1 == after.epoch
    assert at + 1 == after.bare_until
    assert [entry.parts for entry in before.entries] == [entry.parts for entry in after.entries]
    assert 7 + before.summary_tokens == after.entries[0].tokens
    assert after.tokens == sum(entry.tokens for entry in after.entries)


@examples(60)
@given(plays(crashes=True))
def test_the_first_event_is_a_safe_point_and_no_call_is_under_way_at_any(play: Play):
    run_through(play)
    points = safe_points(play.events)
    state = State()

    assert 1 == points[0]
    for stamped in play.events:
        state = fold([stamped], state)
        under_way = state.inflight.asked is not None or begun(play.events[: stamped.seq])
        assert not (under_way and is_safe(state))


def begun(events: list[Stamped]) -> bool:
    """Whether a call of the last reply was started and has no final answer, told without the fold."""
    open_calls: set[str] = set()
    for stamped in events:
        match stamped.event:
            case ModelReplied(purpose="answer" | "landing"):
                open_calls.clear()
            case ToolStarted(call_id=call_id):
                open_calls.add(call_id)
            case ToolFinished(call_id=call_id, final=True):
                open_calls.discard(call_id)
            case _:
                pass
    return bool(open_calls)
