"""Arguments are checked against the declared schema, strictly, in words that help the model."""

import copy
import json
import math
import socket
import time
import urllib.request

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core import envelope
from agentctl.tools import schema
from agentctl.tools.schema import checker, matches, schema_problem

SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 200},
        "filters": {"type": "array", "items": {"type": "string"}},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        "order": {"type": "string", "enum": ["newest", "oldest"]},
    },
    "required": ["query"],
}
ADDRESS = {
    "type": "object",
    "properties": {
        "to": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["street"],
        },
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
}


def problem(parameters, args, **kw):
    found = checker(parameters, **kw)(args)
    assert found is not None, f"{args!r} passed"
    assert found.hint
    json.dumps([found.problem, found.hint]).encode()
    return found


def passes(parameters, args, **kw):
    assert checker(parameters, **kw)(args) is None


# --- The rows of the requirements -----------------------------------------------------------------


def test_a_list_for_a_string_is_refused_and_the_hint_says_what_to_send():
    """A04, A08, C18"""
    found = problem(SEARCH, {"query": ["refund policy"]})

    assert found.problem == "'query' must be string, got array"
    assert found.hint == "Expected string for 'query', got array. Ensure arguments match the tool schema."


def test_the_envelope_of_bad_arguments_says_error_and_its_code():
    """A06, A07, C17"""
    found = problem(SEARCH, {"query": ["refund policy"]})
    body = envelope.bad_arguments(found.problem, found.hint).as_json()

    assert body["error"] is True
    assert body["message"] == "Bad tool arguments: 'query' must be string, got array"
    assert body["code"] == "INVALID_ARGS"
    assert body["retry_safe"] is False


@pytest.mark.parametrize(
    ("value", "received"),
    [(5, "integer"), (5.0, "number"), (True, "boolean"), (None, "null"), ({"a": 1}, "object")],
)
def test_nothing_is_coerced_to_a_string(value, received):
    """A05, C41, C02"""
    found = problem(SEARCH, {"query": value})

    assert found.hint == f"Expected string for 'query', got {received}. Ensure arguments match the tool schema."


@pytest.mark.parametrize(
    ("value", "received"), [("5", "string"), (5.0, "number"), (True, "boolean"), (math.nan, "number")]
)
def test_an_integer_is_neither_a_string_nor_a_float_nor_a_boolean(value, received):
    """A05, C41"""
    found = problem(SEARCH, {"query": "x", "limit": value})

    assert f"Expected integer for 'limit', got {received}." in found.hint


def test_the_query_holds_1_to_200_characters():
    """C15"""
    passes(SEARCH, {"query": "x"})
    passes(SEARCH, {"query": "x" * 200})

    short = problem(SEARCH, {"query": ""})
    long = problem(SEARCH, {"query": "x" * 201})

    assert short.problem == "'query' must be at least 1 character, got 0 characters"
    assert long.problem == "'query' must be at most 200 characters, got 201 characters"


def test_the_filters_are_an_optional_list_of_strings():
    """C16"""
    passes(SEARCH, {"query": "x"})
    passes(SEARCH, {"query": "x", "filters": []})
    passes(SEARCH, {"query": "x", "filters": ["a", "b"]})

    assert "'filters' must be array, got string" in problem(SEARCH, {"query": "x", "filters": "a"}).problem
    found = problem(SEARCH, {"query": "x", "filters": ["a", 2]})
    assert found.problem == "'filters[1]' must be string, got integer"


# --- Words ----------------------------------------------------------------------------------------


def test_a_missing_key_is_named_with_its_type():
    found = problem(SEARCH, {})

    assert found.problem == "'query' is missing (string)"
    assert found.hint.startswith("Expected string for 'query', got nothing.")


def test_each_missing_key_is_named_also_one_with_quotes():
    both = {"type": "object", "properties": {"a": {}, "it's": {}}, "required": ["a", "it's"]}

    assert problem(both, {}).problem == "'a' is missing (a value); 'it's' is missing (a value)"


def test_an_unknown_key_is_told_the_nearest_name():
    found = problem(SEARCH, {"query": "x", "filtres": []})

    assert found.problem == "'filtres' is not an argument of this tool (did you mean 'filters'?)"
    assert "got 'filtres' (array)" in found.hint


