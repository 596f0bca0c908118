"""The estimate of a text: never nothing, and no script as a quarter."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.guards.context import DENSEST
from agentctl.models.tokens import count


@given(st.text(), st.text())
def test_it_grows_with_the_text(left, right):
    assert count("") == 0
    assert count(left) >= (len(left) > 0)
    assert count(left + right) >= max(count(left), count(right))
    assert count(left + right) <= count(left) + count(right)


def test_a_lone_surrogate_counts():
    assert count("\ud83c") == 1


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The refund was made on Monday, and the customer was told so by mail. " * 30, 481),
        ("退款代码已经确认。订单于昨天送达。客户要求更换颜色。" * 30, 510),
        ('{"id": 4711, "total": 12.5, "ok": true, "at": "2026-11-21T09:00:00Z"}' * 30, 1_140),
        (base64.b64encode(random.Random(1).randbytes(3_000)).decode(), 2_720),
    ],
    ids=["prose", "Chinese", "JSON", "base64"],
)
def test_it_comes_within_the_margin_of_what_tokenizers_count(text, tokens):
    """H7: figures of o200k, rounded; a reservation takes `DENSEST` times the estimate."""
    assert tokens / DENSEST <= count(text) <= 2 * tokens
