"""Names with stars, and values by their path."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.argpath import covers, lookup, reaches, steps

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


ARGS = {
    "command": "ls",
    "to": [{"address": "a@x"}, {"address": "b@x"}],
    "amount": 5,
    "flag": True,
    "nothing": None,
    "a.b": {"c d": [[1, 2], [3]]},
    "by": {"x": "1", "y": "2"},
    "-": "dash",
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("command", ("ls",)),
        ("$.command", ("ls",)),
        ("to[1].address", ("b@x",)),
        ("amount", ("5",)),
        ("flag", ("true",)),
        ("to[0]", ('{"address":"a@x"}',)),
        ("to[2]", (None,)),
        ("to.address", (None,)),
        ("command.x", (None,)),
        ("command[0]", (None,)),
        ("nothing", (None,)),
        ("nothing[*]", (None,)),
        ("to[*].address", ("a@x", "b@x")),
        ("to[*].name", (None, None)),
        ("by[*]", ("1", "2")),
        ('["a.b"]["c d"][*][*]', ("1", "2", "3")),
        ("['a.b']['c d'][0][1]", ("2",)),
        ("$['a.b']", ('{"c d":[[1,2],[3]]}',)),
        ("-", ("dash",)),
    ],
)
def test_arguments_are_looked_up_by_json_path(path, values):
    assert values == lookup(ARGS, path)


def test_a_star_over_nothing_finds_nothing():
    assert () == lookup({"to": []}, "to[*]") == lookup({"to": {}}, "to[*].at")
    assert ("1", "2") == lookup({"x": 1, "y": 2}, "[*]")


@pytest.mark.parametrize(
    "path",
    ["", "to[x]", "to[*", "a b", '["a]', "to..x", ".to", "to.", "to[-1]", "$", "$to", "to[]", "[0]", '[""]', "a[*]b"],
)
def test_what_is_no_path_is_refused_and_never_passed_over(path):
    with pytest.raises(ValueError, match="no path"):
        steps(path)
    with pytest.raises(ValueError, match="no path"):
        lookup({"to": "x"}, path)


KEYS = st.text("ab.[]* $", min_size=1, max_size=4)


@given(st.lists(st.one_of(KEYS, st.integers(0, 2)), min_size=1, max_size=4), st.text("xy", max_size=3))
def test_a_value_at_any_depth_and_under_any_key_is_found_by_its_path(way, value):
    keys = [way[0] if isinstance(way[0], str) else "k", *way[1:]]
    made = value
    for key in reversed(keys):
        made = {key: made} if isinstance(key, str) else [*([0] * key), made]
    path = "".join(f"['{key}']" if isinstance(key, str) else f"[{key}]" for key in keys)

    assert (value,) == lookup(made, path)


SCHEMA = {
    "type": "object",
    "properties": {
        "command": {"type": "string"},
        "to": {"type": "array", "items": {"type": "object", "properties": {"address": {"type": "string"}}}},
        "free": {"type": "object"},
        "odd": {"anyOf": [{"type": "string"}]},
        "any": {},
    },
}


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("command", True),
        ("comand", False),
        ("command.x", False),
        ("command[0]", False),
        ("to[0].address", True),
        ("to[*].address", True),
        ("to.address", False),
        ("to[*].name", False),
        ("free.x", True),
        ("odd.x", True),
        ("any[3].x", True),
        ("[*]", True),
    ],
)
def test_a_path_that_no_arguments_of_a_schema_can_have_is_told(path, there):
    assert there == reaches(SCHEMA, path)
    assert reaches({"type": "object"}, path)


def test_what_is_no_text_is_looked_at_as_compact_json():
    assert ('{"a":[1,"é"]}',) == lookup({"x": {"a": [1, "é"]}}, "x")
    assert ("true",) == lookup({"x": True}, "x")


@pytest.mark.parametrize(("number", "text"), [(5000.0, "5000"), (5e16, "50000000000000000"), (-0.0, "0"), (0.5, "0.5")])
def test_a_whole_number_is_written_in_one_way(number, text):
    """A rule against `[0-9]{4,}` is no less against 5e16."""
    assert (text,) == lookup({"amount": number}, "amount")
