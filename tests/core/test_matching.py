"""Texts made from regular expressions, and tried against them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.matching import matches, matching

pieces = st.sampled_from(
    ["a", "-", r"\d", r"\w", r"\s", ".", "[a-f]", "[^a-f]", r"[\w.-]", r"[^\W\d_]", r"\.", r"[]x]", r"\x41", r"[\dA-F]"]
)
counts = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "+?", "*?"])


def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    rows = st.lists(inner, min_size=1, max_size=3).map("".join)
    either = st.lists(rows, min_size=1, max_size=3).map("|".join)
    groups = st.tuples(st.sampled_from(["(", "(?:", "(?i:"]), either, counts).map(lambda it: f"{it[0]}{it[1]}){it[2]}")
    return rows | groups


patterns = st.recursive(st.tuples(pieces, counts).map("".join), wider, max_leaves=8)


@given(patterns, st.integers(0, 30), st.booleans())
def test_what_is_made_from_a_pattern_matches_it_in_full(pattern: str, n: int, anchored: bool):
    pattern = f"^{pattern}$" if anchored and "|" not in pattern else pattern
    text = matching(pattern, n)

    assert text is not None
    assert re.fullmatch(pattern, text), text


@given(patterns, st.text("aAf-.x1_ ", max_size=6))
def test_a_trial_says_what_the_standard_library_says(pattern: str, text: str):
    assert matches(pattern, text) is (re.search(pattern, text) is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{2}-\d{4}$",
        r"^\+?[1-9]\d{1,14}$",
        r"^#(?:[0-9a-fA-F]{3}){1,2}$",
        r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
        r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[\da-z-]+)?$",
        r"^arn:aws:[a-z0-9-]+:[a-z0-9-]*:\d{12}:.+$",
        r"^(?!-)[a-z0-9-]{1,63}(?<!-)$",
        r"^(?=.*[A-Z])(?=.*\d)(?=.*[^\w]).{8,}$",
        r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
        r"^https?://[\w.-]+(/\S*)?$",
        r"(?P<quote>['\"])\w+(?P=quote)",
        r"\bword\b",
        r"^git (status|log|diff)( --(stat|oneline))*$",
        r"^(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$",
        r"^[^\x00-\x7f]+$",
        "",
    ],
)
def test_patterns_of_real_schemas_are_met(pattern: str):
    made = [matching(pattern, n) for n in range(5)]

    assert [] == [text for text in made if text is None or not re.fullmatch(pattern, text)]


def test_different_numbers_give_different_texts_while_there_are_any():
    assert len({matching(r"^[a-z]+$", n) for n in range(100)}) == 100
    assert len({matching(r"^A-\d{4}$", n) for n in range(100)}) == 100
    assert {"yes", "no"} == {matching("yes|no", n) for n in range(9)}
    assert (matching(r"^A-\d{4}$"), matching(r"[a-z]{3}")) == ("A-1234", "abc")


@pytest.mark.parametrize("pattern", ["[", "a{2,1}", "(", "*", r"\q", "a^b", "(?=a)b", "[z-a]", "a{20000}", "(?<=x)y"])
def test_where_no_text_can_be_made_there_is_none(pattern: str):
    assert matching(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        *("((a{1000}){1000}){1000}", "((a|a){30}c|(a|a){30}d)", "(a+)+$", "(){1000000000}", "(a?){9999}", "((a*)*)*b"),
        *("(" * 5000, "(?:" * 39 + "a*" + ")*" * 39, "|" * 9000, "(.*)*" * 500, "(?=" * 30 + "(a*)*" + ")" * 30),
        r"(a)\1\1\1" * 500,
    ],
    ids=lambda pattern: pattern[:24],
)
def test_no_pattern_takes_for_ever(pattern: str):
    text = matching(pattern, 3)

    assert text is None or len(text) <= 10_000
    assert matches(pattern, "a" * 200 + "!") in {True, False, None}
