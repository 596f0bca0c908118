"""Every run ends, and none goes over: whatever the world answers."""

from collections import Counter

from hypothesis import given

from agentctl.core.events import (
    ApprovalDecided,
    CallSettled,
    ModelAsked,
    ModelReplied,
    Stamped,
    ToolFinished,
    ToolStarted,
)
from agentctl.core.guards import budget, handoff, loops, progress, trust
from agentctl.core.inflight import MOST_CALLS
from agentctl.core.state import MOST_DEGRADED
from tests.laws.test_fold import run_through
from tests.laws.worlds import TOOLS, examples, plays
from tests.play import Play

CODES = {
    "done": {0},
    "denied": {13},
    "providers": {14},
    "invalid_args": {15},
    "refusal": {18},
    "approval": {12},
    "unknown_outcome": {12},
    "output": {15},
    "system_prompt": {15},
    "loop": {11},
    "no_progress": {11},
    "handoff": {19},
}


@examples(200)
@given(plays())
def test_every_run_ends_within_a_bounded_number_of_actions(play: Play):
    """B01 C79"""
    stop = play.run()
    rules = play.setup.policy

    # A step is at most: each provider's attempts, twice for a context error; landing is one step more.
    calls = 2 * rules.retry.max_attempts * len(rules.providers)

    assert len(play.asked) <= (rules.budget.max_steps + 1) * calls
    assert stop.exit_code in CODES.get(stop.reason, {10})
    assert stop.status != "running"


@examples(100)
@given(plays())
def test_no_call_is_asked_for_that_could_go_over_the_budget(play: Play):
    """B53, C33: reserved and spent together stay within the cap at every request."""

    def watch(play: Play, stamped: Stamped) -> None:
        if isinstance(stamped.event, ModelAsked):
            reserved = stamped.event.reserved_micro
            cap = budget.cap_micro(play.setup.policy.budget, play.state.budget)
            assert play.state.budget.spent_micro + reserved <= cap

    play.watch = watch
    run_through(play)

    assert play.state.budget.spent_micro <= budget.cap_micro(play.setup.policy.budget, play.state.budget)


@examples(100)
@given(plays())
def test_no_run_takes_more_steps_or_tool_calls_than_its_policy_says(play: Play):
    """B24, B52, D91"""
    play.run()
    rules, steps = play.setup.policy.budget, Counter(asked.purpose for asked in play.of(ModelReplied))
    started = [event for event in play.of(ToolStarted) if event.attempt == 1]

    assert steps["answer"] <= rules.max_steps
    assert steps["landing"] <= 1
    assert len(started) <= rules.max_tool_calls


@examples(100)
@given(plays(crashes=True))
def test_every_call_gets_exactly_one_final_answer_before_the_model_is_asked_again(play: Play):
    def watch(play: Play, stamped: Stamped) -> None:
        if isinstance(stamped.event, ModelAsked):
            finished = Counter(event.call_id for event in play.of(ToolFinished) if event.final)
            proposed = [call.call_id for reply in play.of(ModelReplied) for call in reply.calls]
            assert Counter(proposed) == finished

    play.watch = watch
    run_through(play)


@examples(100)
@given(plays(crashes=True))
def test_no_effect_happens_twice_without_a_person_or_a_contract_that_allows_it(play: Play):
    run_through(play)
    once = {tool.name for tool in TOOLS if tool.recovery in {"ask", "reconcile"}}
    started = Counter(event.call_id for event in play.of(ToolStarted) if event.tool in once)
    allowed = Counter(
        stamped.event.call_id
        for stamped in play.events
        if (isinstance(stamped.event, ApprovalDecided) and stamped.event.decision == "approve")
        or (isinstance(stamped.event, CallSettled) and stamped.event.happened is False)
    )

    assert {} == {call: count for call, count in started.items() if count > 1 + allowed[call]}


@examples(100)
@given(plays(crashes=True))
def test_every_collection_in_the_state_keeps_its_bound(play: Play):
    setup, names = play.setup, {provider.name for provider in play.setup.policy.providers}

    def watch(play: Play, _: Stamped) -> None:
        state = play.state
        assert len(state.circuit.open) <= len(names) + len(TOOLS)
        assert len(state.loops.seen) <= loops.MOST_SEEN
        assert len(state.loops.reflected) <= loops.MOST_SEEN
        assert len(state.progress.results) <= progress.MOST_RESULTS
        assert len(state.progress.asking) <= MOST_CALLS
        assert len(state.handoff.handed) <= handoff.MOST_HANDED
        assert len(state.inflight.calls) <= MOST_CALLS
        assert len(state.inflight.passed) <= len(names)
        assert state.route.out.keys() <= names
        assert state.results.calls.keys() <= setup.contracts.keys()
        assert len(state.run.degraded) <= MOST_DEGRADED
        assert len(state.trust.untrusted) <= trust.MOST_SOURCES
        assert len(state.trust.coming) <= MOST_CALLS
        assert len(state.transcript.answers) <= len(state.transcript.pending) <= MOST_CALLS

    play.watch = watch
    run_through(play)
