"""What a person's yes is bound to: nothing that is another reuses it, and what is another is named."""

import base64
import hashlib
import json
import unicodedata
import urllib.parse

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentctl.core import receipts
from agentctl.core.receipts import LASTS_S, bound, counts, drift, whole

EXACT = ("send", "definition", {"to": "a@example.com", "body": "Hello."}, "policy")
texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(texts, values, min_size=1, max_size=4)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def digest(tool="t", definition="d", args=None, policy="p", files=()):
    return whole(sha, bound(sha, tool, definition, args, policy, files))


@pytest.mark.parametrize(
    "other",
    [
        ("sent", *EXACT[1:]),
        ("send", "definition2", *EXACT[2:]),
        ("sendd", "efinition", *EXACT[2:]),
        (*EXACT[:2], {"to": "a@example.com", "body": "Hello!"}, "policy"),
        (*EXACT[:2], {"to": "a@example.com", "body": "Hello. "}, "policy"),
        (*EXACT[:2], {"to": "A@example.com", "body": "Hello."}, "policy"),
        (*EXACT[:2], {"to": "a@example.com", "body": "Hello.", "cc": None}, "policy"),
        (*EXACT[:2], {"to": "a@example.com"}, "policy"),
        (*EXACT[:2], dict(reversed(EXACT[2].items())), "policy"),
        (*EXACT[:3], "policy2"),
        (*EXACT, (("go.sh", "sha256 1"),)),
    ],
)
def test_an_answer_is_bound_to_the_exact_action(other):
    """D70"""
    assert digest(*EXACT) != digest(*other)


@pytest.mark.parametrize(("one", "other"), [(5, 5.0), (1, True), ("1", 1), ("é", "e\u0301"), (None, "null"), ([], {})])
def test_values_that_only_look_alike_are_different_actions(one, other):
    """D70: what a loop key takes for the same is not the same to a person."""
    assert digest(args={"v": one}) != digest(args={"v": other})


def test_a_digest_is_the_same_in_every_process():
    """H11: no per-process hash."""
    assert "4041" == digest(*EXACT)[:4]


def mutations(draw, value):
    """Another value than this: edited, reordered, or written in another way."""
    match value:
        case bool():
            return not value
        case int() | float():
            return draw(st.sampled_from([value + 1, str(value), -value - 1]))
        case str():
            encodings = [
                value + "\u200b", value + " ", value.swapcase(), value[::-1], json.dumps(value),
                urllib.parse.quote(value, safe=""), base64.b64encode(value.encode()).decode(),
                unicodedata.normalize("NFD", value), unicodedata.normalize("NFKC", value), [value], {"v": value},
            ]  # fmt: skip
            return draw(st.sampled_from(encodings))
        case list() if value:
            how = draw(st.sampled_from(["reverse", "drop", "double", "inside"]))
            inside = [mutations(draw, value[0]), *value[1:]]
            return {"reverse": value[::-1], "drop": value[1:], "double": [*value, value[0]], "inside": inside}[how]
        case dict() if value:
            first = next(iter(value))
            rest = {name: each for name, each in value.items() if name != first}
            how = draw(st.sampled_from(["reorder", "drop", "rename", "inside"]))
            return {
                "reorder": {**rest, first: value[first]},
                "drop": rest,
                "rename": {f"{first}_": value[first], **rest},
                "inside": {**value, first: mutations(draw, value[first])},
            }[how]
        case _:
            return draw(st.sampled_from(["", "null", 0, False]))


def same(one, other):
    """Equal to the letter, types and order included."""
    return json.dumps(one) == json.dumps(other)


@settings(deadline=None, max_examples=500)
@given(arguments, st.data())
def test_no_edit_reorder_or_re_encoding_of_arguments_reuses_a_yes(args, data):
    """D70"""
    other = mutations(data.draw, args)
    assume(not same(args, other))

    assert digest(args=args) != digest(args=other)


@settings(deadline=None)
@given(arguments)
def test_the_same_arguments_read_back_from_a_journal_are_the_same_action(args):
    assert digest(args=args) == digest(args=json.loads(json.dumps(args)))


def test_what_has_drifted_is_named():
    before = bound(sha, *EXACT, (("go.sh", "1"), ("lib.sh", "2")))
    now = bound(sha, "send", "other", {"to": "eve@example.com"}, "policy", (("go.sh", "3"), ("lib.sh", "2")))

    assert "its definition, the arguments and the file go.sh" == drift(before, now)
    assert "the policy" == drift(before, (*before[:2], ("the policy", "another"), *before[3:]))
    assert "the file lib.sh" == drift(before, before[:4])


def test_of_many_drifts_the_first_are_named():
    files = tuple((f"{number}.sh", str(number)) for number in range(9))

    assert "the file 0.sh, the file 1.sh, the file 2.sh and 6 more" == drift(
        bound(sha, *EXACT, files), bound(sha, *EXACT)
    )


def test_an_old_journal_does_not_know_the_parts():
    assert "tool, arguments or policy" == drift((), bound(sha, *EXACT))


@pytest.mark.parametrize(
    ("later", "still"), [(0, True), (LASTS_S, True), (LASTS_S + 1, False), (-3, True), (-60, False)]
)
def test_an_answer_counts_for_an_hour_and_not_before_it_was_given(later, still):
    assert still == counts(1_000_000.0, 1_000_000.0 + later)


def test_nothing_is_bound_to_nothing():
    assert "" == whole(sha, ())
    assert receipts.NAMED == 3
