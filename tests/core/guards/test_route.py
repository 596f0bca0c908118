"""Which provider answers: by role, priority and health."""

from dataclasses import replace

import pytest

from agentctl.core import events as ev
from agentctl.core.guards import budget, retry, route
from agentctl.core.guards.route import EMPTY, State
from agentctl.core.messages import Usage
from agentctl.core.policy import Policy, Provider
from agentctl.core.prices import Price, Rate
from tests.play import MAIN, SPARE, Fault, Play, Reply, Script, asks, call, contract, make_setup, played, policy

DOWN = Fault("connection")


def after(*events: ev.Event) -> State:
    state = EMPTY
    for event in events:
        state = route.apply(state, ev.Stamped("r", 1, "s", 0, 0.0, event))
    return state


def test_providers_are_tried_by_priority_and_then_in_file_order():
    """A84"""
    chain = (("c", 3, ("answer",)), ("a", 1, ("answer",)), ("b", 1, ("answer",)))

    assert ("a", "b", "c") == route.order(chain, "answer")


def test_only_providers_with_the_role_are_tried_for_it():
    chain = (("a", 1, ("answer",)), ("s", 9, ("summary",)), ("l", 5, ("landing",)))

    assert ("a",) == route.order(chain, "answer")
    assert ("l",) == route.order(chain, "landing")


def test_a_role_that_nobody_has_falls_to_the_answering_providers():
    """A55, C06"""
    chain = (("b", 2, ("answer",)), ("s", 0, ("summary",)), ("a", 1, ("answer",)))

    assert ("a", "b") == route.order(chain, "landing")


def test_the_first_provider_of_the_standard_policy():
    """A56"""
    first = Policy().providers[0]

    assert ("anthropic", "anthropic", "claude-sonnet-4-6", 1) == (first.name, first.sdk, first.model, first.priority)
    assert ("answer",) == first.roles


def test_the_second_provider_of_the_standard_policy():
    """A57"""
    second = Policy().providers[1]

    assert ("openai", "openai", "gpt-5.4", 2) == (second.name, second.sdk, second.model, second.priority)
    assert second.degraded


def test_the_chain_of_the_standard_policy_leaves_the_summarizer_out():
    ranked = tuple((each.name, each.priority, each.roles) for each in Policy().providers)

    assert ("anthropic", "openai") == route.order(ranked, "answer")
    assert ("summarizer",) == route.order(ranked, "summary")


def test_a_resting_provider_comes_back_at_its_moment():
    state = after(ev.ProviderOut("main", "rests", until=50.0))

    assert not route.available(state, "main", 49.9)
    assert route.available(state, "main", 50.0)
    assert route.available(state, "spare", 0.0)


def test_a_rest_that_began_in_times_to_come_is_over():
    """The clock was set back, and the provider is asked."""
    told = ev.Stamped("r", 1, "s", 0, 10_000.0, ev.ProviderOut("main", "rests", until=10_600.0))
    state = route.apply(route.EMPTY, told)

    assert not route.available(state, "main", 10_000.0)
    assert not route.available(state, "main", 9_998.0)
    assert route.available(state, "main", 6_400.0)


def test_a_provider_without_a_moment_is_out_for_the_run_until_it_is_resumed():
    gone = ev.ProviderOut("main", "auth")

    assert not route.available(after(gone), "main", 10**12)
    assert route.available(after(gone, ev.Resumed(1, "cli")), "main", 0.0)


def test_a_failing_primary_is_answered_for_by_the_fallback_in_the_same_step():
    """C87, A61"""
    play = played(policy(MAIN, SPARE), Script([*[DOWN] * 4, Reply("from the spare")]))

    assert ["main"] * 4 + ["spare"] == [asked.provider for asked in play.asked]
    assert [1, 2, 3, 4, 1] == [asked.attempt for asked in play.asked]
    assert ("done", "from the spare", 1) == (play.state.run.reason, play.state.run.answer, play.state.budget.steps)


def test_the_next_call_starts_with_the_primary_again():
    rules = retry.Rules(max_attempts=1)
    script = Script([DOWN, asks(call("look")), Reply("back")])
    play = played(policy(MAIN, SPARE, retry=rules), script, contract("look"))

    assert ["main", "spare", "main"] == [asked.provider for asked in play.asked]


def test_a_provider_that_refuses_the_key_is_out_for_the_run_and_says_so():
    script = Script([Fault("auth", 401), asks(call("look")), Reply("done")])
    play = played(policy(MAIN, SPARE), script, contract("look"))
    out = play.of(ev.ProviderOut)

    assert ["main", "spare", "spare"] == [asked.provider for asked in play.asked]
    assert [("main", None)] == [(each.provider, each.until) for each in out]
    assert out[0].reason.startswith("auth: ")


def test_nobody_left_ends_the_run_with_fourteen_and_names_each():
    """C26"""
    gone = Fault("auth", 401)
    third = replace(SPARE, name="third", priority=3)
    play = Play(make_setup(policy(MAIN, SPARE, third), ready=["main", "spare"]), Script([gone]))
    stop = play.run()

    assert ("failed", "providers", 14) == (stop.status, stop.reason, stop.exit_code)
    assert "Max retries exceeded: no provider is left (main: out; spare: out; third: no key)" == stop.message


def test_a_provider_without_a_key_is_never_asked():
    play = played(policy(MAIN, SPARE), Script([Reply("done")]), ready=["spare"])

    assert ["spare"] == [asked.provider for asked in play.asked]
    assert [] == play.of(ev.FellBack)


