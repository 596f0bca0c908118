"""Laws 2 and 3, the core's half: what a process knows while it runs is what the journal says, at any point."""

from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.events import Stamped
from agentctl.core.state import State, fold
from tests.laws.worlds import examples, plays
from tests.play import Crashed, Play


def run_through(play: Play, lives: int = 4) -> None:
    """Run, and resume after each crash and each stop, so many times."""
    for life in range(lives):
        try:
            if life:
                play.resume(add_micro=100_000, add_steps=2, add_tokens=2_000, quiet_at=play.now + 5)
            else:
                play.run()
        except Crashed:
            continue


@examples(40)
@given(plays(crashes=True))
def test_the_live_state_equals_the_folded_state_after_every_event(play: Play):
    """D102"""

    def watch(play: Play, stamped: Stamped) -> None:
        if stamped.seq <= 40 or stamped.seq % 25 == 0:
            assert fold(play.events) == play.state

    play.watch = watch
    run_through(play, lives=2)

    assert fold(play.events) == play.state


@examples(60)
@given(plays(crashes=True), st.data())
def test_a_state_folded_in_two_parts_is_the_state_folded_in_one(play: Play, data: st.DataObject):
    run_through(play)
    at = data.draw(st.integers(0, len(play.events)))

    assert fold(play.events) == fold(play.events[at:], fold(play.events[:at]))


@examples(60)
@given(plays(crashes=True))
def test_folding_leaves_the_older_states_as_they_were(play: Play):
    """C78"""
    run_through(play, lives=2)
    states = [State()]
    for stamped in play.events:
        states.append(fold([stamped], states[-1]))
    before = [repr(state) for state in states[:40]]
    fold(play.events, states[0])

    assert before == [repr(state) for state in states[:40]]


@examples(60)
@given(plays(crashes=True))
def test_a_run_that_crashed_and_went_on_never_forgets_what_it_spent(play: Play):
    spent = 0
    steps = 0

    def watch(play: Play, _: Stamped) -> None:
        nonlocal spent, steps
        assert play.state.budget.spent_micro >= spent
        assert play.state.budget.steps >= steps
        spent, steps = play.state.budget.spent_micro, play.state.budget.steps

    play.watch = watch
    run_through(play)

    billed = sum(getattr(stamped.event, "cost_micro", 0) for stamped in play.events if has_bill(stamped))

    assert billed == play.state.budget.spent_micro


def has_bill(stamped: Stamped) -> bool:
    return type(stamped.event).__name__ in {"ModelReplied", "ModelFailed"}
