"""Whatever a program writes or Python returns becomes JSON that anybody can read, or a reason."""

import dataclasses
import datetime as dt
import enum
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.tools.plain import json_safe, mended, parse


def strict(value):
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("NaN", "NaN is not a number"),
        ('{"a": Infinity}', "Infinity is not a number"),
        ("[1e999]", "too large"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('"\\ud800"', "surrogate"),
        ('{"\\uDFFF": 1}', "surrogate"),
        ("[" * 100_000, "too deeply"),
        ("[" * 500 + "]" * 500, "too deeply"),
        ('{"a":' * 101 + "1" + "}" * 101, "too deeply"),
        ("9" * 5_000, "digits"),
        ("{} {}", "Extra data"),
    ],
)
def test_what_is_no_clean_json_is_refused_with_its_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["null", "[]", '{"a": [1, 2.5, "x", true]}', '"\\ud83d\\ude00"', "[" * 100 + "]" * 100, "[[],[]]" * 0 + "[[],[]]"],
)
def test_clean_json_is_taken_as_it_is(text):
    assert parse(text) == json.loads(text)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_parsed_or_refused(text):
    try:
        value = parse(text)
    except ValueError:
        return
    strict(value)


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        (rb'"\ud800"', rb'"\ufffd"'),
        (rb'"\uDFFF x \udbff\ud801"', rb'"\ufffd x \ufffd\ufffd"'),
        (rb'"\ud83d\ude00 \u00e9 \\ud800"', rb'"\ud83d\ude00 \u00e9 \\ud800"'),
        (rb'"\\\ud800 \ud8', rb'"\\\ufffd \ud8'),
    ],
)
def test_halves_of_surrogate_pairs_are_replaced_and_nothing_else(text, mend):
    assert mend == mended(text) == mended(mended(text))


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Order:
    id: str
    tags: set[str]


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (2.5, 2.5),
        ("x", "x"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("a\ud800b", "a\\ud800b"),
        (b"ab\xff", "ab\\xff"),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, (2,)), [1, [2]]),
        ({1: "a", "1": "b"}, {"1": "a", "1_": "b"}),
        (Colour.RED, "red"),
        (Order("A-1", {"b", "a"}), {"id": "A-1", "tags": ["a", "b"]}),
        (dt.date(2026, 5, 1), "2026-05-01"),
        (Path("a/b"), "a/b"),
        (object(), "<object>"),
        (Rude(), "<Rude>"),
    ],
)
def test_python_objects_are_said_in_json(value, plain):
    assert json_safe(value) == plain


def test_circles_depths_and_numbers_without_end_are_cut():
    circle: dict[str, object] = {}
    circle["self"] = circle
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]

    assert json_safe(circle) == {"self": "<circular>"}
    assert b"<nested too deeply>" in strict(json_safe(deep))
    assert json_safe(10**10_000).startswith("0x")
    assert json_safe([circle, circle]) == [{"self": "<circular>"}] * 2


objects = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.decimals()
    | st.frozensets(st.integers() | st.text(st.characters()), max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers() | st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(objects)
def test_any_object_comes_out_as_strict_json(value):
    """D115"""
    plain = json_safe(value)

    assert json.loads(strict(plain)) == plain
