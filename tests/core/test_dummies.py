"""What only stands for a secret, and what looks generated."""

import pytest

from agentctl.core.dummies import header_stands_for, random, stands_for


@pytest.mark.parametrize(
    "value",
    ["$TOKEN", "${TOKEN:-x}", "$(cat f)", "<token>", "{{ secret }}", "%(token)s", "****", "None", "os.environ.X"],
)
def test_variables_and_words_stand_for_one(value):
    assert stands_for(value)
    assert header_stands_for(f"Bearer {value}")


@pytest.mark.parametrize("value", ["hunter2", "$ecret!1x9", "nonesuch77", "the-9-k7x9z2", "authority"])
def test_others_may_be_one(value):
    assert not stands_for(value)


@pytest.mark.parametrize(("value", "generated"), [
    ("k7x9z2q4m1", True), ("abcdefghij", False), ("1234567890", False), ("/usr/lib/x1", False), ("k7", False),
    ("Aa~bcdefgh", True), ("https://h/1", False),
])  # fmt: skip
def test_generated_values_have_letters_and_signs(value, generated):
    assert generated == random(value, 10)
