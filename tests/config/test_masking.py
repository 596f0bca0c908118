"""A pattern of the user's is refused where it would mask nothing, too much, or for too long; on every platform."""

import pytest

from agentctl.config import masking, patterns
from agentctl.core.guards.scrub import Rules


@pytest.mark.parametrize("engine", [patterns.compiled, patterns._careful])
@pytest.mark.parametrize(
    ("pattern", "words"),
    [("x*", "the empty text"), ("[a-z]", "ordinary texts"), (".+", "ordinary texts"), ("(", "an RE2 pattern"),
     ("(?=a)b", "an RE2 pattern"), (r"(a)\1", "an RE2 pattern"), ("a" * 501, "at most 500")],
)  # fmt: skip
def test_such_a_pattern_is_refused_in_words(monkeypatch, engine, pattern, words):
    monkeypatch.setattr(masking, "compiled", engine)
    found = masking.fault(pattern)

    assert found is not None
    assert words in found[0]


def test_without_re2_what_could_blow_up_is_refused(monkeypatch):
    monkeypatch.setattr(masking, "compiled", patterns._careful)

    assert masking.fault("(a+)+$") is not None
    assert masking.fault("ACME-[0-9]{4}") is None


@pytest.mark.parametrize("engine", [patterns.compiled, patterns._careful])
def test_a_pattern_masks_what_it_matches(monkeypatch, engine):
    monkeypatch.setattr(masking, "compiled", engine)
    made = masking.mask(Rules(patterns=("ACME-[0-9]{4}",)), ())

    assert "see [REDACTED], é [REDACTED]." == made.text("see ACME-1234, é ACME-5678.")
