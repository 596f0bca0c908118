"""Whether a value fits a JSON Schema (draft 2020-12): yes, no, or it cannot be told.

Not the check of arguments, which is the library's. It judges made values where no library may be; so it never says yes
or no to what it does not know, and never looks further than its steps last.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Final, TypeAlias

from agentctl.core.matching import matches
from agentctl.core.messages import Json, JsonObject, is_list, is_object

Sure: TypeAlias = bool | None
STEPS: Final = 200_000
COST: Final = 5
"""Steps that a look at a schema takes."""
DEEPEST: Final = 60
"""Schemas in schemas."""
UNKNOWN: Final = ("$dynamicRef", "unevaluatedProperties", "unevaluatedItems", "$id", "$anchor")


def fits(schema: Json, value: Json, root: Json, steps: list[int] | None = None, depth: int = 0) -> Sure:
    """Whether the value fits; `root` is where references begin; None: cannot be told."""
    steps = [STEPS] if steps is None else steps
    if not is_object(schema):
        return schema if isinstance(schema, bool) else None
    steps[0] -= COST
    if steps[0] < 0 or depth > DEEPEST:
        return None

    def below(inner: Json, held: Json) -> Sure:
        return fits(inner, held, root, steps, depth + 1)

    judged = [_unknown(schema), _plain(schema, value), _joined(schema, value, root, below)]
    if isinstance(value, str):
        judged.append(_text(schema, value, steps))
    elif is_list(value):
        judged.append(_items(schema, value, below))
    elif is_object(value):
        judged.append(_table(schema, value, below, steps))
    return every(judged)


def every(judged: Iterable[Sure]) -> Sure:
    """No, if any is; else yes, if all are."""
    found = [*judged]
    return False if False in found else None if None in found else True


def target(ref: Json, root: Json) -> Json:
    """What a reference into the same schema points at; None: nothing."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    at: Json = root
    for part in ref[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~").replace("%25", "%").replace("%20", " ")
        if is_list(at) and key.isdecimal() and int(key[:6]) < len(at):
            at = at[int(key[:6])]
        else:
            at = at.get(key) if is_object(at) else None
    return at if ref == "#" or ref.startswith("#/") else None


def number(value: Json) -> Fraction | None:
    """An exact number; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else Fraction(value)


def size(value: Json, otherwise: int) -> int:
    """A count that a schema gives; anything else: `otherwise`."""
    exact = number(value)
    return otherwise if exact is None else max(0, math.ceil(min(exact, Fraction(10**9))))


def same(left: Json, right: Json) -> bool:
    """Equal as JSON: true is not 1, 1.0 is."""
    return spelled(left) == spelled(right)


def spelled(value: Json) -> str:
    """One spelling for all that is equal as JSON."""
    return json.dumps(_even(value), sort_keys=True, default=str)


def _even(value: Json, depth: int = 0) -> Json:
    if depth > DEEPEST:
        return "deep"
    if is_object(value):
        return {key: _even(each, depth + 1) for key, each in value.items()}
    if is_list(value):
        return [_even(each, depth + 1) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_type(value: Json, kind: Json) -> Sure:
    """Whether it is of one of JSON Schema's types."""
    match kind:
        case "integer":
            exact = number(value)
            return exact is not None and exact.denominator == 1
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "string":
            return isinstance(value, str)
        case "array":
            return is_list(value)
        case "object":
            return is_object(value)
        case _:
            return None


def _unknown(schema: JsonObject) -> Sure:
    return None if any(key in schema for key in UNKNOWN) else True


def _plain(schema: JsonObject, value: Json) -> Sure:
    judged: list[Sure] = []
    if "type" in schema:
        kinds = schema["type"]
        judged.append(any_of([is_type(value, kind) for kind in (kinds if is_list(kinds) else [kinds])]))
    if "const" in schema:
        judged.append(same(schema["const"], value))
    if "enum" in schema:
        judged.append(is_list(schema["enum"]) and any(same(each, value) for each in schema["enum"]))
    if (exact := number(value)) is not None:
        judged.append(_amount(schema, exact, value))
    return every(judged)


def any_of(judged: list[Sure]) -> Sure:
    """Yes, if any is; else no, if none can be."""
    return True if True in judged else None if None in judged else False


def _amount(schema: JsonObject, exact: Fraction, value: Json) -> Sure:
    judged: list[Sure] = []
    tests: dict[str, Callable[[Fraction], Sure]] = {
        "minimum": lambda limit: exact >= limit,
        "maximum": lambda limit: exact <= limit,
        "exclusiveMinimum": lambda limit: exact > limit,
        "exclusiveMaximum": lambda limit: exact < limit,
        "multipleOf": lambda unit: None if unit <= 0 else _multiple(value, exact, schema["multipleOf"], unit),
    }
    for key, test in tests.items():
        if key in schema:
            limit = number(schema[key])
            judged.append(None if limit is None else test(limit))
    return every(judged)


def _multiple(value: Json, exact: Fraction, unit: Json, of: Fraction) -> Sure:
    """By exact numbers, and by the numbers of the machine, which libraries go by."""
    if not isinstance(unit, float) or not isinstance(value, int | float):
        return (exact / of).denominator == 1
    try:
        parts = value / unit
    except OverflowError:
        return None
    return parts.is_integer() if math.isfinite(parts) else None


def _text(schema: JsonObject, value: str, steps: list[int]) -> Sure:
    if len(value) < size(schema.get("minLength"), 0) or len(value) > size(schema.get("maxLength"), len(value)):
        return False
    pattern = schema.get("pattern")
    return matches(pattern, value, steps) if isinstance(pattern, str) else True


def _items(schema: JsonObject, value: list[Json], below: Callable[[Json, Json], Sure]) -> Sure:
    if len(value) < size(schema.get("minItems"), 0) or len(value) > size(schema.get("maxItems"), len(value)):
        return False
    if schema.get("uniqueItems") is True and len({spelled(each) for each in value}) < len(value):
        return False
    first = schema.get("prefixItems")
    fixed = first if is_list(first) else []
    judged = [below(inner, each) for inner, each in zip(fixed, value, strict=False)]
    judged += [below(schema["items"], each) for each in value[len(fixed) :]] if "items" in schema else []
    if "contains" in schema:
        held = [below(schema["contains"], each) for each in value]
        least, most = size(schema.get("minContains"), 1), size(schema.get("maxContains"), len(value))
        sure, possible = held.count(True), len(held) - held.count(False)
        judged.append(
            False if possible < least or sure > most else True if sure >= least and possible <= most else None
        )
    return every(judged)


def _table(schema: JsonObject, value: JsonObject, below: Callable[[Json, Json], Sure], steps: list[int]) -> Sure:
    if len(value) < size(schema.get("minProperties"), 0) or len(value) > size(schema.get("maxProperties"), len(value)):
        return False
    if any(key not in value for key in names(schema.get("required"))):
        return False
    judged: list[Sure] = []
    patterns = tables(schema.get("patternProperties"))
    properties = tables(schema.get("properties"))
    for key, each in value.items():
        found = [(pattern, matches(pattern, key, steps)) for pattern in patterns]
        judged += [below(patterns[pattern], each) if hit else hit is False or None for pattern, hit in found]
        if key in properties:
            judged.append(below(properties[key], each))
        elif "additionalProperties" in schema and all(hit is False for _, hit in found):
            judged.append(below(schema["additionalProperties"], each))
        if "propertyNames" in schema:
            judged.append(below(schema["propertyNames"], key))
    for key, needed in tables(schema.get("dependentRequired")).items():
        judged.append(key not in value or all(each in value for each in names(needed)))
    for key, inner in tables(schema.get("dependentSchemas")).items():
        judged.append(key not in value or below(inner, value))
    return every(judged)


def _joined(schema: JsonObject, value: Json, root: Json, below: Callable[[Json, Json], Sure]) -> Sure:
    judged: list[Sure] = []
    if "$ref" in schema:
        judged.append(below(target(schema["$ref"], root), value))
    judged += [below(inner, value) for inner in lists(schema.get("allOf"))]
    if options := lists(schema.get("anyOf")):
        judged.append(any_of([below(inner, value) for inner in options]))
    if options := lists(schema.get("oneOf")):
        held = [below(inner, value) for inner in options]
        sure, possible = held.count(True), len(held) - held.count(False)
        judged.append(False if sure > 1 or not possible else None if possible > 1 or not sure else True)
    if "not" in schema:
        inner = below(schema["not"], value)
        judged.append(None if inner is None else not inner)
    if "if" in schema:
        condition = below(schema["if"], value)
        ways = [below(schema.get(key, True), value) for key in ("then", "else")]
        either = ways[0] if ways[0] is ways[1] else None
        judged.append(either if condition is None else ways[0] if condition else ways[1])
    return every(judged)


def names(value: Json) -> list[str]:
    """The texts of a list; of anything else: none."""
    return [each for each in value if isinstance(each, str)] if is_list(value) else []


def lists(value: Json) -> list[Json]:
    """A list; of anything else: none."""
    return value if is_list(value) else []


def tables(value: Json) -> JsonObject:
    """A table; of anything else: none."""
    return value if is_object(value) else {}