def test_an_enum_tells_its_choices():
    found = problem(SEARCH, {"query": "x", "order": "new"})

    assert found.problem == '\'order\' must be one of "newest", "oldest", got "new"'


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ({"minimum": 3}, 2, "at least 3, got 2"),
        ({"maximum": 3}, 4, "at most 3, got 4"),
        ({"exclusiveMinimum": 0}, 0, "more than 0, got 0"),
        ({"exclusiveMaximum": 9}, 9, "less than 9, got 9"),
        ({"multipleOf": 5}, 7, "a multiple of 5, got 7"),
        ({"minItems": 2}, [1], "at least 2 items, got 1 item"),
        ({"maxItems": 1}, [1, 2], "at most 1 item, got 2 items"),
        ({"uniqueItems": True}, [1, 1], "a list without repeats"),
        ({"const": "yes"}, "no", '"yes", got "no"'),
        ({"pattern": "^A-[0-9]+$"}, "B-1", 'text that matches ^A-[0-9]+$, got "B-1"'),
        ({"minProperties": 1}, {}, "at least 1 key, got 0 keys"),
        ({"not": {"type": "string"}}, "x", "what the schema's 'not' asks for"),
    ],
)
def test_a_limit_is_told(rule, value, said):
    found = problem({"type": "object", "properties": {"x": rule}}, {"x": value})

    assert said in found.problem
    assert "'x'" in found.hint


def test_a_value_that_may_not_be_there_is_refused():
    assert "must be left out" in problem({"type": "object", "properties": {"x": False}}, {"x": 1}).problem


def test_all_problems_are_told_at_once_and_at_most_five():
    found = problem(SEARCH, {"query": 1, "limit": 99, "order": "x"})
    many = {"type": "object", "properties": {f"k{n}": {"type": "null"} for n in range(20)}}

    assert found.problem.count("; ") == 2
    assert found.hint.startswith("Expected string for 'query', got integer.")
    assert problem(many, {f"k{n}": n for n in range(20)}).problem.count("; ") == 4


# --- Unknown keys ---------------------------------------------------------------------------------


def test_unknown_keys_are_refused_at_every_depth():
    """A05"""
    assert "'to.zipp'" in problem(ADDRESS, {"to": {"street": "x", "zipp": "1"}}).problem
    assert "did you mean 'zip'" in problem(ADDRESS, {"to": {"street": "x", "zipp": "1"}}).problem
    assert "'lines[1].sk'" in problem(ADDRESS, {"lines": [{"sku": "1"}, {"sk": "2"}]}).problem


def test_who_says_what_other_keys_may_be_is_obeyed():
    for stated in ({"additionalProperties": True}, {"patternProperties": {"^x-": {}}}):
        parameters = {"type": "object", "properties": {"a": {}}, **stated}
        passes(parameters, {"a": 1, "x-b": 2})
    numbers = {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}}
    passes(numbers, {"any": 1})
    assert "'any' must be integer" in problem(numbers, {"any": "1"}).problem


def test_an_object_that_lists_no_keys_is_free():
    passes({"type": "object", "properties": {"meta": {"type": "object"}}}, {"meta": {"what": "ever"}})


def test_a_tool_without_parameters_takes_none():
    found = problem({"type": "object", "properties": {}}, {"x": 1})

    assert "no arguments at all" in found.hint


def test_without_strict_unknown_keys_pass_and_types_are_checked_all_the_same():
    passes(SEARCH, {"query": "x", "more": 1}, strict=False)
    problem(SEARCH, {"query": 1}, strict=False)


def test_the_schema_that_was_given_is_left_as_it_was():
    before = copy.deepcopy(ADDRESS)
    checker(ADDRESS)({"lines": [{"sku": 1}]})

    assert before == ADDRESS


def test_parts_of_a_schema_do_not_forbid_each_others_keys():
    both = {
        "type": "object",
        "allOf": [{"properties": {"a": {"type": "integer"}}}, {"$ref": "#/$defs/b"}],
        "$defs": {"b": {"type": "object", "properties": {"b": {"type": "string"}}}},
    }
    passes(both, {"a": 1, "b": "x"})
    assert "'c' is not an argument" in problem(both, {"a": 1, "c": 2}).problem
    assert "'b' must be string" in problem(both, {"b": 2}).problem


