"""Values that fit their JSON Schema, and arguments that don't."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentctl.core import sampling
from agentctl.core.fitting import fits
from agentctl.core.formatted import FORMATS

Schema = dict[str, Any]

texts = st.builds(
    lambda least, more, form: {"type": "string", "minLength": least, "maxLength": least + more, "format": form},
    *(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["", *sorted(FORMATS)])),
) | st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "pattern": r"^[A-Z]{2}-\d+$"},
        {"type": "string", "pattern": r"^\w+$", "minLength": 5, "maxLength": 9},
        {"type": "string", "format": "uuid"},
        {"pattern": "^x"},
    ]
)
bounds = st.integers(-50, 50) | st.floats(-50, 50, allow_nan=False)
numbers = st.builds(
    lambda kind, low, width, unit, exclusive: (
        {"type": kind, "exclusiveMinimum" if exclusive else "minimum": low, "maximum": low + 2 + width} | unit
    ),
    st.sampled_from(["integer", "number"]),
    bounds,
    st.integers(0, 30),
    st.sampled_from([{}, {}, {"multipleOf": 1}, {"multipleOf": 0.5}, {"multipleOf": 0.01}]),
    st.booleans(),
)
plain = st.sampled_from(
    [
        {"type": "boolean"},
        {"type": "null"},
        {"const": {"a": [1]}},
        {"enum": [1, "a", None]},
        {"type": ["null", "string"]},
    ]
) | st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=4).map(lambda values: {"enum": values})
keys = st.sampled_from(["a", "b", "c", "order_id", "limit"])


def wider(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    tables = st.dictionaries(keys, inner, max_size=4)
    objects = st.builds(
        lambda properties, required, closed, least: {
            "type": "object",
            "properties": properties,
            "required": [key for key in required if key in properties],
            "minProperties": min(least, len(properties)),
            **({"additionalProperties": False} if closed else {}),
        },
        *(tables, st.lists(keys, unique=True), st.booleans(), st.integers(0, 3)),
    )
    arrays = st.builds(
        lambda items, least, more: {"type": "array", "items": items, "minItems": least, "maxItems": least + more},
        *(inner, st.integers(0, 3), st.integers(0, 3)),
    )
    joined = st.builds(
        lambda key, options: {key: options},
        st.sampled_from(["anyOf", "allOf"]),
        st.lists(inner, min_size=1, max_size=1),
    ) | st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    defined = inner.map(lambda held: {"allOf": [held, {}], "description": "twice"})
    return objects | arrays | joined | defined


schemas = st.recursive(texts | numbers | plain, wider, max_leaves=6)
objects = st.builds(
    lambda properties, required, closed: {
        "type": "object",
        "properties": properties,
        "required": [key for key in required if key in properties],
        **({"additionalProperties": False} if closed else {}),
    },
    *(st.dictionaries(keys, schemas, max_size=4), st.lists(keys, unique=True), st.booleans()),
)


def valid(schema: Any, value: object) -> bool:
    return Draft202012Validator(schema).is_valid(value)


@given(schemas, st.integers(0, 12))
def test_a_made_value_fits_its_schema(schema: Schema, n: int):
    made = sampling.value(schema, n)

    assert valid(schema, made), made


@given(objects, st.integers(0, 3))
def test_a_misfit_is_refused_always(schema: Schema, n: int):
    found = sampling.misfit(schema)

    assert found is None or not valid(schema, found[0]), found
    assert valid(schema, sampling.value(schema, n))


@given(schemas | objects, schemas, st.integers(0, 3))
def test_a_judgement_is_the_library_s_wherever_there_is_one(schema: Schema, other: Schema, n: int):
    value = sampling.value(other, n)

    assert fits(schema, value, schema) in {None, valid(schema, value)}


@given(schemas)
def test_it_varies_where_two_values_differ_and_the_same_number_gives_the_same(schema: Schema):
    made = [sampling.value(schema, n) for n in (0, 1, 0)]

    assert made[0] == made[2]
    assert sampling.varies(schema) is (repr(made[0]) != repr(made[1]))


@settings(deadline=None, max_examples=20)
@given(schemas)
def test_many_made_in_one_go_are_those_that_are_made_one_by_one(schema: Schema):
    assert sampling.values(schema, 3) == [sampling.value(schema, n) for n in range(3)]


REAL: dict[str, Schema] = {
    "order": {"type": "object", "properties": {"id": {"type": "string", "minLength": 1}}, "required": ["id"]},
    "pydantic": {
        "$defs": {
            "Item": {
                "type": "object",
                "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}, "n": {"type": "integer"}},
                "required": ["sku", "n"],
                "additionalProperties": False,
            }
        },
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "minItems": 1},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "Note"},
            "when": {"type": "string", "format": "date-time"},
        },
        "required": ["items", "when"],
        "title": "Order",
    },
    "search": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "words"},
            "limit": {"type": "integer", "default": 10, "minimum": 1, "maximum": 50},
            "sort": {"type": "string", "enum": ["asc", "desc"]},
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    "filesystem": {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "edits": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"oldText": {"type": "string"}, "newText": {"type": "string"}},
                    "required": ["oldText", "newText"],
                    "additionalProperties": False,
                },
            },
            "dryRun": {"type": "boolean", "default": False},
        },
        "required": ["path", "edits"],
        "additionalProperties": False,
        "$schema": "http://json-schema.org/draft-07/schema#",
    },
    "payment": {
        "type": "object",
        "properties": {
            "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "method": {
                "oneOf": [
                    {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]},
                    {"type": "object", "properties": {"iban": {"type": "string"}}, "required": ["iban"]},
                ]
            },
        },
        "required": ["amount", "currency", "method"],
    },
    "kinds": {
        "type": "object",
        "discriminator": {"propertyName": "kind"},
        "oneOf": [
            {"properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind", "lives"]},
            {"properties": {"kind": {"const": "dog"}, "name": {"type": "string"}}, "required": ["kind", "name"]},
        ],
    },
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["name", "kids"],
            }
        },
    },
    "if": {
        "type": "object",
        "properties": {"country": {"enum": ["US", "NL"]}, "zip": {"type": "string"}},
        "required": ["country"],
        "if": {"properties": {"country": {"const": "US"}}},
        "then": {"properties": {"zip": {"pattern": "^[0-9]{5}$"}}, "required": ["zip"]},
        "else": {"properties": {"zip": {"pattern": "^[0-9]{4} [A-Z]{2}$"}}},
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "tags": {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3}
        },
        "required": ["tags"],
    },
    "pair": {
        "type": "object",
        "properties": {
            "at": {
                "type": "array",
                "prefixItems": [{"type": "number"}, {"type": "number"}],
                "items": False,
                "minItems": 2,
            }
        },
        "required": ["at"],
    },
    "contains": {
        "type": "object",
        "properties": {"all": {"type": "array", "contains": {"const": "x"}, "minContains": 2, "minItems": 4}},
        "required": ["all"],
    },
    "not": {
        "type": "object",
        "properties": {"name": {"type": "string", "not": {"enum": ["name-1", "name-2"]}}},
        "required": ["name"],
    },
    "depends": {
        "type": "object",
        "properties": {"card": {"type": "string"}, "cvc": {"type": "string", "pattern": "^[0-9]{3}$"}},
        "required": ["card"],
        "dependentRequired": {"card": ["cvc"]},
    },
    "names": {"type": "object", "propertyNames": {"pattern": "^[a-c]{2}$"}, "minProperties": 3},
    "patterned": {
        "type": "object",
        "patternProperties": {"^x-": {"type": "boolean"}},
        "additionalProperties": False,
        "minProperties": 1,
    },
}


@pytest.mark.parametrize("name", REAL)
def test_schemas_of_real_tools_are_met_and_missed(name: str):
    schema = REAL[name]
    made = [sampling.value(schema, n) for n in range(6)]

    assert [] == [value for value in made if not valid(schema, value)]
    assert len({repr(value) for value in made}) >= {"tags": 3, "patterned": 2}.get(name, 6)

    found = sampling.misfit(schema)

    assert found is not None
    assert not valid(schema, found[0])


def test_what_is_wrong_is_said_and_the_plainest_wrong_comes_first():
    search = REAL["search"]
    closed: Schema = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    needed: Schema = {"type": "object", "properties": {"a": {}}, "required": ["a"]}

    assert sampling.misfit(search) == ({"query": ["sample"]}, "a list where a string is expected: query")
    assert sampling.misfit(closed) == ({"unexpected": "sample"}, "a key that the schema does not allow: unexpected")
    assert sampling.misfit(needed) == ({}, "a required key is missing: a")
    assert sampling.misfit({"type": "object", "properties": {"a": {}}}) is None
    assert sampling.misfit({"type": "object"}) is None
    assert sampling.misfit({}) is None


def test_defaults_and_examples_come_first_where_they_fit():
    schema: Schema = {"type": "string", "default": "asc", "examples": ["desc", 5]}

    assert [sampling.value(schema, n) for n in range(3)] == ["asc", "desc", "value-1"]
    assert sampling.value({"type": "integer", "default": "ten"}) == 1


@pytest.mark.parametrize(("schema", "room"), [({"enum": [1, 2]}, 2), ({"const": 1}, 1), ({"type": "boolean"}, 2)])
def test_values_begin_again_where_there_is_no_more_room(schema: Schema, room: int):
    made = [sampling.value(schema, n) for n in range(2 * room)]

    assert made[:room] == made[room:]
    assert sampling.varies(schema) is (room > 1)


def test_keys_without_much_room_move_apart():
    schema: Schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}, "b": {"type": "boolean"}}}
    schema["required"] = ["a", "b"]

    assert len({repr(sampling.value(schema, n)) for n in range(4)}) == 4


def nested(levels: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


HOSTILE: dict[str, Schema] = {
    "itself": {"$ref": "#"},
    "all of itself": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    "any of itself": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    "endless": {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
    "endless list": {"type": "array", "items": {"$ref": "#"}, "minItems": 5},
    "long text": {"type": "string", "minLength": 10**12},
    "long pattern": {"type": "string", "pattern": "^[a-z]+$", "minLength": 10**9},
    "long list": {"type": "array", "minItems": 10**12},
    "lists of lists": {"type": "array", "minItems": 10**6, "items": {"$ref": "#"}},
    "many keys": {"type": "object", "minProperties": 10**9, "additionalProperties": {"pattern": "(a|a){99}b"}},
    "much required": {"type": "object", "required": [f"k{n}" for n in range(50_000)]},
    "wide enum": {"enum": list(range(50_000))},
    "wide any": {"anyOf": [{"const": n} for n in range(20_000)]},
    "deep": nested(400),
    "deep const": {"const": nested(400)},
    "nonsense": {"type": 5, "minimum": "x", "enum": 3, "required": "a", "properties": [], "pattern": 7, "$ref": 9},
    "more nonsense": {"type": "object", "properties": {"a": 3, "b": None}, "required": ["a", "b", 4], "items": 2},
    "infinite": {"type": "number", "minimum": float("inf"), "multipleOf": float("nan")},
    "huge": {"type": "number", "minimum": 10**400, "multipleOf": 0.1},
    "tiny": {"type": "number", "minimum": 1e-300, "maximum": 2e-300},
    "bad ref": {"$ref": "https://example.com/x"},
    "bad pattern": {"type": "string", "pattern": "["},
    "nothing fits": {"type": "string", "minLength": 5, "maxLength": 2},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_schema_takes_for_ever_or_makes_it_stumble(name: str):
    schema = HOSTILE[name]

    assert len(repr(sampling.value(schema, 500))) < 1_000_000
    assert (found := sampling.misfit(schema)) is None or fits(schema, found[0], schema) is False
