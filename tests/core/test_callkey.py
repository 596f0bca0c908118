"""What the key of a tool call is made of: calls that mean the same have the same, in every process."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.callkey import canonical, canonical_bytes, keys
from tests.play import Asks, Reply, Script, asks, contract, key_of, played, policy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"q": "Orders of MAY"}, {"q": "orders of may"}),
        ({"q": "  orders \t of\nmay "}, {"q": "orders of may"}),
        ({"q": "\uff4f\uff52\uff44\uff45\uff52\uff53"}, {"q": "orders"}),
        ({"q": "caf\u0065\u0301"}, {"q": "café"}),
        ({"q": "STRASSE"}, {"q": "straße"}),
        ({"n": 5}, {"n": 5.0}),
        ({"n": [{"y": 1.0, "x": 2}]}, {"n": [{"x": 2, "y": 1}]}),
        ({"n": -0.0}, {"n": 0}),
        ({"n": 1e3}, {"n": 1000}),
        ({"n": 2.0**60}, {"n": 2**60}),
    ],
    ids=[
        *("key order", "case", "space", "width", "composition", "folding", "number form", "nested"),
        *("minus zero", "exponent", "beyond a double"),
    ],
)
def test_arguments_that_mean_the_same_have_one_key(one, other):
    """C05, H8"""
    assert key_of("look", one) == key_of("look", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"n": 5}, {"n": 6}),
        ({"n": 5}, {"n": "5"}),
        ({"n": 1}, {"n": True}),
        ({"n": 5.5}, {"n": 5}),
        ({"n": [1, 2]}, {"n": [2, 1]}),
        ({"a": "x"}, {"b": "x"}),
        ({"n": None}, {}),
        ({"q": "orders of may"}, {"q": "ordersofmay"}),
        ({"n": 2.0**60}, {"n": 2**60 + 1}),
    ],
)
def test_arguments_that_mean_something_else_have_another_key(one, other):
    assert canonical_bytes("look", one) != canonical_bytes("look", other)


def test_calls_that_mean_the_same_are_not_identical():
    """What is looked for loosely when it repeats is not shared loosely: `README` is another file than `readme`."""

    def both(args):
        return keys(bytes.hex, "look", args)

    assert both({"f": "README"})[0] == both({"f": "readme"})[0]
    assert "" == both({"f": "readme"})[1] == both({"f": "readme"})[1]
    assert both({"f": "README"})[1] not in {"", both({"f": "Readme"})[1]}
    assert both({"b": "X", "a": 1}) == both({"a": 1, "b": "X"})


def test_the_same_arguments_for_another_tool_have_another_key():
    """B21"""
    assert key_of("look", {"q": 1}) != key_of("find", {"q": 1})


def test_what_a_key_is_made_of_is_plain_json():
    assert b'["look",{"a":5,"b":["x y",null,true]}]' == canonical_bytes("look", {"b": ["X  y", None, True], "a": 5.0})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values)
def test_every_json_value_has_a_key(value):
    assert canonical_bytes("look", value) == canonical_bytes("look", value)


@settings(deadline=None)
@given(json_values)
def test_what_is_canonical_stays_as_it_is(value):
    """H8"""
    assert repr(canonical(value)) == repr(canonical(canonical(value)))


@settings(deadline=None)
@given(st.text(max_size=12), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_form_case_and_space_of_a_text_change_no_key(text, form):
    """H8: composed or not, wide or narrow, folded, with more space."""
    key = canonical_bytes("look", {"q": text})

    assert key == canonical_bytes("look", {"q": unicodedata.normalize(form, text)})
    assert key == canonical_bytes("look", {"q": text.casefold()})
    assert key == canonical_bytes("look", {"q": f"  {text}\t\n"})


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.booleans(), min_size=2, max_size=5), st.randoms())
def test_the_order_of_names_changes_no_key(args, random):
    names = list(args)
    random.shuffle(names)

    assert canonical_bytes("look", args) == canonical_bytes("look", {name: args[name] for name in names})


numbers = st.integers() | st.floats(allow_nan=False) | st.sampled_from([0, -0.0, 1e3, 10**400, 2.0**60, 2**60 + 1])


@given(numbers, numbers)
def test_numbers_have_one_key_exactly_where_they_are_equal(one, other):
    """H8: 1 and 1.0 and 1e0, but never 1 and "1"."""
    assert (one == other) == (canonical_bytes("look", [one]) == canonical_bytes("look", [other]))
    assert canonical_bytes("look", [one]) != canonical_bytes("look", [str(one)])


def test_arguments_of_any_depth_and_size_have_a_key():
    deep: object = "x"
    for _ in range(900):
        deep = {"d": [deep]}

    assert canonical_bytes("look", deep) == canonical_bytes("look", deep)
    assert canonical_bytes("look", {"n": 10**4_000}) != canonical_bytes("look", {"n": 10**4_000 + 1})


KEY = """
import sys
from pathlib import Path
from agentctl.core.callkey import canonical_bytes
from agentctl.journal.sealed import load

args = {"tags": ["B", "a"], "q": "Stra\u00dfe  1", "n": 5.0, "deep": {"y": None, "x": True}}
print(load(Path(sys.argv[1])).call_key("", canonical_bytes("look", args)))
"""


def test_a_key_is_the_same_in_every_process_and_another_under_another_stores_key(tmp_path, monkeypatch):
    """H8: no per-process hash; H11."""
    monkeypatch.delenv("AGENTCTL_SEAL_KEY", raising=False)
    said: list[str] = []
    for seed, folder in (("1", "a"), ("2", "a"), ("2", "b")):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        command = [sys.executable, "-c", KEY, str(tmp_path / folder)]
        said.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert 33 == len(said[0])
    assert said[0] == said[1] != said[2]


def test_arguments_that_are_no_object_have_a_key_too():
    play = played(
        policy(), Script([asks(Asks("look", None)), asks(Asks("look", None)), Reply("done")]), contract("look")
    )

    assert ["INVALID_ARGS", "INVALID_ARGS"] == [end.code for end in play.answers]
