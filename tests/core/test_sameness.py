"""What a result says, as a set of words that can be compared with another's."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.sameness import news, similarity, words


def alike(one, other):
    return similarity(words(one), words(other))


def test_likeness_is_common_words_over_all_words():
    """C36: Jaccard over lower-cased words."""
    assert 3 / 5 == alike("the order Is late", "The order is THERE") == alike("a b c d", "a b c e")
    assert 1.0 == alike("Nothing found.", "nothing found")
    assert 0.0 == alike("one", "two")
    assert 1.0 == alike("", "") == alike([], []) == alike({}, [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": "x"}, {"b": "x", "a": 1}),
        ([{"n": "x"}, {"n": "y"}], [{"n": "y"}, {"n": "x"}]),
        ("at 2026-05-01T10:00:00Z none", "at 2026-06-11 12:30:01.5+02:00 none"),
        ("none on 3 May 2026", "none on 14 June 2026"),
        ("none on 3/5/2026", "none on 04/11/26"),
        ("none since 10:15", "none since 9:30:00 pm"),
        ("3 passed in 0.53s", "3 passed in 12.8 s"),
        ("request 3f2504e0-4f89-11d3-9a0c-0305e82c3301 failed", "request 6fa459ea-ee8a-3ca4-894e-db77e160355e failed"),
        ("commit 9fceb02d0ae5 is clean", "commit 1a410efbd13591db0 is clean"),
        ("request req_01H8XGJWBWBAQZ failed", "request req_01J9ABCDEFGHI2 failed"),
        ("order 12345678 is open", "order 87654321 is open"),
        ({"ts": 1_770_000_000.5, "n": 0}, {"ts": 1_770_000_123.25, "n": 0}),
        ({"took_ms": 12, "n": 0}, {"took_ms": 915, "n": 0}),
        ({"id": 123_456_789, "n": 0}, {"id": 987_654_321, "n": 0}),
    ],
)
def test_ids_times_and_order_make_no_difference(one, other):
    """G3"""
    assert 1.0 == alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"running": True}, {"running": False}),
        ({"open": []}, {"closed": []}),
        ({"count": 1}, {"count": 2}),
        ("found 12 orders", "found 13 orders"),
        ("version 1.2.3", "version 1.2.4"),
        ({"id": "a"}, {"id": "b"}),
        ("the facade is decaf", "the facade is defaced"),
        ([f"INV-2026-{n:04}" for n in range(10)], [f"INV-2026-{n:04}" for n in range(10, 20)]),
        (
            [f"3f2504e0-4f89-11d3-9a0c-{n:012x}" for n in range(5)],
            [f"3f2504e0-4f89-11d3-9a0c-{n:012x}" for n in range(5, 10)],
        ),
    ],
)
def test_what_says_something_else_differs(one, other):
    """G3: a page of nothing but ids says what its ids say."""
    assert alike(one, other) < 0.85


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("東京の天気は晴れです", "東京の天気は晴れです。", True),
        ("東京の天気は晴れです", "大阪の明日の気温は低い", False),
        ("没有找到任何相关结果", "没有找到任何相关结果", True),
        ("没有找到任何相关结果", "一共找到了三个订单记录", False),
        ("ไม่พบผลลัพธ์", "พบสามรายการใหม่", False),
    ],
)
def test_text_without_spaces_is_compared_too(one, other, same):
    """G3"""
    assert same == (alike(one, other) > 0.85)


def test_an_error_that_repeats_what_it_was_asked_says_the_same():
    """B63: only what the call itself brought differs."""
    said = [
        news(f"No order '{name}' in the list.", words({"name": name}), failed=True)
        for name in ("alpha one", "beta", "gamma")
    ]

    assert 1 == len(set(said))


def test_a_search_that_repeats_the_query_and_finds_nothing_says_the_same():
    """A31, C37"""
    said = {
        news({"query": query, "results": [], "total": 0}, words({"q": query, "limit": 5}), failed=False)
        for query in ("Late orders of May", "orders May delayed", "which shipments are overdue")
    }

    assert 1 == len(said)


def test_a_result_that_is_nothing_but_what_was_asked_stays_as_it_is():
    """Checking one file after the other is work, and so is whatever answers in the words of its call."""
    files = ["a.py", "b.py", "c.py"]

    assert 3 == len({news({"path": name}, words({"path": name}), failed=False) for name in files})
    assert 3 == len({news({"path": name, "ok": True}, words({"path": name}), failed=False) for name in files})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(json_values, json_values)
def test_likeness_is_a_share_and_the_same_both_ways(one, other):
    assert 1.0 == alike(one, one)
    assert 0.0 <= alike(one, other) == alike(other, one) <= 1.0


@pytest.mark.parametrize("text", ["a-", "a_", "a1-", "12:", "0a", "jan ", "2026-01-01 ", "東", "1"])
def test_no_text_takes_long_and_no_set_grows_without_end(text):
    began = time.process_time()
    found = words(text * 100_000)
    deep: object = "x"
    for _ in range(5_000):
        deep = [deep]
    words(deep)

    assert time.process_time() - began < 2
    assert len(found) <= 8_000
