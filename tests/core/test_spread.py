"""Quantiles of many numbers: exact while they are few, within a stated error above, and the same however they came."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.spread import ERROR, EXACT, Spread

NUMBERS = st.lists(st.integers(0, 10**9), max_size=60)


def spread(numbers):
    made = Spread()
    for number in numbers:
        made.add(number)
    return made


def nearest(numbers, share):
    return sorted(numbers)[max(1, math.ceil(share * len(numbers))) - 1]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.floats(0.01, 1.0))
def test_of_few_numbers_a_quantile_is_one_of_them(numbers, share):
    assert nearest(numbers, share) == spread(numbers).at(share)


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_of_many_it_is_off_by_at_most_the_error(start, apart, share):
    numbers = [start + apart * number for number in range(EXACT + 1)]
    found = spread(numbers).at(share)

    assert len(spread(numbers).kept) < len(numbers) or apart > start
    assert abs(found - nearest(numbers, share)) <= nearest(numbers, share) * ERROR + 1e-6


@given(NUMBERS, NUMBERS, st.booleans())
def test_parts_add_up_in_any_order(some, others, many):
    extra = list(range(EXACT)) if many else []
    whole = spread([*some, *extra, *others])
    for first, second in (([*some, *extra], others), (others, [*some, *extra])):
        made = spread(first)
        made.merge(spread(second))
        assert whole == made
        assert sum(some) + sum(others) + sum(extra) == made.total


def test_nothing_has_no_quantile():
    empty = Spread()
    empty.merge(Spread())

    assert (None, 0) == (empty.at(0.5), empty.count)


@pytest.mark.parametrize("number", [-5, 0])
def test_what_is_below_nothing_is_nothing(number):
    assert 0 == spread([number]).at(1.0)


def test_a_large_part_makes_few_buckets():
    assert len(spread(range(0, 10**7, 97)).kept) < 1_100
