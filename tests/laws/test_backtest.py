"""Law 1 on recorded events alone: a run decided again under its own policy is the run that it was."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from agentctl.core.backtest import Divergence, first_divergence
from agentctl.core.decide import next_action
from agentctl.core.decisions import Land
from agentctl.core.events import ApprovalRequested, ModelAsked, ToolStarted
from agentctl.core.guards import budget, risk
from agentctl.core.messages import Usage
from agentctl.core.state import fold
from agentctl.core.tiers import Tier
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play, Reply, Says, Script, asks, call, contract, played, policy, writer


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


STEPS = (*(asks(call("look", at=number)) for number in range(3)), asks(call("send", to="ada")), Reply("done"))
PEOPLE = Script(models=STEPS, people=(Says("approve"),))


def plain(**tables: Any) -> Play:
    return played(policy(**tables), replace(PEOPLE, at={}), contract("look"), writer("send"))


def first(play: Play, **tables: Any) -> Divergence:
    changed = replace(play.setup.policy, **tables)
    found = first_divergence(replace(play.setup, policy=changed), play.events, effects=True).divergence
    assert found is not None
    return found


def seqs(play: Play, kind: type) -> list[int]:
    return [at.seq for at in play.events if isinstance(at.event, kind)]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_fewer_steps_differ_at_the_very_request_that_would_not_have_been_made(steps: int):
    """C75, B48"""
    play = plain()
    found = first(play, budget=budget.Rules(max_steps=steps))

    assert (seqs(play, ModelAsked)[steps], "budget", "stop") == (found.seq, found.guard, found.kind)
    assert "land: max_steps" in found.now


def test_a_rule_that_forbids_differs_at_the_call_that_it_is_about():
    """C75"""
    play = plain()
    rule = risk.Rule("look", "forbid", args={"at": "^1$"})
    reader = risk.Reader(lambda pattern, text: re.search(pattern, text) is not None)
    changed = replace(play.setup.policy, risk=risk.Rules(rules=(rule,)))
    verdict = first_divergence(replace(play.setup, policy=changed, reader=reader), play.events, effects=True)

    assert verdict.divergence is not None
    assert (seqs(play, ToolStarted)[1], "refuse") == (verdict.divergence.seq, verdict.divergence.kind)
    assert 3 == verdict.decisions


def test_a_lower_tier_differs_where_a_person_would_have_been_asked_and_a_higher_one_where_nobody_would():
    """C75, B40"""
    play = plain()
    asked = first(play, risk=risk.Rules(auto_approve=Tier.MEDIUM))
    other = plain(risk=risk.Rules(auto_approve=Tier.MEDIUM))
    newly = first(other, risk=risk.Rules(auto_approve=Tier.LOW))

    assert (seqs(play, ApprovalRequested), "allow") == ([asked.seq], asked.kind)
    assert (seqs(other, ToolStarted)[-1], "ask") == (newly.seq, newly.kind)
    assert "runs as medium" == newly.recorded


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_less_money_differs_where_it_would_have_run_out_and_nowhere_before(step: int):
    """C75, C66: a smaller reservation alone is no difference, where the reply fits into it."""
    dear = tuple(replace(each, usage=Usage(input=9_000, output=900)) for each in STEPS)
    play = played(policy(), replace(PEOPLE, models=dear, at={}), contract("look"), writer("send"))
    spent = [fold(play.events[: at - 1]).budget.spent_micro for at in seqs(play, ModelAsked)]
    least = first_limit(play, step)
    found = first(play, budget=budget.Rules(run_usd=least / 1e6))

    assert sorted(spent) == spent
    assert (seqs(play, ModelAsked)[step], "budget", "stop") == (found.seq, found.guard, found.kind)


def first_limit(play: Play, step: int) -> int:
    """The largest limit, in micro-dollars, under which this request is not made any more."""
    low, high = 1, 1_500_000
    while high - low > 1:
        middle = (low + high) // 2
        limited = replace(play.setup.policy, budget=budget.Rules(run_usd=middle / 1e6))
        state = fold(play.events[: seqs(play, ModelAsked)[step] - 1])
        lands = isinstance(next_action(replace(play.setup, policy=limited), state, play.now, 0.0), Land)
        low, high = (middle, high) if lands else (low, middle)
    return low


@examples(60)
@given(plays())
def test_what_does_not_change_a_run_is_no_difference_of_it(play: Play):
    """C75: neither under its own policy, nor where only the tier of what runs anyway is another."""
    play.run()
    looser = replace(play.setup.policy.results, max_tokens=play.setup.policy.results.max_tokens + 1)
    for changed in (play.setup.policy, replace(play.setup.policy, results=looser)):
        verdict = first_divergence(replace(play.setup, policy=changed), play.events, effects=True)

        assert verdict.divergence is None, verdict.divergence
