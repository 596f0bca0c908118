"""What a run knows is masked however it is written, and what a detector found is known from then on."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.guards import scrub
from agentctl.core.guards.scrub import FAILED, Rules
from agentctl.core.known import MOST

M = "[REDACTED]"
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40)


@settings(max_examples=300, deadline=None)
@given(printable, st.binary(max_size=5), st.binary(max_size=5))
def test_a_known_value_is_found_in_every_spelling(secret, before, behind):
    """C08"""
    made = scrub.make(Rules(detectors="off"), [secret])
    raw = secret.encode()
    written = [
        secret, json.dumps(secret), json.dumps(json.dumps(secret)), repr(secret), raw.hex(), raw.hex().upper(),
        quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe=""), safe=""),
        base64.b64encode(before + raw + behind).decode(), base64.urlsafe_b64encode(before + raw + behind).decode(),
    ]  # fmt: skip

    assert [] == [each for each in written if M not in made.text(f"x {each} y")]


def test_what_stood_under_a_sensitive_name_is_known_from_then_on():
    made = scrub.make(Rules(), ())
    before = made.text("see q7x9z2k4m1 there")
    made.data({"password": "q7x9z2k4m1"})

    assert ("see q7x9z2k4m1 there", f"see {M} there") == (before, made.text("see q7x9z2k4m1 there"))


def test_what_a_detector_found_is_known_also_before_it_in_the_same_text():
    made = scrub.make(Rules(), ())

    assert f"{M} is it: password={M}" == made.text("q7x9z2k4m1 is it: password=q7x9z2k4m1")
    assert {"a": M, "password": M} == scrub.make(Rules(), ()).data({"a": "q7x9z2k4m1", "password": "q7x9z2k4m1"})


@pytest.mark.parametrize("word", ["production", "the quick brown 1", "/var/lib/x1", "abc1", "12345678"])
def test_words_and_paths_that_stood_there_are_not(word):
    made = scrub.make(Rules(), ())
    made.data({"password": word})

    assert f"in {word} now" == made.text(f"in {word} now")


def test_what_is_learned_is_bounded():
    made = scrub.make(Rules(), ())
    for number in range(2 * MOST):
        made.data({"password": f"q7x9z2k4m{number:05d}"})

    assert "q7x9z2k4m00511" in made.text("see q7x9z2k4m00511")
    assert M in made.text("see q7x9z2k4m00001")


def test_a_filter_never_tells_its_values():
    """C08"""
    assert "q7x9z2k4m1" not in repr(scrub.make(Rules(), ["q7x9z2k4m1"]))


class Broken:
    def finditer(self, text):
        raise RuntimeError(text)


def test_a_filter_that_fails_writes_that_instead_of_the_text():
    """C54"""
    made = scrub.make(Rules(), (), [Broken()])

    assert FAILED == made.text("anything")
    assert FAILED == made.data({"a": ["anything"]})
    assert {FAILED: None} == made.fields({"a": "anything"})
