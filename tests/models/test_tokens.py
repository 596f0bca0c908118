"""The estimate before a call: never nothing, never far off for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.messages import Message, Text, Thinking, ToolAnswer, ToolUse
from agentctl.models.tokens import Estimator
from tests.models.wires import ask_for


@given(st.text(), st.text())
def test_it_grows_with_the_text(left, right):
    count = Estimator().count

    assert count("") == 0
    assert count(left) >= (len(left) > 0)
    assert count(left + right) >= max(count(left), count(right))
    assert count(left + right) <= count(left) + count(right)


def test_a_lone_surrogate_counts():
    assert Estimator().count("\ud83c") == 1


@pytest.mark.parametrize("truth", [2.0, 4.0, 5.5])
def test_it_learns(truth):
    estimator = Estimator()
    for _ in range(20):
        estimator = estimator.observe(100_000, round(100_000 / truth))

    assert estimator.bytes_per_token == pytest.approx(truth, rel=0.01)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=50))
def test_nobody_can_teach_it_nonsense(lessons):
    estimator = Estimator()
    for sent, tokens in lessons:
        estimator = estimator.observe(sent, tokens)

    assert 1.5 <= estimator.bytes_per_token <= 6


def test_a_small_prompt_teaches_nothing():
    assert Estimator().observe(10_000, 100) == Estimator()


def test_a_request_is_all_that_is_sent():
    estimator = Estimator()
    small = ask_for(tools=(), system="")
    whole = ask_for()
    message = Message("assistant", (Thinking("x" * 9000), Text("y" * 320), ToolUse("c", "i", "add", {"a": "z" * 320})))
    answered = Message("user", (ToolAnswer("c", "i", "w" * 320, is_error=False),))

    assert 0 < estimator.request(small) < estimator.request(whole)
    assert 200 < estimator.message(message) < 250
    assert estimator.messages((message, answered)) == estimator.message(message) + estimator.message(answered)
    echoed = Message("assistant", (), "me", ({"type": "reasoning", "encrypted_content": "e" * 3200},))
    assert 1000 <= estimator.message(echoed) < 1100
