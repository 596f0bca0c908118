"""Whether a table is JSON Schema (draft 2020-12), and where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from agentctl.config.problems import KeyPath, did_you_mean, one_of, show
from agentctl.config.toml import Document
from agentctl.core.messages import Json, JsonObject
from agentctl.errors import Problem

TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


def check(schema: JsonObject, document: Document, path: KeyPath, *, of_object: bool = False) -> Iterator[Problem]:
    """Everything that keeps a table from being JSON Schema, and from describing an object where it must."""
    if of_object and schema.get("type") != "object":
        got = f"got {show(schema['type'])}" if "type" in schema else "it is missing"
        place: KeyPath = (*path, "type") if "type" in schema else path
        message = f'expected type = "object" at the top of the arguments\' schema; {got}'
        yield document.problem(place, message, 'write type = "object"')
        if "type" in schema:
            return
    seen: set[KeyPath] = set()
    for error in validator().iter_errors(schema):
        inner = max(_leaves(error), key=lambda each: len(each.absolute_path))
        place = (*path, *cast("KeyPath", tuple(inner.absolute_path)))
        if place not in seen:
            seen.add(place)
            yield document.problem(place, *_words(inner, place))
    if not seen:
        yield from _references(schema, schema, document, path)


@cache
def validator() -> Any:  # noqa: ANN401 -- its own type would import it
    """The validator of schemas themselves; it also tries whether each `pattern` is one."""
    from jsonschema import Draft202012Validator

    formats = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=formats)


def _leaves(error: Any) -> list[Any]:  # noqa: ANN401 -- the library's error
    below = [leaf for each in error.context or () for leaf in _leaves(each)]
    return [error, *below]


def _words(error: Any, place: KeyPath) -> tuple[str, str]:  # noqa: ANN401 -- the library's error
    got: object = error.instance
    key = str(place[-1])
    if key == "type" or (len(place) > 1 and place[-2] == "type"):
        message = f"expected {one_of(TYPES)}, got {show(got)}"
        return message, did_you_mean(got, TYPES) if isinstance(got, str) else ""
    if error.validator == "type":
        wanted: object = error.validator_value
        words = wanted if isinstance(wanted, str) else " or ".join(cast("list[str]", wanted))
        hint = 'write required = ["name"] beside properties' if key == "required" else ""
        return f"not JSON Schema: expected {_kind(words)}, got {show(got)}", hint
    if error.validator == "format" and error.validator_value == "regex":
        return f"not JSON Schema: expected a regular expression, got {show(got)}", ""
    return f"not JSON Schema: {str(error.message)[:120]}", ""


def _kind(words: str) -> str:
    names = {
        "object": "a table",
        "array": "a list",
        "string": "a text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
    }
    return " or ".join(names.get(word, word) for word in words.split(" or "))


def _references(value: Json, root: JsonObject, document: Document, path: KeyPath) -> Iterator[Problem]:
    """A `$ref` points inside: nothing is ever fetched to understand a tool."""
    if isinstance(value, list):
        for number, each in enumerate(cast("list[Json]", value)):
            yield from _references(each, root, document, (*path, number))
    if not isinstance(value, dict):
        return
    for name, each in cast("JsonObject", value).items():
        here: KeyPath = (*path, name)
        if name == "$ref" and isinstance(each, str):
            if not each.startswith("#"):
                yield document.problem(here, f"expected a place in this schema, got {show(each)}")
            elif not _resolves(each, root):
                yield document.problem(here, f"nothing stands at {show(each)} in this schema")
        else:
            yield from _references(each, root, document, here)


def _resolves(pointer: str, root: Json) -> bool:
    """Whether a JSON pointer leads somewhere; `#anchor` is taken on trust."""
    if pointer != "#" and not pointer.startswith("#/"):
        return True
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, list) and name.isdecimal():
            items = cast("list[Json]", root)
            root = items[int(name)] if int(name) < len(items) else None
        else:
            root = cast("JsonObject", root).get(name) if isinstance(root, dict) else None
        if root is None:
            return False
    return True
