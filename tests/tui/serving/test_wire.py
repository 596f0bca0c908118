"""What a browser may say, and what it may not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.tui.serving.wire import Focus, Garbage, Keys, Ping, Size, first, understood

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (["stdin", "é\x1b[A"], Keys("é\x1b[A".encode())),
        (["stdin", "\ud800"], Keys(b"?")),
        (["resize", {"width": 120, "height": 40}], Size(120, 40)),
        (["resize", {"width": 1, "height": 9_000}], Size(20, 150)),
        (["focus"], Focus("focus")),
        (["blur"], Focus("blur")),
        (["ping", "17"], Ping("17")),
    ],
)
def test_words(said, meant):
    assert meant == understood(json.dumps(said))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 60_000,
        "9" * 60_000,
        "null",
        "[]",
        '{"0": "stdin"}',
        '["stdin"]',
        '["stdin", 1]',
        '["stdin", ["a"]]',
        '["stdin", "a", "b"]',
        '["resize", {"width": 80}]',
        '["resize", {"width": "80", "height": "24"}]',
        '["resize", {"width": true, "height": 24}]',
        '["resize", {"width": 1e9, "height": 24}]',
        '["resize", {"width": 1000000000, "height": 24}]',
        '["resize", {"width": 80, "height": -1}]',
        '["resize", {"width": NaN, "height": 24}]',
        f'["ping", "{"x" * 65}"]',
        '["quit"]',
        '["deliver_chunk_request", {"key": "k"}]',
    ],
    ids=range(21),
)
def test_everything_else_is_garbage(text):
    assert isinstance(understood(text), Garbage)


@given(st.text() | ANYTHING.map(json.dumps) | st.tuples(st.just("resize"), ANYTHING).map(json.dumps))
def test_nothing_raises_and_no_size_is_out_of_bounds(text):
    word = understood(text)

    if isinstance(word, Size):
        assert 20 <= word.width <= 400
        assert 6 <= word.height <= 150


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        ("133", "36", Size(133, 36)),
        ("1", "9999", Size(20, 150)),
        ("NaN", "24", Size()),
        (None, None, Size()),
        ("80", "٢", Size()),
        ("9" * 5_000, "24", Size()),
        ("-4", "24", Size()),
    ],
)
def test_the_size_of_an_address(width, height, size):
    assert size == first(width, height)