def test_a_referenced_object_refuses_unknown_keys_too():
    parameters = {
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/place"}},
        "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
    passes(parameters, {"at": {"city": "Rome"}})
    assert "did you mean 'city'" in problem(parameters, {"at": {"cty": "Rome"}}).problem


# --- Unions ---------------------------------------------------------------------------------------


def test_a_union_of_types_is_told_as_one():
    optional = {"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    listed = {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}

    for parameters in (optional, listed):
        passes(parameters, {"x": None})
        assert problem(parameters, {"x": 1}).problem == "'x' must be string or null, got integer"


def test_a_union_of_objects_speaks_of_the_nearest_one():
    card = {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]}
    bank = {"type": "object", "properties": {"iban": {"type": "string"}}, "required": ["iban"]}
    parameters = {"type": "object", "properties": {"pay": {"oneOf": [card, bank]}}}

    passes(parameters, {"pay": {"iban": "x"}})
    assert problem(parameters, {"pay": {"iban": 5}}).problem == "'pay.iban' must be string, got integer"
    problem(parameters, {"pay": {"iban": "x", "nonsense": 1}})


def test_a_free_object_in_a_union_stays_free():
    parameters = {
        "type": "object",
        "properties": {
            "x": {"anyOf": [{"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"type": "object"}]}
        },
    }

    passes(parameters, {"x": {"b": 1}})


# --- Hostile schemas and arguments ----------------------------------------------------------------


def test_a_reference_elsewhere_is_never_fetched(monkeypatch):
    def fetched(*_args, **_kw):
        raise AssertionError("it was fetched")

    monkeypatch.setattr(urllib.request, "urlopen", fetched)
    monkeypatch.setattr(socket, "create_connection", fetched)
    parameters = {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:9/schema.json"}}}

    found = problem(parameters, {"x": 1})

    assert "schema can't be used" in found.problem


def test_a_pattern_that_explodes_takes_no_time():
    parameters = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    check = checker(parameters)
    check({"x": "a"})
    start = time.perf_counter()

    assert check({"x": "a" * 100_000 + "!"}) is not None
    assert time.perf_counter() - start < 0.5


def test_a_pattern_over_keys_that_explodes_takes_no_time():
    parameters = {"type": "object", "patternProperties": {"^(a+)+$": {}}}
    start = time.perf_counter()
    checker(parameters)({"a" * 5_000 + "!": 1})

    assert time.perf_counter() - start < 0.5


def test_look_arounds_still_work_on_texts_that_are_not_too_long():
    assert matches("^(?!x)", "abc")
    assert not matches("^(?!x)", "xbc")
    assert not matches("^(?!x)", "a" * 10_001)


def test_without_re2_patterns_work_on_texts_that_are_not_too_long(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "re2", None)
    schema._searcher.cache_clear()
    try:
        assert matches("^[a-z]+$", "abc")
        assert not matches("^[a-z]+$", "a" * 10_001)
    finally:
        schema._searcher.cache_clear()


@pytest.mark.parametrize(
    "parameters",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"type": "object", "properties": {"x": {"minLength": "a"}}},
        {"type": "object", "properties": {"x": {"pattern": "("}}},
        {"type": "object", "properties": {"x": {"type": "sting"}}},
        {"type": "object", "properties": 5},
        {"type": "object", "required": 5},
        {"allOf": 5},
    ],
)
def test_a_broken_schema_is_an_answer_never_an_exception(parameters):
    checker(parameters)({"x": "text"})


def test_deep_and_huge_arguments_are_judged():
    deep: object = "x"
    for _ in range(50_000):
        deep = [deep]
    passes({"type": "object", "properties": {"x": {"type": "array"}}}, {"x": deep})
    problem(SEARCH, {"query": deep})
    passes({"type": "object", "properties": {"x": {"type": "string"}}}, {"x": "x" * 5_000_000})
    found = problem(SEARCH, {"query": "x", "k" * 1_000_000: "v" * 1_000_000})
    assert len(found.problem) + len(found.hint) < 1_000


def test_recursive_schemas_end():
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "kids": {"type": "array", "items": {"$ref": "#"}}},
    }
    passes(tree, {"name": "a", "kids": [{"name": "b", "kids": []}]})
    assert "'kids[0].nme'" in problem(tree, {"kids": [{"nme": "b"}]}).problem


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from([*SEARCH["properties"], *ADDRESS["properties"], "other", "\ud800"])


@settings(max_examples=150, deadline=None)
@given(args=st.dictionaries(keys, anything, max_size=5), parameters=st.sampled_from([SEARCH, ADDRESS]))
def test_no_arguments_raise_and_every_answer_can_be_sent(args, parameters):
    found = checker(parameters)(args)

    if found is not None:
        assert f"{found.problem}{found.hint}".encode()
        assert len(found.problem) < 3_000


@settings(max_examples=100, deadline=None)
@given(parameters=st.dictionaries(
    st.sampled_from(["type", "properties", "required", "anyOf", "$ref", "items", "$defs", "enum", "allOf", "minimum"]),
    anything | st.just({"x": {"type": "object", "properties": {}}}), max_size=4))  # fmt: skip
def test_no_schema_raises(parameters):
    found = checker(parameters)({"x": 1})

    if found is not None:
        assert f"{found.problem}{found.hint}".encode()


# --- The schema itself ----------------------------------------------------------------------------


def test_what_is_no_schema_of_an_object_is_explained():
    assert schema_problem(SEARCH) is None
    assert schema_problem({}) is None
    assert schema_problem({"type": "array"}) == "it must be of type object"
    assert "sting" in (schema_problem({"properties": {"x": {"type": "sting"}}}) or "")


def test_the_library_is_loaded_when_the_first_arguments_come(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import sys; from agentctl.tools.base import open_tools; "
        "from agentctl.tools.schema import checker; check = checker({'type': 'object'}); "
        "assert not {'jsonschema', 're2', 'ctypes'} & set(sys.modules); check({}); assert 'jsonschema' in sys.modules"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
