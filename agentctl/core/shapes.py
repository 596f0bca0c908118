"""What a JSON Schema says in one table, once its references are followed and its choices are made."""

from __future__ import annotations

from typing import Final

from agentctl.core.fitting import lists, number, target
from agentctl.core.messages import Json, JsonObject, is_list, is_object
from agentctl.records import dataclass

MOST: Final = 200
"""Schemas that are joined into one."""
COST: Final = 5
DEEPEST: Final = 20
RARELY: Final = 8
"""Nothing at all is the choice of every so-manieth candidate, where other values fit as well."""
JOINS: Final = ("$ref", "allOf", "anyOf", "oneOf", "if", "then", "else")
KINDS: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
SIGNS: Final = {
    "object": ("properties", "required", "minProperties", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "minItems", "uniqueItems", "contains"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Which keys speak of which type, where no type is said."""
UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")


@dataclass(frozen=True, slots=True)
class Shape:
    """One way through a schema."""

    schema: JsonObject
    """Without references and choices."""
    kinds: tuple[str, ...]
    """The types that it allows; where it says none, the one that its keys speak of."""
    left: int
    """What the choices left of the number that they were made by."""


def shaped(schema: Json, root: Json, n: int, steps: list[int] | None = None) -> Shape:
    """The way through the schema that a number chooses; each schema on it is one of the steps."""
    joining = _Joining(root, n)
    merged = joining.flat(schema, 0)
    if steps is not None:
        steps[0] -= COST * (MOST - joining.steps)
    return Shape(merged, _kinds(merged), joining.n)


class _Joining:
    def __init__(self, root: Json, n: int) -> None:
        self.root = root
        self.n = n
        self.steps = MOST

    def flat(self, schema: Json, depth: int) -> JsonObject:
        self.steps -= 1
        if not is_object(schema) or self.steps < 0 or depth > DEEPEST:
            return {}
        made: JsonObject = {key: each for key, each in schema.items() if key not in JOINS}
        parts = [target(schema["$ref"], self.root)] if "$ref" in schema else []
        parts += lists(schema.get("allOf"))[: self.steps]
        parts += [self.chosen(options) for key in ("anyOf", "oneOf") if (options := lists(schema.get(key)))]
        if "if" in schema:
            both: Json = {"allOf": [schema["if"], schema.get("then", True)]}
            parts.append(self.chosen([both, schema.get("else", True)]))
        for part in parts:
            made = merged(made, self.flat(part, depth + 1))
        return made

    def chosen(self, options: list[Json]) -> Json:
        nothing = [each for each in options[:MOST] if is_object(each) and each.get("type") == "null"]
        some = [each for each in options[:MOST] if each not in nothing]
        if nothing and (not some or self.n % RARELY == RARELY - 1):
            return nothing[0]
        self.n -= self.n // RARELY if nothing else 0
        self.n, at = divmod(self.n, len(some))
        return some[at]


def merged(one: JsonObject, other: JsonObject) -> JsonObject:
    """Both schemas at once, as far as one table can say it."""
    made = {**one}
    for key, right in other.items():
        made[key] = _both(key, one[key], right) if key in one else right
    return made


def _both(key: str, left: Json, right: Json) -> Json:
    numbers = (number(left), number(right))
    if key in UPPER + LOWER and None not in numbers:
        return max(left, right, key=_exact) if key in LOWER else min(left, right, key=_exact)
    if key == "required" and is_list(left) and is_list(right):
        return [*left, *right]
    if key == "enum" and is_list(left) and is_list(right):
        return [each for each in left if each in right] or left
    if key in {"properties", "patternProperties"} and is_object(left) and is_object(right):
        return {
            name: {"allOf": [left[name], right[name]]} if name in left and name in right else (left | right)[name]
            for name in left | right
        }
    if key in {"items", "additionalProperties", "propertyNames"}:
        return {"allOf": [left, right]} if left is not False and right is not False else False
    if key == "type":
        return [kind for kind in _named(left) if kind in _named(right)] or left
    return left


def _exact(value: Json) -> float:
    exact = number(value)
    return 0 if exact is None else float(exact)


def _named(kinds: Json) -> list[Json]:
    found = kinds if is_list(kinds) else [kinds]
    return [*found, "integer"] if "number" in found and "integer" not in found else found


def _kinds(schema: JsonObject) -> tuple[str, ...]:
    if "type" in schema:
        kinds = lists(schema["type"]) or [schema["type"]]
        return tuple(kind for kind in KINDS if kind in kinds)
    return next(((kind,) for kind, signs in SIGNS.items() if any(sign in schema for sign in signs)), ())
