"""What a screen says of how close a run is to its limits. C74, F06"""

import pytest

from agentctl.core import gauges, summary
from agentctl.core.events import BudgetCounted, CircuitMoved, Stamped, Waited
from agentctl.core.guards import budget, cache, loops, pace, tokens
from agentctl.core.policy import Policy, Provider
from agentctl.core.state import State, apply
from agentctl.core.summary import Summary
from tests.tui.scene import NOW, WORKING, ran, replied, started


def after(*events):
    state, totals = State(), Summary()
    for seq, event in enumerate(events, 1):
        state = apply(state, Stamped("r_1", seq, "s_1", 1, NOW + seq, event))
        totals = summary.apply(totals, event)
    return state, totals


def gauge(key, *events, policy=None, now=NOW + 100):
    found = [each for each in gauges.gauges(policy or Policy(), *after(*events), now) if each.key == key]
    assert found, key
    return found[0]


def test_money_is_shown_against_what_the_run_may_cost():
    found = gauge("run_usd", started(), replied(micro=420_000), policy=Policy(budget=budget.Rules(run_usd=2.0)))

    assert ("$0.4200 of $2.00", 0.21, "plain") == (found.text, found.share, found.tone)


@pytest.mark.parametrize(("micro", "tone"), [(1_499_999, "plain"), (1_500_000, "warn"), (2_000_000, "bad")])
def test_a_limit_that_comes_close_changes_its_tone(micro, tone):
    policy = Policy(budget=budget.Rules(run_usd=2.0, warn_at=0.75))

    assert tone == gauge("run_usd", started(), replied(micro=micro), policy=policy).tone


def test_without_a_policy_only_what_is_used_is_known():
    found = {each.key: each for each in gauges.gauges(None, *after(*WORKING), NOW)}

    assert ("$0.0486", None) == (found["run_usd"].text, found["run_usd"].share)
    assert found["tokens"].share is None
    assert "no policy to tell" == found["loops"].text


def test_equal_calls_are_counted_as_the_loop_guard_counts_them():
    same = [event for number in range(3) for event in ran(f"c{number}.1", "search", q="x")]

    assert "1 alike of 3" == gauge("loops", started(), *same[:2]).text
    found = gauge("loops", started(), *same)

    assert ("3 alike of 3", "warn") == (found.text, found.tone)
    assert "not watched" == gauge("loops", started(), policy=Policy(loops=loops.Rules(enabled=False))).text


def test_equal_results_are_counted_as_the_progress_guard_counts_them():
    same = [event for number in range(3) for event in ran("c1.1", "search", q=str(number))]

    found = gauge("progress", started(), *same)

    assert ("3 same of 3", "bad") == (found.text, found.tone)


def test_an_open_circuit_counts_down_and_a_closed_one_says_so():
    opened = CircuitMoved("anthropic", "closed", "open", NOW + 142)
    found = [each.text for each in gauges.circuits(Policy(), after(started(), opened)[0], NOW + 100)]

    assert ["anthropic OPEN 42s", "openai closed"] == found
    assert "anthropic half-open" == gauge("circuit", started(), opened, now=NOW + 200).text


def test_a_full_minute_is_told_with_its_rest():
    full = Waited("tokens_per_minute", 130.0, refused=True, provider="anthropic")

    assert "anthropic: tokens_per_minute full, 32s" == gauge("pace", started(), full, now=NOW + 100).text


def test_a_low_hit_ratio_is_warned_of_from_the_second_step_on():
    policy = Policy(cache=cache.Rules(min_hit_ratio=0.5))

    assert "plain" == gauge("cache", started(), replied(tokens=1_400), policy=policy).tone
    assert "warn" == gauge("cache", started(), replied(tokens=4_000), replied(tokens=4_000), policy=policy).tone


def test_tokens_and_raises_are_those_of_the_guards():
    policy = Policy(tokens=tokens.Rules(total=2_000))
    raised = BudgetCounted("run_usd", 0.0, 0.0, "raised")

    assert gauge("tokens", started(), replied(tokens=1_847), raised, policy=policy).text.endswith("of 2,000")


def test_a_provider_that_only_sums_up_has_no_line():
    policy = Policy(providers=(Provider(name="a", sdk="anthropic", model="m", roles=("summary",)),))

    assert [] == [*gauges.circuits(policy, after(started())[0], NOW)]


def test_the_current_minute_is_told_by_the_fuller_of_its_limits():
    policy = Policy()

    assert "30,000 of 40,000/min" == gauges.minute(policy, 30_000, 500_000).text
    assert "$1.90 of $2.00 a minute" == gauges.minute(policy, 30_000, 1_900_000).text
    assert "warn" == gauges.minute(policy, 30_000, 1_900_000).tone
    assert gauges.minute(Policy(pace=pace.Rules(enabled=False)), 1, 1) is None
