"""A schema with its silences filled in: where keys are listed and nothing is said of others, none may be.

JSON Schema lets unknown keys pass unless told; a model's misspelt argument must not.
"""

from __future__ import annotations

from typing import cast

from agentctl.core.messages import Json, JsonObject

OPEN = {"additionalProperties", "unevaluatedProperties", "patternProperties"}
"""Whoever uses one of these has said what he wants of other keys."""
LISTS_HERE = ("allOf", "anyOf", "oneOf")
ONES_HERE = ("if", "then", "else")
MAPS_HERE = ("dependentSchemas",)
LISTS_BELOW = ("prefixItems",)
ONES_BELOW = ("items", "contains", "additionalProperties", "unevaluatedItems", "propertyNames")
MAPS_BELOW = ("properties", "patternProperties")
DEEPEST = 64


def sealed(schema: JsonObject) -> JsonObject:
    """A copy that allows no key that it does not name. The original stays as it is."""
    return cast("JsonObject", _sealed(schema, schema, 0))


def named_keys(schema: JsonObject, root: JsonObject) -> set[str]:
    """The keys that a schema names for the object that it describes, in any of its parts."""
    return set[str]().union(*(_object(part.get("properties")) for part in _parts(schema, root)))


def _sealed(schema: Json, root: JsonObject, depth: int) -> Json:
    """The schema of a value of its own: here other keys are forbidden."""
    if depth > DEEPEST or not (given := _object(schema)):
        return schema
    made = _with_sealed_children(given, root, depth)
    if "$defs" in given:
        # A definition may be one part of several; it is sealed by whoever refers to it.
        defs = _object(given["$defs"])
        made["$defs"] = {name: _as_part(each, root, depth) for name, each in defs.items()}
    if OPEN & given.keys():
        return made
    parts = list(_parts(given, root))
    if len(parts) == 1:
        return {**made, "additionalProperties": False} if "properties" in given else made
    # With parts, only this keyword knows which keys the parts that apply have named.
    if any("properties" in part for part in parts):
        return {**made, "unevaluatedProperties": False}
    return made


def _as_part(schema: Json, root: JsonObject, depth: int) -> Json:
    """One of several schemas of the same value: it must not forbid what the others name."""
    if depth > DEEPEST or not (given := _object(schema)):
        return schema
    made = _with_sealed_children(given, root, depth)
    bare = not OPEN & given.keys() and len(list(_parts(given, root))) == 1
    if bare and given.get("type") == "object" and "properties" not in given:
        return {**made, "additionalProperties": True}  # any object at all was meant
    return made


def _with_sealed_children(given: JsonObject, root: JsonObject, depth: int) -> JsonObject:
    made = dict(given)
    for key, value in given.items():
        if key in ONES_BELOW:
            made[key] = _sealed(value, root, depth + 1)
        elif key in ONES_HERE:
            made[key] = _as_part(value, root, depth + 1)
        elif key in MAPS_BELOW:
            made[key] = {k: _sealed(v, root, depth + 1) for k, v in _object(value).items()}
        elif key in MAPS_HERE:
            made[key] = {k: _as_part(v, root, depth + 1) for k, v in _object(value).items()}
        elif key in LISTS_BELOW:
            made[key] = [_sealed(each, root, depth + 1) for each in _list(value)]
        elif key in LISTS_HERE:
            made[key] = [_as_part(each, root, depth + 1) for each in _list(value)]
    return made


def _parts(schema: JsonObject, root: JsonObject) -> list[JsonObject]:
    """The schema and every other one that it applies to the same value, references followed."""
    found: list[JsonObject] = []
    pending: list[Json] = [schema]
    while pending:
        part = pending.pop()
        if not isinstance(part, dict) or any(part is known for known in found):
            continue
        given = cast("JsonObject", part)
        found.append(given)
        pending += [each for key in LISTS_HERE for each in _list(given.get(key))]
        pending += [given[key] for key in ONES_HERE if key in given]
        pending += [each for key in MAPS_HERE for each in _object(given.get(key)).values()]
        if "$ref" in given:
            pending.append(_target(given["$ref"], root))
    return found


def _target(reference: Json, root: JsonObject) -> Json:
    """What a reference into the same schema points at; None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    at: Json = root
    for name in reference[1:].split("/")[1:]:
        at = _object(at).get(name.replace("~1", "/").replace("~0", "~"))
    return at


def _object(value: Json) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []
