"""Law 1 on recorded events alone: a run decided again under its own policy is the run that it was."""

from dataclasses import replace

from hypothesis import given

from agentctl.core.backtest import first_divergence
from agentctl.core.events import ModelAsked
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play


@examples(150)
@given(plays(crashes=True))
def test_a_run_decided_again_from_its_journal_makes_the_same_decisions(play: Play):
    """B48: and so it can be told where another policy would first have decided otherwise."""
    run_through(play)
    verdict = first_divergence(play.setup, play.events)

    assert verdict.divergence is None, verdict.divergence


@examples(60)
@given(plays())
def test_a_policy_that_allows_a_step_less_differs_at_the_last_step_or_not_at_all(play: Play):
    play.run()
    rules = play.setup.policy.budget
    asked = [one.seq for one in play.events if isinstance(one.event, ModelAsked) and one.event.purpose == "answer"]
    fewer = replace(play.setup.policy, budget=replace(rules, enabled=True, max_steps=1))
    verdict = first_divergence(replace(play.setup, policy=fewer), play.events)

    if play.state.budget.steps > 1 and rules.enabled:
        assert verdict.divergence is not None
        assert verdict.divergence.guard
        assert verdict.divergence.seq >= asked[1] - 40
