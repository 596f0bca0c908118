"""What is written is read back equal, whatever it holds; what others wrote is read or refused in one line."""

import dataclasses
import json
import math
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl import __version__
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.errors import StoreUnusable
from agentctl.journal import codec
from tests.journal.golden import EXPECTED, FOLDER, RELEASED, digest, lines

CLASSES = typing.get_args(e.Event)


def canonical(text):
    """Two halves of a pair that stand side by side are one character; JSON can't say otherwise."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


words = st.text(st.characters(exclude_categories=()), max_size=20).map(canonical)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def values(name, hint):
    if name.endswith("_micro"):
        return st.integers(0, 10**15)
    simple = {str: words, int: st.integers(), bool: st.booleans(), float: numbers, object: json_values}
    if hint in simple:
        return simple[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin is dict:
        return st.dictionaries(words, values("", args[1]), max_size=3)
    if origin is tuple and args[-1] is not Ellipsis:
        return st.tuples(*(values("", each) for each in args))
    if origin is tuple:
        return st.lists(values("", args[0]), max_size=3).map(tuple)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values(name, each) for each in args))
    return st.none() if hint is types.NoneType else instances(hint)


def instances(cls):
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    return st.builds(cls, **{field.name: values(field.name, hints[field.name]) for field in fields})


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_event_comes_back_equal(cls):
    @given(instances(cls))
    def check(event):
        tag, version, text = codec.encode(event)
        text.encode()
        back = codec.decode(tag, version, text)

        assert type(back) is cls
        # astuple: also what a comparison leaves out.
        assert dataclasses.astuple(event) == dataclasses.astuple(back)

    check()


def test_every_event_has_its_own_tag():
    """B44"""
    assert set(CLASSES) == set(codec.TAGS)
    assert len(CLASSES) == len(set(codec.TAGS.values()))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_journal_of_every_release_stays_readable(path):
    written = [json.loads(line) for line in path.read_text().splitlines()]
    read = [codec.decode(w["tag"], w["version"], json.dumps(w["data"])) for w in written]

    assert EXPECTED[path.stem] == read
    assert list(map(dataclasses.astuple, EXPECTED[path.stem])) == list(map(dataclasses.astuple, read))


def test_the_journal_of_a_release_is_never_changed():
    assert {path.stem: digest(path.stem) for path in FOLDER.glob("*.jsonl")} == RELEASED


def test_this_release_writes_its_golden_journal():
    golden = (FOLDER / f"{__version__}.jsonl").read_text().splitlines()

    assert golden == list(lines(EXPECTED[__version__]))
    assert set(CLASSES) == {type(event) for event in EXPECTED[__version__]}


def test_money_is_dollars_on_disk():
    text = codec.encode(e.Completed("completed", "done", 0, 18_400, "ok"))[2]

    assert '"cost_usd":0.0184' in text
    assert "micro" not in text


def test_reserved_words_lose_their_underscore():
    assert codec.encode(e.CircuitMoved("x", "closed", "open"))[2] == (
        '{"name":"x","from":"closed","to":"open","until":0.0}'
    )


REPLIED = next(event for event in EXPECTED["1.0.0"] if isinstance(event, e.ModelReplied))


def test_usage_has_the_names_of_the_contract():
    fields = codec.fields_of(REPLIED)

    assert fields["usage"] == {
        "input_tokens": 1200,
        "output_tokens": 80,
        "cache_read_tokens": 300,
        "cache_write_tokens": 200,
        "cache_write_1h_tokens": 100,
    }


def test_lone_surrogates_are_escaped():
    tag, version, text = codec.encode(e.Thought("ä \ud800 b"))

    assert text.encode()
    assert codec.decode(tag, version, text) == e.Thought("ä \ud800 b")


def test_numbers_that_json_has_not_become_null():
    event = e.ToolStarted("c", "t", {"a": [math.nan, math.inf, 1.5]}, "low", 1, False, 1.0)

    assert '"args":{"a":[null,null,1.5]}' in codec.encode(event)[2]


def test_an_unknown_tag_is_no_event():
    assert codec.decode("invented_later", 1, "{}") is None


def test_unknown_keys_are_ignored_and_missing_ones_have_their_default():
    text = '{"attempt": 1, "delay_s": 0.5, "invented": [1]}'

    assert codec.decode("retry", 1, text) == e.Retried(1, 0.5)


def test_usage_of_an_older_program_has_its_defaults():
    data = codec.fields_of(REPLIED) | {"usage": {"input_tokens": 5}}

    assert codec.decode("model_reply", 1, json.dumps(data)).usage == Usage(input=5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"attempt": 1}', "lacks delay_s"),
        ("{", "is not JSON"),
        ("[1]", "has values of the wrong kind"),
        ("null", "has values of the wrong kind"),
    ],
)
def test_what_is_no_event_is_refused_in_one_line(text, said):
    with pytest.raises(StoreUnusable) as caught:
        codec.decode("retry", 1, text, where="r_1 seq 7")

    assert caught.value.message == f"r_1 seq 7: the `retry` event {said}"
    assert caught.value.hint


@pytest.mark.parametrize("usage", ["none", 5, None])
def test_a_nested_value_of_the_wrong_kind_is_refused(usage):
    data = codec.fields_of(REPLIED) | {"usage": usage}

    with pytest.raises(StoreUnusable, match="wrong kind"):
        codec.decode("model_reply", 1, json.dumps(data))


def test_upcasters_lead_from_any_old_version_to_this_one(monkeypatch):
    monkeypatch.setitem(codec.VERSIONS, "wait", 3)
    monkeypatch.setitem(codec.UPCASTERS, ("wait", 1), lambda d: {"why": d["why"], "seconds": d["millis"] / 1000})
    monkeypatch.setitem(codec.UPCASTERS, ("wait", 2), lambda d: {"reason": d["why"], "seconds": d["seconds"]})
    now = e.Waited("pace", 1.5)

    assert codec.decode("wait", 1, '{"why": "pace", "millis": 1500}') == now
    assert codec.decode("wait", 2, '{"why": "pace", "seconds": 1.5}') == now
    assert codec.encode(now)[1] == 3
    assert codec.decode(*codec.encode(now)) == now


def test_the_public_object_is_the_contracts():
    """B43 B65 B47"""
    stamped = e.Stamped("r_1", 4, "s_1", 2, 1_790_000_000.25, e.FellBack("a", "b", "open"))

    assert codec.public(stamped) == {
        "run_id": "r_1",
        "seq": 4,
        "session_id": "s_1",
        "step": 2,
        "event_type": "fallback",
        "timestamp": "2026-09-21T14:13:20.250Z",
        "data": {"from": "a", "to": "b", "reason": "open"},
    }
