"""A secret in two literals is found as if it were in one."""

import pytest

from agentctl.core.guards import scrub
from agentctl.core.guards.scrub import Rules

KEY = "gh" + "p_" + "a1B2c3D4e5" * 4


def mask(text: str) -> str:
    return scrub.make(Rules(), ()).text(text)


@pytest.mark.parametrize(
    "text",
    [
        '"{}" + "{}"', "'{}' '{}'", '"{}"."{}"', 'x = ("{}"\n     "{}")', '\\"{}\\" + \\"{}\\"',
        '"{}" & "{}"', '"{}""{}"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", [2, 9, 30])
def test_it_is_masked_with_what_stands_between(text, at):
    """C54"""
    masked = mask(f"a {text.format(KEY[:at], KEY[at:])} z")

    assert KEY[:at] not in masked.replace("[REDACTED]", "")
    assert KEY[at:] not in masked
    assert masked.startswith("a ")
    assert masked.endswith(" z")
    assert mask(masked) == masked


def test_three_parts_are_one():
    assert KEY[10:20] not in mask(f'"{KEY[:10]}" + "{KEY[10:20]}" + "{KEY[20:]}"')


def test_a_known_value_in_two_parts_is_found():
    known = scrub.make(Rules(), ["hush-7788-value"])

    assert 'x = "[REDACTED]" ok' == known.text('x = "hush-77" + "88-value" ok')


@pytest.mark.parametrize(
    "text", ['"a" + "b"', "'one' 'two'", '{"a":"b","c":"d"}', 'x = ""', '["a","b"]', '"the key" "is"']
)
def test_other_literals_are_left(text):
    assert text == mask(text)


def test_a_key_in_reverse_is_found():
    assert "x [REDACTED] y" == mask(f"x {KEY[::-1]} y")
    assert "the long-kebab-name-of-2026-ks y" == mask("the long-kebab-name-of-2026-ks y")
