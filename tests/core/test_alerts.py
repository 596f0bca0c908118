"""The alert rules: what is above its limit is found, what equals it is not."""

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import alerts, hits
from agentctl.core.alerts import FLOOR, MIN_CALLS, MIN_RUNS, Baseline, Burn, Calls, Finding, Ran
from agentctl.core.incidents import over
from agentctl.core.messages import Usage
from agentctl.core.policy import Alerts

RULES = Alerts()
HOLD = 300.0
FACTORS = st.floats(0.1, 100, allow_nan=False)
AMOUNTS = st.floats(0.001, 1e6, allow_nan=False)


def usual(*pairs):
    return alerts.Usual.of({f"r_{number}": pair for number, pair in enumerate(pairs)})


def same(seconds, usd, runs=MIN_RUNS):
    return usual(*[(seconds, usd)] * runs)


@pytest.mark.parametrize(
    ("failed", "made", "fires"),
    [(1, 1, False), (4, 4, False), (1, 5, False), (2, 5, True), (2, 10, False), (3, 10, True), (0, 100, False)],
)
def test_a_tool_fires_above_its_error_rate_and_not_on_few_calls(failed, made, fires):
    """D106"""
    found = alerts.errors(RULES, [Calls("look", made, failed, "r_1"), Calls("other", 100, 0, "")])

    assert ([Finding("tool_error_rate", "look", failed / made, 0.2, None, "r_1")] if fires else []) == found
    assert MIN_CALLS == 5


@pytest.mark.parametrize(
    ("spent", "gone", "fires"),
    [(4.0, 0.1, False), (4.01, 0.1, True), (4.01, 0.49, True), (4.01, 0.5, False), (9.0, 0.9, False)],
)
def test_a_budget_fires_when_most_of_it_is_spent_before_midday(spent, gone, fires):
    """D107"""
    found = alerts.burning(RULES, [Burn("user_daily_usd:ada", spent, 5.0, gone), Burn("none", 5.0, 0.0, 0.1)])

    assert (["user_daily_usd:ada"] if fires else []) == [each.subject for each in found]


@pytest.mark.parametrize(("seconds", "usd", "fires"), [(50, 0.5, []), (50.001, 0.5, ["slow"]), (50, 0.51, ["cost"])])
def test_a_run_fires_above_so_many_medians_of_its_task(seconds, usd, fires):
    """D108 D110 C75"""
    found = alerts.unusual(RULES, Ran("r_new", "t", seconds, usd), same(10.0, 0.1))

    assert fires == [each.rule.partition("_")[0] for each in found]
    assert all(Baseline(10.0 if each.rule[0] == "s" else 0.1, 5, 5.0) == each.baseline for each in found)


def test_few_runs_and_runs_that_cost_nothing_are_no_baseline():
    far = Ran("r_new", "t", 1e6, 1e6)

    assert [] == alerts.unusual(RULES, far, same(10.0, 0.1, MIN_RUNS - 1))
    assert ["slow_vs_median"] == [each.rule for each in alerts.unusual(RULES, far, same(10.0, 0.0))]


def test_a_run_is_not_held_against_itself():
    others = {**same(10.0, 0.1, MIN_RUNS - 1).runs, "r_new": (1e6, 1e6)}

    assert [] == alerts.unusual(RULES, Ran("r_new", "t", 1e6, 1e6), alerts.Usual.of(others))


@given(st.lists(st.integers(1, 20), min_size=MIN_RUNS + 1, max_size=30), st.data())
def test_the_median_of_the_others_is_the_median_of_the_others(values, data):
    """C75"""
    runs = {f"r_{number}": (float(value), 0.0) for number, value in enumerate(values)}
    name = data.draw(st.sampled_from(sorted(runs)))
    middle = statistics.median(took for run_id, (took, _) in runs.items() if run_id != name)
    (found,) = alerts.unusual(RULES, Ran(name, "t", 1e6, 0.0), alerts.Usual.of(runs))

    assert (middle, len(values) - 1) == (found.baseline.value, found.baseline.count)


