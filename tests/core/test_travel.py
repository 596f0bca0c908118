"""Going back in a run."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core import gauges, summary, timeline
from agentctl.core.events import Stamped
from agentctl.core.policy import Policy
from agentctl.core.state import State, apply
from agentctl.core.summary import Summary
from agentctl.core.travel import STRIDE, Travel
from tests.tui.scene import DONE, NOW, WAITING, WORKING, steps

LONG = [DONE[0], *steps(70)]
RUNS = [DONE, WAITING, WORKING, LONG]


def stamped(events):
    step, found = 0, []
    for seq, event in enumerate(events, 1):
        step += type(event).__name__ == "ModelAsked"
        found.append(Stamped("r_1", seq, "s_1", step, NOW + seq, event))
    return found


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(range(len(RUNS))), st.lists(st.integers(1, len(LONG)), min_size=1, max_size=5))
def test_a_moment_is_the_fold_up_to_it_however_one_came_there(run, counts):
    events = RUNS[run]
    seen = stamped(events)
    travel, policy = Travel(seen, Policy()), Policy()
    for count in (min(count, len(seen)) for count in counts):
        moment = travel.at(count)
        state, totals = State(), Summary()
        for each in seen[:count]:
            state, totals = apply(state, each), summary.apply(totals, each.event)

        assert gauges.gauges(policy, state, totals, seen[count - 1].ts) == moment.gauges
        assert timeline.rows(seen[:count], live=count < len(seen)) == moment.rows
        assert count == moment.frame.seq


def test_a_long_run_keeps_one_state_for_each_stride():
    travel = Travel(stamped(LONG), None)
    travel.at(len(LONG))

    assert len(LONG) // STRIDE + 1 == len(travel._kept)


def test_beyond_either_end_is_the_end():
    travel = Travel(stamped(DONE), None)

    assert 1 == travel.at(-5).count
    assert len(DONE) == travel.at(10_000).count


def test_steps_are_gone_through_by_their_last_events():
    seen = stamped(DONE)
    travel = Travel(seen, None)
    forth = [1]
    while forth[-1] < len(seen):
        forth.append(travel.step(forth[-1], 1))

    assert [0, 1, 2, 3, 4] == [seen[at - 1].step for at in forth]
    assert forth[-2] == travel.step(forth[-1], -1)
