"""A document checked against the dataclasses of the core: every problem at once, in plain words, at its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from agentctl.config import shape
from agentctl.config.problems import KEY_WAY_OUT, KeyPath, did_you_mean, dotted, header, invalid, nearest, show
from agentctl.config.toml import Document
from agentctl.core.tiers import Tier
from agentctl.errors import Problem

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
Beside: TypeAlias = tuple[Mapping[str, str], Sequence[str]]
"""`foreign` and `also`, as `examine` is given them."""
NO_KEYS: Mapping[str, str] = MappingProxyType({})
TRUTH = {"true", "false"}
RECEIVERS = ("alerts", "urls")
"""The key whose texts may hold secrets: they are shown nowhere."""
SECRET = {"api_key", "apikey", "key", "token", "secret", "password", "auth_token", "authorization"}


def validate(kind: type[T], document: Document, *, foreign: Mapping[str, str] = NO_KEYS, also: Sequence[str] = ()) -> T:
    """The value of a document; Invalid with every problem where it has none."""
    value, problems = examine(kind, document, foreign=foreign, also=also)
    if problems or value is None:
        raise invalid(problems)
    return value


def examine(
    kind: type[T], document: Document, *, foreign: Mapping[str, str] = NO_KEYS, also: Sequence[str] = ()
) -> tuple[T | None, list[Problem]]:
    """The value of a document and what is wrong with it.

    A value comes with problems where it can be had by leaving out what is wrong, so that other checks can go on
    and a person hears of everything at once. `foreign` are keys that this kind of file does not have, and where they
    belong; `also` are keys that are read elsewhere.
    """
    data = {name: each for name, each in document.data.items() if name not in also}
    problems = [_odd(kind, document, path, got) for path, got in document.odd.items()]
    for name in [name for name in foreign if name in data]:
        del data[name]
        problems.append(_unknown(kind, document, (name,), (foreign, also)))
    if (other := _version(document)) is not None:
        return None, [other]
    value, errors = read(kind, data)
    seen: set[KeyPath] = set(document.odd)
    places = [_path(error["loc"], document.data, missing=error["type"] == "missing") for error in errors]
    for error, path in zip(errors, places, strict=True):
        # Of a union the validator also tells that the whole is no other member.
        if path in seen or any(len(each) > len(path) and each[: len(path)] == path for each in places):
            continue
        seen.add(path)
        problems.append(_problem(kind, document, path, error["type"], (foreign, also)))
    if errors:
        value = salvage(kind, data)
    return value, problems


def salvage(kind: type[T], data: dict[str, object]) -> T | None:
    """The value of plain data without what is wrong in it; None where too little is left."""
    value, errors = read(kind, data)
    rest = deepcopy(data)
    if errors and _without(rest, {_path(each["loc"], data, missing=False) for each in errors}):
        value, _ = read(kind, rest)
    return value


def read(kind: type[T], data: object) -> tuple[T | None, list[dict[str, Any]]]:
    """The value of plain data, or the validator's errors. Strict, as JSON: lists become tuples, nothing else bends."""
    from pydantic import ValidationError

    try:
        return adapter(kind).validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, cast("list[dict[str, Any]]", error.errors(include_url=False))


def plain(value: object) -> object:
    """A value as a file would hold it: tiers as words, None left out."""
    if isinstance(value, Tier):
        return value.word
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        pairs = {each.name: getattr(value, each.name) for each in fields(value)}
        return {name: plain(each) for name, each in pairs.items() if each is not None}
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {name: plain(each) for name, each in table.items() if each is not None}
    if isinstance(value, tuple | list):
        return [plain(each) for each in cast("Sequence[object]", value)]
    return value


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """The validator of a type, made once."""
    return cast("TypeAdapter[T]", _adapter(cast("Any", kind)))


@cache
def _adapter(kind: Any) -> Any:  # noqa: ANN401 -- `cache` would lose the type
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _path(where: Sequence[str | int], data: object, *, missing: bool) -> KeyPath:
    """The validator's location without the names of union members, which are in no file."""
    path: KeyPath = ()
    for part in where:
        if isinstance(data, dict) and part in data:
            data = cast("dict[str | int, object]", data)[part]
        elif isinstance(data, list) and isinstance(part, int):
            data = cast("list[object]", data)[part]
        elif missing and part == where[-1]:
            return (*path, part)
        else:
            continue
        path = (*path, part)
    return path