@pytest.mark.parametrize(
    ("seen", "before", "windows", "fires"),
    [(1, 0, 0, False), (3, 0, 2016, False), (4, 0, 2016, True), (6, 4032, 2016, False), (7, 4032, 2016, True)],
)
def test_suspected_injections_fire_above_what_is_usual_with_a_floor_where_nothing_is(seen, before, windows, fires):
    """D109 C75"""
    found = alerts.injections(RULES, seen, before, windows * RULES.window_s, "r_1")

    assert fires == bool(found)
    assert all(max(FLOOR, before / windows) == each.baseline.value for each in found)


def test_an_outage_is_one_finding_however_many_runs_it_ends():
    """B58"""
    runs = [Ran(f"r_{number}", "t", 1, 0, "providers") for number in range(9)]
    found = alerts.failures([*runs, Ran("r_9", "t", 1, 0, "check"), Ran("r_10", "t", 1, 0)])

    assert [("t: providers", 9.0, "r_0"), ("t: check", 1.0, "r_9")] == [(f.subject, f.value, f.run_id) for f in found]


@pytest.mark.parametrize(("waits", "fires"), [(0, False), (300, False), (300.1, True)])
def test_a_run_that_waits_longer_than_a_prompt_stands_fires(waits, fires):
    assert fires == bool(alerts.parked([Ran("r_1", "t", 0, 0, "", waits)], 300.0))


@pytest.mark.parametrize(("read", "requests", "fires"), [(50, 100, False), (49, 100, True), (0, 99, False)])
def test_a_prefix_that_is_read_too_rarely_in_its_first_hundred_requests_fires(read, requests, fires):
    """A53"""
    usage = Usage(input=100 - read, cache_read=read)
    calls = [hits.Call(hits.Key("t", False, "p", "m"), 1.0, usage)] * requests
    found = alerts.cold(hits.lines(calls, {}, lambda _: None), 0.5)

    assert (["t at p (m)"] if fires else []) == [each.subject for each in found]


@given(FACTORS, AMOUNTS, AMOUNTS, st.floats(1, 1000))
def test_what_fires_still_fires_when_there_is_more_of_it(factor, middle, seconds, more):
    rules = Alerts(slow_vs_median=factor)
    less = alerts.unusual(rules, Ran("r_new", "t", seconds, 0), same(middle, 0))
    later = alerts.unusual(rules, Ran("r_new", "t", seconds * more, 0), same(middle, 0))

    assert not less or later


@given(FACTORS, st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 8))
def test_only_the_multiple_matters_and_not_how_large_both_are(factor, middle, value, power):
    """The law that makes one policy fit tasks of all sizes: seconds or hours, cents or dollars."""
    scale = 2**power
    rules = Alerts(cost_vs_median=factor)
    small = alerts.unusual(rules, Ran("r_new", "t", 0, value), same(1.0, middle))
    large = alerts.unusual(rules, Ran("r_new", "t", 0, value * scale), same(1.0, middle * scale))
    near = abs(value - factor * middle) < 1e-5 * middle  # where rounding decides

    assert near or bool(small) == bool(large)


@given(st.integers(MIN_CALLS, 10_000), st.data())
def test_nothing_fires_at_its_limit_or_below(made, data):
    failed = data.draw(st.integers(0, made))
    limit = data.draw(st.integers(max(1, failed), made)) / made
    rules = Alerts(tool_error_rate=limit, burn_by_midday=limit)

    assert [] == alerts.errors(rules, [Calls("look", made, failed, "")])
    assert [] == alerts.burning(rules, [Burn("k", failed, made, 0.1)])
    assert [] == alerts.parked([Ran("r", "t", 0, 0, "", failed)], float(made))


@given(values=st.lists(st.floats(0.0, 1.0), max_size=40))
def test_every_crossing_is_one_incident_and_trembling_is_none_of_its_own(values):
    """The lifecycle alone, against its words: a new one opens only after a whole window without a finding."""
    opened, last = 0, None
    for minute, value in enumerate(values):
        now = minute * 60.0
        found = alerts.errors(RULES, [Calls("look", 100, round(value * 100), "")])
        if last is not None and not found and over(last, now, HOLD):
            last = None
        if found:
            opened += last is None
            last = now
    fired = [minute for minute, value in enumerate(values) if round(value * 100) / 100 > 0.2]
    apart = sum(1 for a, b in itertools.pairwise(fired) if b - a > HOLD / 60)

    assert opened == (apart + 1 if fired else 0)