def test_a_resting_provider_is_named_with_the_seconds_that_are_left():
    play = played(policy(MAIN), Script([Fault("rate_limit", 429, retry_after=600.0)]))

    assert "main: rests 600s" in play.of(ev.Completed)[-1].message


def test_an_invalid_request_is_neither_retried_nor_passed_on():
    """E11, G6: a 4xx never."""
    play = played(policy(MAIN, SPARE), Script([Fault("invalid", 422)]))
    end = play.of(ev.Completed)[-1]

    assert 1 == len(play.asked)
    assert ("failed", "providers", 14) == (end.status, end.reason, end.exit_code)
    assert "main refused the request: scripted" == end.message


def test_the_last_answer_comes_from_the_provider_for_landings():
    last = Provider(name="last", sdk="openai", model="model-c", priority=9, roles=("landing",))
    rules = budget.Rules(max_steps=1)
    play = played(policy(MAIN, last, budget=rules), Script([asks(call("look")), Reply("so far")]), contract("look"))

    assert [("main", "answer"), ("last", "landing")] == [(one.provider, one.purpose) for one in play.asked]


def test_who_was_stood_in_for_is_said_once():
    """The user knows what just happened."""
    rules = retry.Rules(max_attempts=1)
    gone = Script([Fault("auth", 401), asks(call("look", q=1)), asks(call("look", q=2)), Reply("done")])
    play = played(policy(MAIN, SPARE, retry=rules), gone, contract("look"))

    assert [("main", "spare")] == [(fell.from_, fell.to) for fell in play.of(ev.FellBack)]


@pytest.mark.parametrize(("key", "default"), [("enabled", True), ("cheaper_above", 1.0), ("rules", ())])
def test_no_route_is_taken_by_price_or_rule_unless_asked_for(key, default):
    assert default == getattr(route.Rules(), key)


# --- By rule and by budget ------------------------------------------------------------------------

CHEAP = Provider(name="cheap", sdk="openai", model="model-c", priority=5)
DEAR = Price((Rate(30.0, 200.0, 3.0, 37.5, 60.0),), "tests")
LOW = Price((Rate(0.1, 0.5, 0.01, 0.1, 0.1),), "tests")


def begun(goal: str = "goal", tools: int = 1, **variables: object) -> State:
    started = ev.RunStarted(
        "task", "policy", "digest", "user", "", goal, "system", 1, 1, {f"t{n}": "d" for n in range(tools)},
        variables=variables,  # type: ignore[arg-type]
    )  # fmt: skip
    return after(started)


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        (route.When(), True),
        (route.When(goal_max_chars=4), True),
        (route.When(goal_max_chars=3), False),
        (route.When(tools=1), True),
        (route.When(tools=0), False),
        (route.When(vars={"kind": "refund"}), True),
        (route.When(vars={"kind": "other"}), False),
        (route.When(vars={"none": "x"}), False),
        (route.When(goal_max_chars=4, tools=1, vars={"kind": "refund", "n": 3}), True),
    ],
)
def test_all_that_a_rule_names_must_hold(when, fits):
    """D18"""
    rules = route.Rules(rules=(route.Rule("cheap", when),))

    assert (("cheap", "route rule 1") if fits else ("", "")) == route.preferred(rules, begun(kind="refund", n=3))


def test_the_first_rule_that_fits_decides_and_a_route_that_is_off_has_none():
    rules = route.Rules(
        rules=(route.Rule("a", route.When(tools=9)), route.Rule("b", route.When()), route.Rule("c", route.When()))
    )

    assert ("b", "route rule 2") == route.preferred(rules, begun())
    assert ("", "") == route.preferred(replace(rules, enabled=False), begun())


def test_a_simple_question_goes_to_the_provider_of_its_rule_and_the_trace_says_why():
    """D18, D19"""
    rules = route.Rules(rules=(route.Rule("cheap", route.When(goal_max_chars=200)),))
    play = played(policy(MAIN, CHEAP, route=rules), Script([asks(call("look")), Reply("done")]), contract("look"))
    chosen = [event.reason for event in play.of(ev.Decided) if event.guard == "route"]

    assert ["cheap", "cheap"] == [asked.provider for asked in play.asked]
    assert ["cheap: route rule 1"] == chosen


def test_a_provider_of_a_rule_that_fails_is_stood_in_for_by_the_others():
    rules = route.Rules(rules=(route.Rule("cheap", route.When()),))
    play = played(policy(MAIN, CHEAP, route=rules), Script([Fault("auth", 401), Reply("from main")]))

    assert ["cheap", "main"] == [asked.provider for asked in play.asked]


def test_above_its_share_of_the_budget_the_cheapest_answers_with_the_others_behind_it():
    """D18"""
    rules = {"route": route.Rules(cheaper_above=0.4), "budget": budget.Rules(run_usd=1.0)}
    half = Reply(calls=(call("look", q=1),), usage=Usage(input=100, output=2_000))
    prices = {"main": DEAR, "cheap": LOW}
    script = Script([half, Fault("auth", 401), Reply("done")])
    play = played(policy(MAIN, CHEAP, **rules), script, contract("look"), prices=prices)

    assert ["main", "cheap", "main"] == [asked.provider for asked in play.asked]
    assert ["cheap: above 40% of run_usd"] == [d.reason for d in play.of(ev.Decided) if d.guard == "route"]


def test_at_the_share_itself_nothing_changes():
    rules = route.Rules(cheaper_above=0.5)

    assert not route.saves(rules, 500_000, 1_000_000)
    assert route.saves(rules, 500_001, 1_000_000)
    assert not route.saves(route.Rules(), 1_000_000, 1_000_000)
    assert not route.saves(replace(rules, enabled=False), 900_000, 1_000_000)
