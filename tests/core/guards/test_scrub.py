"""What must never be written, shown or logged is masked where it enters."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.guards import scrub
from agentctl.core.guards.scrub import FAILED, Rules

KEY = "sk-proj-s3cr3t/value+1"
FILTER = scrub.make(Rules(), [KEY])
M = "[REDACTED]"


def test_five_names_are_the_policys_own():
    """A41"""
    assert ("api_key", "token", "secret", "password", "bearer") == Rules().keys


@pytest.mark.parametrize("name", ["api_key", "token", "secret", "password", "bearer"])
def test_what_stands_under_these_names_is_masked(name):
    """A41, C08"""
    assert {name: M} == FILTER.data({name: "hunter2"})


def test_the_marker_is_exactly_this():
    """A42, G13"""
    assert M == Rules().replacement
    assert {"password": M} == FILTER.data({"password": "hunter2"})


@pytest.mark.parametrize(
    "name",
    [
        "auth_token", "accessToken", "X-Api-Key", "dbPassword", "AWS_SECRET_ACCESS_KEY", "refresh-token", "APIKEY",
        "api_keys", "passwords", "clientSecret", "Authorization", "Set-Cookie", "private_key", "session_key", "pin",
        "user.password", "db_passwd", "credentials", "connectionString", "token2",
    ],
)  # fmt: skip
def test_names_are_matched_by_their_words_in_every_case(name):
    """C47, H9: `auth_token` was missed by exact keys."""
    assert {name: M} == FILTER.data({name: "hunter2"})


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens", "input_tokens", "tokens_per_minute", "token_count", "token_type", "secretary", "passwordless",
        "tokenizer", "bearers_of_news_total", "keyboard", "pinned", "spinner", "author", "secret_name", "cookie_url",
    ],
)  # fmt: skip
def test_names_that_only_contain_such_a_word_are_shown(name):
    """C47, H9: `max_tokens` was hidden by substrings."""
    assert {name: 512} == FILTER.data({name: 512})


def test_numbers_of_tokens_are_counts_and_a_numeric_token_is_not():
    """H9: numeric values were missed."""
    given_ = {"max_tokens": 512, "maxTokens": "512", "auth_token": 8412345, "password": 1234, "pin": "0042"}

    assert {**given_, "auth_token": M, "password": M, "pin": M} == FILTER.data(given_)


def test_nothing_and_yes_or_no_are_no_secrets():
    assert {"password": None, "token": True, "secret": ""} == FILTER.data(
        {"password": None, "token": True, "secret": ""}
    )


def test_nested_values_are_masked_in_their_shape():
    """H9, A43: in arguments, at any depth."""
    args = {"a": [{"login": {"password": "x", "user": "ann"}}], "credentials": {"key": "k", "list": [1, ["b"]]}}

    assert {
        "a": [{"login": {"password": M, "user": "ann"}}],
        "credentials": {"key": M, "list": [M, [M]]},
    } == FILTER.data(args)


def test_results_are_masked_like_arguments():
    """A44, A86"""
    assert {"status": "success", "data": {"api_key": M, "id": 7}} == FILTER.fields(
        {"status": "success", "data": {"api_key": "k-1", "id": 7}}
    )


def test_what_goes_to_the_tool_is_left_as_it_is():
    """A45, A85: a copy is masked."""
    args = {"password": "hunter2", "nested": [{"token": "abc"}]}
    before = json.dumps(args)
    FILTER.data(args)

    assert before == json.dumps(args)


def test_json_inside_strings_is_read_three_deep():
    """H9: JSON in strings."""
    value: object = {"password": "hunter2"}
    texts = []
    for _ in range(3):
        value = json.dumps({"body": value} if texts else value)
        texts.append(FILTER.data(value))

    assert [True] * 3 == [isinstance(text, str) and "hunter2" not in text and M in text for text in texts]


def test_json_without_a_secret_comes_back_letter_by_letter():
    text = '{"a" : [1.10, 2],  "b":"x"}'

    assert text == FILTER.data(text)


def test_a_name_that_stands_twice_hides_nothing():
    assert "hunter2" not in str(FILTER.data('{"password": "hunter2", "password": "[REDACTED]"}'))


def test_pairs_of_name_and_value_are_masked():
    """H9: header lists."""
    headers = [["Authorization", "Bearer abc"], ["Accept", "json"], ["X-Api-Key", "k-1"], ["pin", 4711]]

    assert [["Authorization", M], ["Accept", "json"], ["X-Api-Key", M], ["pin", M]] == FILTER.data(headers)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2", f"password={M}"),
        ("password = 'hunter2'", f"password = '{M}'"),
        ('"api_key": "k-123", "a": 1', f'"api_key": "{M}", "a": 1'),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: {M}"),
        ("X-Api-Key: k-123\nAccept: x", f"X-Api-Key: {M}\nAccept: x"),
        ("curl -H 'authorization: Basic QWxhZGRpbjpv'", f"curl -H 'authorization: {M}'"),
        ("sent Bearer abcdefgh12", f"sent Bearer {M}"),
        ("sent BASIC QWxhZGRpbjpv", f"sent BASIC {M}"),
        ("https://api.example.com/?token=abcdef&x=1", f"https://api.example.com/?token={M}&x=1"),
        ("failed: url=https://h/?api_key=abcdef", f"failed: url=https://h/?api_key={M}"),
        ("error:password=hunter2", f"error:password={M}"),
        ('password="two words" next', f'password="{M}" next'),
        ("secret := abcdef", f"secret := {M}"),
        ("max_tokens=512 next", "max_tokens=512 next"),
        ("token count: 12", "token count: 12"),
        ("the secret is out", "the secret is out"),
    ],
)
def test_names_and_values_in_text_are_masked(text, masked):
    """C54, C47"""
    assert masked == FILTER.text(text)


def test_a_long_value_is_masked_to_its_end():
    assert f"password={M} end" == FILTER.text(f"password={'a' * 9_000} end")


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        json.dumps({"x": KEY}),
        json.dumps({"x": json.dumps(KEY)}),
        "https://h/?k=sk-proj-s3cr3t%2Fvalue%2B1",
        KEY.encode().hex(),
        f"a{KEY}b",
    ],
    ids=["plain", "JSON", "JSON in JSON", "URL", "hex", "inside"],
)
def test_a_known_secret_is_masked_however_it_is_written(written):
    """C08"""
    text = FILTER.text(written)

    assert KEY not in text
    assert M in text


def test_known_secrets_are_masked_in_names_numbers_and_beyond_the_sensitive():
    known = scrub.make(Rules(), ["84123456", "hush-hush"])

    assert {M: 1, "a": M, "b": [M], "c": f"x {M}"} == known.data(
        {"hush-hush": 1, "a": 84123456, "b": ["hush-hush"], "c": "x hush-hush"}
    )


def test_each_line_of_a_known_secret_is_one():
    pem = scrub.make(Rules(), ["-----BEGIN KEY-----\nMIIabcdef\n-----END KEY-----"])

    assert f"line {M}" == pem.text("line MIIabcdef")


def test_words_that_are_too_short_mask_nothing():
    assert "the cat" == scrub.make(Rules(), ["cat", "", "  "]).text("the cat")


def test_a_secret_that_is_the_marker_itself_changes_nothing():
    same = scrub.make(Rules(), ["REDACTED"])

    assert f"password={M}" == same.text(same.text("password=hunter2"))


def test_a_marker_of_several_words_is_masked_no_further():
    mine = scrub.make(Rules(replacement="NOT SHOWN"), [])

    assert "password=NOT SHOWN" == mine.text(mine.text("password=hunter2"))


def test_your_own_names_are_matched_beside_the_built_in_ones():
    mine = scrub.make(Rules(keys=("customer_number",)), [])

    assert {"customerNumber": M, "password": M} == mine.data({"customerNumber": "7", "password": "x"})


def test_the_guard_can_be_off():
    off = scrub.make(Rules(enabled=False), [KEY])

    assert {"password": KEY} == off.data({"password": KEY})
    assert f"password={KEY}" == off.text(f"password={KEY}")


def test_the_other_defaults_are_those_of_the_standard_policy():
    rules = Rules()

    assert (True, "default", (), False) == (rules.enabled, rules.detectors, rules.patterns, rules.to_model)


@pytest.mark.parametrize("depth", [50, 600, 5_000])
def test_what_is_too_deep_to_look_at_is_masked_whole(depth):
    deep: object = "hunter2"
    for _ in range(depth):
        deep = [deep]

    assert FAILED == FILTER.data(deep) or depth == 50
    assert isinstance(FILTER.data("[" * depth + "]" * depth), str)
    assert isinstance(FILTER.fields({"a": deep}), dict)


@pytest.mark.parametrize(
    "text", ["a:" * 100_000, 'token="' * 50_000, "password=" * 50_000, "Bearer " * 50_000, "a" * 10**6]
)
def test_no_text_takes_long(text):
    began = time.perf_counter()
    FILTER.text(text)

    assert time.perf_counter() - began < 5


words = st.sampled_from(
    ["password", "api_key", "max_tokens", "token", "Bearer", "Basic", "=", ":", ": ", " ", '"', "'", "\\", "{", "}",
     "[", "]", ",", "hunter2", "123456", KEY, M, "\n", "é", "&", "?", "null", "name"]
)  # fmt: skip
texts = st.lists(words, max_size=14).map("".join) | st.text(max_size=40)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_masking_a_text_twice_is_masking_it_once(text):
    once = FILTER.text(text)  # by one that has learned of others before

    assert once == FILTER.text(once)


@settings(max_examples=300, deadline=None)
@given(data)
def test_masking_data_twice_is_masking_it_once(value):
    """C54, H9: a filter is idempotent."""
    once = FILTER.data(value)

    assert once == FILTER.data(once)


@settings(max_examples=300, deadline=None)
@given(data)
def test_no_value_makes_the_filter_fail_and_no_known_secret_passes(value):
    assert KEY not in json.dumps(FILTER.data(value), ensure_ascii=False)


@settings(deadline=None)
@given(st.text(), st.lists(st.text(alphabet=st.characters(exclude_categories=()), max_size=30), max_size=3))
def test_no_secret_makes_the_filter_fail(text, secrets):
    made = scrub.make(Rules(), secrets)

    assert isinstance(made.text(text), str)
    assert isinstance(made.fields({text: [text]}), dict)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "token_count", "name"]), st.integers() | st.sampled_from(["x", "y z"]))
)
def test_what_holds_no_secret_comes_back_equal(value):
    assert value == FILTER.data(value)
