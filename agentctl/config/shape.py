"""What a table may hold, read from the types of the core: which keys, and in plain words which values."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from agentctl.config.problems import KeyPath, header, one_of
from agentctl.core.bounds import Bound
from agentctl.core.tiers import Tier

SINGULAR = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
PLURAL = {str: "texts", int: "whole numbers", float: "numbers", bool: "true or false"}


@cache
def keys(kind: type) -> dict[str, Any]:
    """The keys of a table with their types."""
    hints = get_type_hints(kind, include_extras=True)
    return {each.name: hints[each.name] for each in fields(kind)}


def names(kind: type) -> tuple[str, ...]:
    """The keys of a table."""
    return tuple(each.name for each in fields(kind))


def members(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- a type hint has no type of its own
    """What a value may be: the parts of a union without None."""
    if get_origin(hint) in {Union, types.UnionType}:
        return tuple(each for each in get_args(hint) if each is not type(None))
    return (hint,)


def bare(hint: Any) -> tuple[Any, Bound]:  # noqa: ANN401 -- see above
    """The type and its limits."""
    if get_origin(hint) is not Annotated:
        return hint, Bound()
    inner, *extras = get_args(hint)
    return inner, next((each for each in extras if isinstance(each, Bound)), Bound())


def at(hint: Any, path: KeyPath) -> Any:  # noqa: ANN401 -- see above
    """The type of the value at a path; None where anything may stand, or nothing."""
    for part in path:
        hint, _limits = bare(members(hint)[0])
        if isinstance(hint, type) and is_dataclass(hint):
            hint = keys(hint).get(str(part))
        elif get_origin(hint) is dict:
            hint = get_args(hint)[1]
        elif get_origin(hint) is tuple:
            hint = get_args(hint)[0]
        else:
            return None
    return hint


def expected(hint: Any) -> str:  # noqa: ANN401 -- see above
    """In plain words what a type accepts: `a number above 0 and at most 1`."""
    parts = members(hint)
    if len(parts) != 1:
        lists = [expected(each) for each in parts if each not in SINGULAR]
        each_said = [*lists, *(SINGULAR[each] for each in (str, float, bool) if each in parts)]
        return f"{', '.join(each_said[:-1])}, or {each_said[-1]}"
    kind, limits = bare(parts[0])
    if words := choices(kind):
        return one_of(words)
    if get_origin(kind) is tuple:
        inner, _limits = bare(members(get_args(kind)[0])[0])
        if words := choices(inner):
            return f"a list of some of: {', '.join(words)}"
        return f"a list of {PLURAL.get(inner, 'tables')}"
    if kind in SINGULAR:
        return SINGULAR[kind] + _limited(limits)
    return "a table"


def choices(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 -- see above
    """The words or numbers that a type is limited to."""
    if get_origin(kind) is Literal:
        return tuple('""' if each == "" else str(each) for each in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(each.word for each in kind if isinstance(each, Tier))
    return ()


def tables(kind: type, path: KeyPath = ()) -> Iterator[tuple[str, set[str]]]:
    """Each table that a file may have, as it is written, with its keys."""
    if path:
        yield header(path), set(keys(kind))
    for name, hint in keys(kind).items():
        for each in members(hint):
            inner, _limits = bare(each)
            below: KeyPath = (*path, name)
            if get_origin(inner) is tuple:
                inner, below = get_args(inner)[0], (*below, 0)
            elif get_origin(inner) is dict:
                inner, below = get_args(inner)[1], (*below, "NAME")
            if isinstance(inner, type) and is_dataclass(inner):
                yield from tables(inner, below)


def _limited(limits: Bound) -> str:
    words: list[str] = []
    if limits.gt is not None:
        words.append(f"above {limits.gt:g}")
    if limits.ge is not None:
        words.append(f"of at least {limits.ge:g}")
    if limits.le is not None:
        words.append(f"at most {limits.le:g}")
    if limits.min_length is not None:
        words.append(f"of {limits.min_length} to {limits.max_length} characters")
    return f" {' and '.join(words)}" if words else ""
