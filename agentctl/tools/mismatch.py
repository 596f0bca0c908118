"""What is wrong with one argument, in words that a model can act on: which field, expected, received."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, cast

from agentctl.core.messages import Json, JsonObject
from agentctl.records import dataclass
from agentctl.tools.plain import clean
from agentctl.tools.strictness import named_keys

if TYPE_CHECKING:
    from jsonschema import ValidationError

ADVICE = "Ensure arguments match the tool schema."
SHOWN = 60
CHOICES = 20
KINDS: dict[type[object], str] = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One problem: a clause for the message, a sentence for the hint."""

    problem: str
    hint: str


def mismatch(error: ValidationError, root: JsonObject) -> Mismatch | None:
    """Put a validator's finding into words; None where another finding says it better."""
    path = [*error.absolute_path]
    if error.validator == "required":
        return _missing(error, path)
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        return _unknown(error, path, root)
    if error.validator in ("anyOf", "oneOf") and (inner := _nearest(error)) is not None:
        return mismatch(inner, root)
    expected, received = _words(error)
    where = _where(path)
    return Mismatch(
        f"{where} must be {expected}, got {received}",
        f"Expected {expected} for {where}, got {received}. {ADVICE}",
    )


def kind(value: Json) -> str:
    """The JSON type of a value; a number with a point is a number, never an integer."""
    return "null" if value is None else KINDS.get(type(value), "object")


# --- Missing and unknown keys --------------------------------------------------------------------


def _missing(error: ValidationError, path: list[str | int]) -> Mismatch:
    given = cast("JsonObject", error.instance)
    wanted = cast("list[str]", error.validator_value)
    # One finding stands for one key; its message alone says which.
    name = next((each for each in wanted if error.message.startswith(repr(each))), wanted[0])
    schema = cast("JsonObject", error.schema)
    properties = cast("dict[str, Json]", schema.get("properties", {}))
    expected = _type_words(cast("JsonObject", properties.get(name) or {}))
    where = _where([*path, name])
    extra = f" It has {_names(given)}." if given and path else ""
    return Mismatch(
        f"{where} is missing ({expected})",
        f"Expected {expected} for {where}, got nothing.{extra} {ADVICE}",
    )


def _unknown(error: ValidationError, path: list[str | int], root: JsonObject) -> Mismatch | None:
    given = cast("JsonObject", error.instance)
    known = named_keys(cast("JsonObject", error.schema), root)
    extra = [name for name in given if name not in known]
    if not extra:  # their part of the schema did not fit, and that was found too
        return None
    said: list[str] = []
    for name in extra[:3]:
        near = difflib.get_close_matches(name[:SHOWN], known, n=1)
        guess = f" (did you mean '{near[0]}'?)" if near else ""
        said.append(f"{_where([*path, name])} is not an argument of this tool{guess}")
    allowed = _names(dict.fromkeys(sorted(known))) if known else "no arguments at all"
    first = extra[0]
    hint = f"Expected {allowed}, got {_where([*path, first])} ({kind(given[first])}). {ADVICE}"
    return Mismatch("; ".join(said), hint)


# --- Unions --------------------------------------------------------------------------------------


def _nearest(error: ValidationError) -> ValidationError | None:
    """The finding of the branch that fits best; None where no branch fits the type at all."""
    branches: dict[Json, list[ValidationError]] = {}
    for each in error.context or ():
        branches.setdefault(each.schema_path[0], []).append(each)
    close = [
        found for found in branches.values() if not any(each.validator == "type" and not each.path for each in found)
    ]
    if not close:
        return None
    # The deeper the first finding, the more of this branch was right.
    best = min(close, key=lambda found: (-max(len(each.path) for each in found), len(found)))
    return best[0]


# --- What was expected, what came ----------------------------------------------------------------


def _words(error: ValidationError) -> tuple[str, str]:  # one line per keyword
    limit: Json = error.validator_value
    value: Json = error.instance
    keyword = str(error.validator)
    if keyword in COUNTED and isinstance(value, str | list | dict):
        bound, thing = COUNTED[keyword]
        return f"{bound} {_count(limit, thing)}", _count(len(cast("list[Json]", value)), thing)
    if keyword in MEASURED:
        return f"{MEASURED[keyword]} {_preview(limit)}", _preview(value)
    if keyword == "enum":
        return _choices(cast("list[Json]", limit)), _preview(value)
    if keyword == "const":
        return _preview(limit), _preview(value)
    if keyword == "pattern":
        return f"text that matches {_clip(str(limit))}", _preview(value)
    if keyword == "uniqueItems":
        return "a list without repeats", "repeats"
    if keyword in ("anyOf", "oneOf"):
        branches = cast("list[Json]", limit)
        words = [_type_words(cast("JsonObject", each)) for each in branches if each]
        return " or ".join(dict.fromkeys(words)), kind(value)
    if keyword == "type":
        return _type_words({"type": limit}), kind(value)
    if keyword == "None":  # the schema `false`
        return "left out", kind(value)
    return f"what the schema's '{keyword}' asks for", kind(value)


COUNTED = {
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minProperties": ("at least", "key"),
    "maxProperties": ("at most", "key"),
}
MEASURED = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}


def _type_words(schema: Json) -> str:
    given = cast("JsonObject", schema) if isinstance(schema, dict) else {}
    if isinstance(choices := given.get("enum"), list):
        return _choices(cast("list[Json]", choices))
    types = given.get("type", "a value")
    return " or ".join(map(str, cast("list[Json]", types if isinstance(types, list) else [types])))


def _choices(choices: list[Json]) -> str:
    if len(choices) == 1:
        return _preview(choices[0])
    more = ", …" if len(choices) > CHOICES else ""
    return f"one of {', '.join(_preview(each) for each in choices[:CHOICES])}{more}"


def _count(number: Json, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _where(path: list[str | int]) -> str:
    """`'filters[2].name'`; the whole of them without quotes."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{_clip(each)}" for each in path)
    return f"'{text.removeprefix('.')}'" if path else "the arguments"


def _names(keys: JsonObject | dict[str, None]) -> str:
    listed = list(keys)
    more = ", …" if len(listed) > CHOICES else ""
    return ", ".join(f"'{_clip(name)}'" for name in listed[:CHOICES]) + more


def _preview(value: Json) -> str:
    if isinstance(value, str):
        return json.dumps(_clip(value), ensure_ascii=False)
    if isinstance(value, list | dict):
        return kind(cast("Json", value))
    return json.dumps(value) if not isinstance(value, int) or abs(value) < 10**30 else "integer"


def _clip(text: str) -> str:
    cut = clean(text[:SHOWN])
    return cut if len(text) <= SHOWN else f"{cut}…"
