"""Names with stars, and values by their path."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.argpath import covers, lookup

NAMES = st.text("ab*", max_size=8)


def as_expression(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))


@given(NAMES, st.text("ab", max_size=8))
def test_a_star_stands_for_any_characters(pattern: str, name: str):
    assert (re.fullmatch(as_expression(pattern), name, re.DOTALL) is not None) == covers(pattern, name)


@given(NAMES, NAMES, st.text("ab", max_size=8))
def test_a_pattern_that_covers_another_matches_whatever_that_one_does(one: str, other: str, name: str):
    assert not (covers(one, other) and covers(other, name)) or covers(one, name)


@pytest.mark.parametrize("name", ["a?", "[ab]", "a.b"])
def test_nothing_but_a_star_is_special(name):
    assert covers(name, name)
    assert not covers(name, "ab")


def test_what_is_no_text_is_looked_at_as_compact_json():
    assert '{"a":[1,"é"]}' == lookup({"x": {"a": [1, "é"]}}, "x")
    assert "true" == lookup({"x": True}, "x")
