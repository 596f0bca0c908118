"""What a call costs, in whole micro-dollars: never less reserved than billed."""

import math
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.messages import Usage
from agentctl.core.prices import MOST_OUTPUT, Price, Rate, micro
from tests.play import PRICE

LONG = Rate(input=6.0, output=22.5, cache_read=0.6, cache_write=7.5, cache_write_1h=12.0, above=200_000)
TIERED = Price((*PRICE.rates, LONG))

dollars = st.floats(0, 200) | st.sampled_from([0.0, 0.1, 0.3, 3.0, 3.75, 15.0])
columns = st.tuples(dollars, dollars, dollars, dollars, dollars)
tiers = st.lists(st.integers(1, 50_000), max_size=3, unique=True).map(sorted)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    return Price(tuple(Rate(*draw(columns), above=above) for above in [0, *draw(tiers)]))


@st.composite
def calls(draw: st.DrawFn) -> tuple[int, int, Usage]:
    """The most that a call may use, and what it did use of it."""
    prompt, output = draw(st.integers(0, 80_000)), draw(st.integers(0, 80_000))
    cuts = sorted(draw(st.lists(st.integers(0, prompt), min_size=4, max_size=4)))
    parts = [high - low for low, high in zip([0, *cuts], cuts, strict=False)]
    return prompt, output, Usage(parts[0], draw(st.integers(0, output)), *parts[1:])


def test_a_call_costs_what_its_tokens_cost():
    """A19, C22"""
    usage = Usage(input=1_000, output=100, cache_read=10_000, cache_write=1_000, cache_write_1h=1_000)

    assert 3_000 + 1_500 + 3_000 + 3_750 + 6_000 == PRICE.cost(usage)


def test_a_half_of_a_micro_dollar_goes_up():
    """Floats would round one of these down, and add up the other to a little more than a half."""
    small = Price((Rate(0.05, 0.4, 0.005, 0.1, 0.2),))

    assert [1, 1, 2] == [small.cost(usage) for usage in (Usage(10), Usage(cache_read=100), Usage(30))]
    assert [0, 0] == [small.cost(usage) for usage in (Usage(9), Usage(cache_read=99))]


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=5), st.lists(st.integers(0, 10**9), min_size=5, max_size=5))
def test_nine_decimals_of_a_price_count(parts, tokens):
    rate = Rate(*(part / 10**9 for part in parts))
    exact = sum(Fraction(part, 10**9) * count for part, count in zip(parts, tokens, strict=True))

    assert math.floor(exact + Fraction(1, 2)) == Price((rate,)).cost(Usage(*tokens))


def test_a_long_prompt_is_billed_at_its_own_rate_as_a_whole():
    assert 600_000 == TIERED.cost(Usage(input=200_000))
    assert 1_200_006 == TIERED.cost(Usage(input=200_001))


def test_what_the_cache_holds_is_part_of_the_prompts_size():
    assert 60_000 + 6 == TIERED.cost(Usage(input=1, cache_read=100_000)) + 30_000 + 3
    assert LONG == TIERED.rate(Usage(input=1, cache_read=200_000).prompt)


def test_dollars_become_whole_micro_dollars():
    assert (1_500_000, 1, 0) == (micro(1.5), micro(0.000_001), micro(0.000_000_4))


@settings(deadline=None)
@given(prices(), calls())
def test_no_usage_within_the_bounds_costs_more_than_the_worst(price, call):
    """Reserved before the call."""
    prompt, output, usage = call

    assert price.cost(usage) <= price.worst(prompt, output)


@settings(deadline=None)
@given(prices(), st.integers(0, 80_000), st.integers(0, 2_000_000))
def test_what_is_affordable_never_overspends(price, prompt, money):
    output = price.affordable(prompt, money)

    assert 0 == output or price.worst(prompt, output) <= money or output == MOST_OUTPUT


@settings(deadline=None)
@given(prices(), st.integers(0, 80_000), st.integers(0, 2_000_000))
def test_what_is_affordable_is_as_much_as_there_is_for_one_rate(price, prompt, money):
    one = Price(price.rates[:1])
    output = one.affordable(prompt, money)

    assert one.worst(prompt, output + 2) >= money or output == MOST_OUTPUT


def test_a_longer_prompt_that_is_cheaper_buys_no_more_than_the_dearest_rate_would():
    odd = Price((Rate(1.0, 100.0, 0, 0, 0), Rate(1.0, 1.0, 0, 0, 0, above=10)))

    assert 9 == odd.affordable(20, 920)
    assert odd.worst(20, 9) == 920


def test_the_cache_of_an_hour_is_reserved_for_only_where_requests_may_write_it():
    never = Price(PRICE.rates, hourly_cache=False)

    assert (6_000, 3_750) == (PRICE.worst(1_000, 0), never.worst(1_000, 0))


def test_a_free_model_is_always_affordable():
    free = Price((Rate(0, 0, 0, 0, 0),))

    assert (0, MOST_OUTPUT) == (free.worst(10**6, 10**6), free.affordable(10**6, 0))


def test_nothing_is_affordable_where_not_even_the_prompt_is():
    assert 0 == PRICE.affordable(1_000_000, 1_000)
