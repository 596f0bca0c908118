"""Patterns from approved values: each is found, nothing around it is, and free text gets none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.config import patterns
from agentctl.core.suggest import shapes

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
NUMBERED = st.builds("{}-{}{}".format, st.sampled_from(["A", "b.c", "(x)"]), st.integers(0, 10**6), st.just("$"))


@given(st.lists(TEXTS | NUMBERED, min_size=1, max_size=20), st.booleans())
def test_a_pattern_is_found_in_all_that_it_is_from_and_in_nothing_longer(values: list[str], varies: bool):
    """C75"""
    made = shapes.pattern(values, digits_may_vary=varies)
    if made is not None:
        whole = f"^{made}$"

        assert patterns.anchored(whole)
        for value in values:
            assert patterns.found(whole, value)
            for other in (f"{value}\n", f"{value}!", f"!{value}", f"{value} && rm -rf /"):
                assert other in values or not patterns.found(whole, other)


@pytest.mark.parametrize(
    ("values", "made"),
    [
        (["late"] * 9, "late"),
        (["a.b", "c", "a.b", "c"], r"(a\.b|c)"),
        ([f"A-{number}" for number in range(7, 14)], "A-[0-9]{1,2}"),
        ([f"A-{number}-7" for number in range(10, 17)], "A-[0-9]{2}-7"),
        ([f"A-{number}" for number in range(4)], None),
        (["one", "two"], None),
        ([f"{'x' * number}" for number in range(1, 9)], None),
        (["é"] * 9, None),
        (["a\nb"] * 9, None),
    ],
)
def test_constants_choices_and_digits_and_nothing_else(values: list[str], made: str | None):
    """C75"""
    assert made == shapes.pattern(values, digits_may_vary=True)


def test_a_number_that_is_no_text_is_never_let_vary():
    """C75: no pattern bounds an amount."""
    assert shapes.pattern([str(number) for number in range(20)], digits_may_vary=False) is None


@given(TEXTS)
def test_an_escaped_text_is_a_pattern_of_itself_in_both_dialects(text: str):
    escaped = f"^{shapes.escaped(text)}$"

    assert patterns.found(escaped, text)
    assert re.fullmatch(escaped, text)
