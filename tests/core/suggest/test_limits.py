"""Limits from what runs needed: how many that takes, what is on top, and what is never done."""

from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.guards import budget, context
from agentctl.core.policy import Policy
from agentctl.core.suggest import limits
from agentctl.core.suggest.limits import ENOUGH, LEAST, MANY, Kept, Limit
from agentctl.core.suggest.measure import Run, Shared


def ran(steps: float, status: str = "completed", reason: str = "done") -> Run:
    figures = {key: 0.0 for key in LEAST if not key.startswith(("pace", "results"))}
    return Run(status, reason, {**figures, "budget.max_steps": steps})


def of(key: str, runs: list[Run], shared: Shared | None = None, policy: Policy | None = None) -> Limit | Kept:
    found, kept = limits.limits(policy or Policy(), runs, shared or Shared())
    return next(each for each in (*found, *kept) if each.key == key)


def test_a_p95_takes_twenty_runs_and_a_p99_a_hundred():
    """C75"""
    few, enough, many = (of("budget.max_steps", [ran(4)] * n) for n in (ENOUGH - 1, ENOUGH, MANY))

    assert Kept("budget.max_steps", "too few runs that completed: 19 of 20") == few
    assert isinstance(enough, Limit)
    assert isinstance(many, Limit)
    assert [("p95", 6.0, 20), ("p99", 5.0, 100)] == [(each.quantile, each.value, each.n) for each in (enough, many)]


def test_what_would_have_been_hit_is_counted():
    """C75"""
    found = of("budget.max_steps", [*([ran(4)] * 99), ran(19)])

    assert isinstance(found, Limit)
    assert (5.0, 1) == (found.value, found.beyond)
    assert "1 of them would have reached it" in found.comment


@given(st.lists(st.integers(1, 60), min_size=1, max_size=150), st.integers(1, 50))
def test_a_limit_is_raised_only_to_what_was_needed_and_says_so(steps: list[int], limit: int):
    """C75: and is never lowered below what nineteen in twenty needed."""
    policy = Policy(budget=budget.Rules(max_steps=limit))
    found = of("budget.max_steps", [ran(each) for each in steps], policy=policy)
    if isinstance(found, Limit):
        assert found.value != limit
        assert found.value >= limits.rank(sorted(map(float, steps)), 0.95) or found.raises
        assert found.value <= max(limit, *steps)
        assert found.raises == ("RAISES" in found.comment)


def test_a_pace_that_runs_end_at_is_not_lowered():
    """C75: their reason is the table, not the key."""
    shared = Shared()
    shared.minute_tokens.update({("a", minute): 400 for minute in range(30)})
    found = of("pace.tokens_per_minute", [ran(4, "stopped", "pace")], shared)

    assert Kept("pace.tokens_per_minute", "1 of 1 runs ended at it: it is not lowered") == found


def test_a_trim_is_not_raised_above_the_hard_limit():
    """C75: the policy that comes of it loads."""
    policy = Policy(context=context.Rules(max_tokens=10_000, hard_limit_tokens=11_450))
    runs = [Run("completed", "done", {**ran(1).figures, "context.max_tokens": 11_449.0})] * 30
    found = of("context.max_tokens", runs, policy=policy)

    assert isinstance(found, Limit)
    assert 11_450 == found.value


def test_a_limit_of_a_guard_that_is_off_stays():
    found = of("budget.max_steps", [ran(4)] * 30, policy=Policy(budget=budget.Rules(enabled=False)))

    assert Kept("budget.max_steps", "its guard is switched off") == found


def test_a_timeout_waits_for_the_rarest_tool():
    """C75, E04: one that is seldom called may be the slow one."""
    slow, rare = [0.5] * 30, [0.1] * 3
    found = of("results.timeout_s", [], Shared(tools={"slow": slow}))
    kept = of("results.timeout_s", [], Shared(tools={"slow": slow, "rare": rare}))

    assert isinstance(found, Limit)
    assert (2.0, "calls of slow") == (found.value, found.of)
    assert Kept("results.timeout_s", "too few calls of rare: 3 of 20") == kept


@given(st.floats(0.0001, 1e7))
def test_a_figure_is_rounded_up_and_by_little(figure: float):
    assert figure <= limits.rounded(figure) * 1.000_01
    assert limits.rounded(figure) <= max(figure * 1.12, figure + 1)