def _value(data: object, path: KeyPath) -> object:
    for part in path:
        data = cast("Any", data)[part]
    return data


def _version(document: Document) -> Problem | None:
    """A file of another version: whatever else it says would only look wrong."""
    version = document.data.get("version")
    if isinstance(version, bool | float):  # true == 1 == 1.0 to the validator
        return document.problem(("version",), f"expected 1, got {show(version)}")
    if not isinstance(version, int) or version <= 1:
        return None
    message = f"made for a newer agentctl: expected version 1, got {show(version)}"
    return document.problem(("version",), message, "update agentctl")


def _problem(kind: type, document: Document, path: KeyPath, error: str, beside: Beside) -> Problem:
    hint = shape.at(kind, path)
    if error == "missing":
        table = header(path[:-1]) or "the file"
        return document.problem(path, f"missing in {table}; expected {shape.expected(hint)}")
    if error == "unexpected_keyword_argument":
        return _unknown(kind, document, path, beside)
    got = _value(document.data, path)
    if path[:2] == RECEIVERS and isinstance(got, str):
        return document.problem(path, f"expected {shape.expected(hint)}, got a text", "put it in brackets")
    message = f"expected {shape.expected(hint)}, got {show(got)}"
    return document.problem(path, message, _value_hint(hint, got, path))


def _odd(kind: type, document: Document, path: KeyPath, got: str) -> Problem:
    """A value that no table of ours can hold."""
    hint = shape.at(kind, path)
    wanted = "something that JSON can say" if hint in {None, object} else shape.expected(hint)
    quotes = got.startswith("the ") and wanted.startswith(("a text", "something"))
    return document.problem(path, f"expected {wanted}, got {got}", "put it in quotes" if quotes else "")


def _value_hint(hint: object, got: object, path: KeyPath) -> str:
    """The value that was probably meant."""
    inner, _limits = shape.bare(shape.members(hint)[0])
    words, choices = shape.expected(hint), shape.choices(inner)
    if isinstance(got, str):
        quoted = got in choices or ("number" in words and _is_number(got)) or (got in TRUTH and "true or" in words)
        if quoted:
            return f"write {got} without quotes"
        if words.startswith("a list"):
            parts = got.split() if path[-1] == "command" else [got]
            return f"write {json.dumps(parts, ensure_ascii=False)}" if got.isprintable() else ""
        return did_you_mean(got, choices)
    if isinstance(got, int | float) and words.startswith("a text"):
        return f'write "{show(got)}"'
    return f"write [[{dotted(path)}]]" if isinstance(got, dict) and words == "a list of tables" else ""


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("_", "").lstrip("+-").isdecimal()


def _unknown(kind: type, document: Document, path: KeyPath, beside: Beside) -> Problem:
    foreign, also = beside if len(path) == 1 else (NO_KEYS, ())
    name = str(path[-1])
    owner, _limits = shape.bare(shape.members(shape.at(kind, path[:-1]))[0])
    known = {*shape.keys(owner), *also} - {*foreign}
    table = header(path[:-1])
    message = f"unknown key in {table}" if table else "unknown key at the top of the file"
    if not table and isinstance(document.data[name], dict | list):
        message = "unknown table"
    if name in foreign:
        return document.problem(path, message, foreign[name], key=True)
    if name.lower() in SECRET:
        return document.problem(path, message, KEY_WAY_OUT, key=True)
    homes = dict.fromkeys(label for label, names in shape.tables(kind) if name in names)
    near = nearest(name, known, cutoff=0.8 if homes else 0.6)
    if near or homes:
        way_out = f'did you mean "{near}"?' if near else f"it belongs in {' or '.join(homes)}"
        return document.problem(path, message, way_out, key=True)
    return document.problem(path, f"{message}; expected one of: {', '.join(sorted(known))}", key=True)


def _without(data: dict[str, object], paths: set[KeyPath]) -> bool:
    """Take the values out, where that moves no other; False where one can't be taken out."""
    # The longest first: what is inside a value goes before it.
    for path in sorted(paths, key=len, reverse=True):
        holder = _value(data, path[:-1])
        if not path or not isinstance(holder, dict):
            return False
        cast("dict[str | int, object]", holder).pop(path[-1], None)
    return True
