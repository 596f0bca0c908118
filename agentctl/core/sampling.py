"""Arguments and variables made from their JSON Schema, that fit it as well as can be done, and some that must not.

A schema may be anyone's: making stops at so many steps, levels, items and characters, whatever it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from agentctl.core import fitting
from agentctl.core.fitting import names, spelled, tables
from agentctl.core.making import MOST_ITEMS, candidates
from agentctl.core.matching import matching
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.core.shapes import shaped

__all__ = ["matching", "misfit", "value", "values", "varies"]

STEPS: Final = 150_000
"""Pieces of schemas and patterns that are looked at for one value."""
SPARE: Final = 40
"""So many candidates more than are needed are tried, before it is taken that there are no others."""
WINDOW: Final = 200
"""So many different values a schema is asked for before they may come again."""


def value(schema: JsonObject, n: int = 0) -> Json:
    """The `n`th different value that fits; they begin again where the schema leaves room for fewer.

    Where none can be found, one that comes near.
    """
    found = _different(schema, n)
    return found[n % len(found)] if found else None


def values(schema: JsonObject, count: int) -> list[Json]:
    """So many as `value` gives for 0, 1 and so on, made in one go."""
    found = _different(schema, count - 1)
    return [found[n % len(found)] for n in range(count)] if found else [None] * count


def varies(schema: JsonObject) -> bool:
    """Whether more than one value can be made."""
    return len(_different(schema, 1)) > 1


def _different(schema: JsonObject, n: int) -> list[Json]:
    steps = [STEPS]
    seen: dict[str, Json] = {}
    first: list[Json] = []
    wanted = min(n, WINDOW)
    for made in candidates(schema, wanted + SPARE, steps):
        first = first or [made]
        if steps[0] < 0:
            break
        if fitting.fits(schema, made, schema, steps) is not False:
            seen.setdefault(spelled(made), made)
        if len(seen) > wanted:
            break
    return [*seen.values()] or first


def misfit(schema: JsonObject) -> tuple[JsonObject, str] | None:
    """Arguments that a check without mercy refuses, and what is wrong with them; None: it refuses nothing."""
    if "object" not in (shaped(schema, schema, 0).kinds or ("object",)):
        return None
    made = value(schema)
    args = made if is_object(made) else {}
    tried = _wrong_types(schema, args)
    if fitting.fits(schema, args, schema) is not False:
        tried = chain(tried, _extra(args), _missing(schema, args))
    return next(((each, why) for each, why in tried if fitting.fits(schema, each, schema) is False), None)


def _wrong_types(schema: JsonObject, args: JsonObject) -> Iterator[tuple[JsonObject, str]]:
    properties = islice(_properties(schema).items(), MOST_ITEMS)
    kinds = {key: shaped(inner, schema, 0).kinds for key, inner in properties}
    articles = {"array": "an", "integer": "an", "object": "an"}
    for wanted in ("string", "integer", "number", "boolean", "object"):
        for key in (key for key, found in kinds.items() if wanted in found and "array" not in found):
            yield {**args, key: ["sample"]}, f"a list where {articles.get(wanted, 'a')} {wanted} is expected: {key}"
    for key in (key for key, found in kinds.items() if "array" in found and "string" not in found):
        yield {**args, key: "sample"}, f"a string where an array is expected: {key}"


def _extra(args: JsonObject) -> Iterator[tuple[JsonObject, str]]:
    key = next(
        key for key in ("unexpected", *(f"unexpected_{each}" for each in range(len(args) + 1))) if key not in args
    )
    yield {**args, key: "sample"}, f"a key that the schema does not allow: {key}"


def _missing(schema: JsonObject, args: JsonObject) -> Iterator[tuple[JsonObject, str]]:
    for key in names(shaped(schema, schema, 0).schema.get("required"))[:MOST_ITEMS]:
        yield {name: each for name, each in args.items() if name != key}, f"a required key is missing: {key}"


def _properties(schema: JsonObject) -> JsonObject:
    return tables(shaped(schema, schema, 0).schema.get("properties"))
