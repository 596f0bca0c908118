"""A policy as TOML that loads to the same policy: every key with what it means, or with where its value came from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast, get_args, get_origin

from agentctl.config import describe, receiving, schema, shape
from agentctl.config.problems import KeyPath, bare_key, header
from agentctl.core.policy import Policy
from agentctl.records import dataclass

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy

WIDTH = 110
LARGE = 10_000
"""Whole numbers from here on are written in groups of three digits."""
HEADER = """\
# Every key of a policy, each with the value of the shipped `standard`. Change what you need. What you leave out keeps
# that value; a line that begins with `# KEY =` is a key that is off until you write it.
#
#   agentctl policy check {name}        everything that is wrong with it, at once
#   agentctl policy show {name}         what it comes to, and where each value is from
#
# An editor completes and checks it: `agentctl policy schema > policy.schema.json`, and as the first line of this file
# `#:schema ./policy.schema.json`."""
INHERITED = "# The rules of `standard` come first by themselves."
Value: TypeAlias = object
Beside: TypeAlias = Callable[[KeyPath], str]


@dataclass(frozen=True, slots=True)
class _Style:
    """What is written besides the values."""

    explained: bool
    """Each key has a line above it that says what it means, and keys without a value are there too."""
    beside: Beside
    """A word after each value, such as where it is from."""


def template(standard: LoadedPolicy, name: str) -> str:
    """A policy that says all that `standard` says."""
    style = _Style(explained=True, beside=lambda _: "")
    return "\n".join([HEADER.format(name=name), *_policy(standard.policy, style, skipped=_rules(standard))]) + "\n"


def merged(loaded: LoadedPolicy, standard: LoadedPolicy, *, placed: bool = True) -> str:
    """A loaded policy as one file, without parents of its own; `placed`: with where each value is from."""
    origins = loaded.origins
    places = {path: f"{file}:{line}" for path, (file, line) in origins.items()}
    style = _Style(explained=False, beside=lambda path: places.get(path, "built in") if placed else "")
    whence = ", with where each value is from" if placed else ""
    head = f"# {loaded.name}: the merged policy{whence} ({loaded.digest[:12]})"
    return "\n".join([head, *_policy(receiving.masked(loaded.policy), style, skipped=_rules(standard))]) + "\n"


def leaves(value: Value, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Value]]:
    """Each single value of a policy with its path; lists of plain values stay whole."""
    if isinstance(value, dict) and value:
        for name, each in cast("dict[str, Value]", value).items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, each in enumerate(cast("list[Value]", value)):
            yield from leaves(each, (*path, number))
    else:
        yield path, value


def written(value: Value) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= LARGE:
        return f"{value:_}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(written(each) for each in cast('list[Value]', value))}]"
    if isinstance(value, dict):
        pairs = [f"{key(name)} = {written(each)}" for name, each in cast("dict[str, Value]", value).items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    return str(value)


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if bare_key.fullmatch(name) else written(name)


def _rules(standard: LoadedPolicy) -> int:
    """How many rules every policy begins with: a file that repeated them would have them twice."""
    return len(standard.policy.risk.rules)


def _policy(policy: Policy, style: _Style, *, skipped: int) -> Iterator[str]:
    values = cast("dict[str, Value]", schema.plain(policy))
    yield ""
    yield from _pair("version", values["version"], ("version",), style, Policy)
    if style.explained:
        yield from _above(f"{describe.MORE['policy.Policy.extends']}")
        yield '# extends = "standard"'
    for name in shape.names(Policy)[2:]:
        value = values[name]
        yield ""
        if style.explained:
            yield from _above(describe.text(Policy, name))
        if isinstance(value, list):
            yield from _several(_inner(Policy, name), cast("list[Value]", value), (name,), style)
        else:
            yield f"[{name}]"
            yield from _table(_inner(Policy, name), cast("dict[str, Value]", value), (name,), style, skipped)


def _table(kind: type, values: Mapping[str, Value], path: KeyPath, style: _Style, skipped: int = 0) -> Iterator[str]:
    """The keys of a table, then the tables below it."""
    below: list[str] = []
    for name in shape.names(kind):
        here: KeyPath = (*path, name)
        if here in {("risk", "rules"), ("route", "rules")}:
            below += _rows(kind, name, cast("list[Value]", values[name]), here, style, skipped)
        elif here in {("circuit", "tools"), ("risk", "tiers")}:
            below += ["", *(_above(describe.text(kind, name)) if style.explained else ()), header(here)]
            below += _sub(kind, name, cast("dict[str, Value]", values[name]), here, style)
        else:
            yield from _pair(name, values.get(name), here, style, kind)
    yield from below


def _sub(kind: type, name: str, values: dict[str, Value], path: KeyPath, style: _Style) -> Iterator[str]:
    inner = _inner(kind, name)
    if isinstance(inner, type) and is_dataclass(inner):
        yield from _table(inner, values, path, style)
        return
    for each, value in values.items():
        yield _line(each, value, (*path, each), style)


def _rows(kind: type, name: str, rows: list[Value], path: KeyPath, style: _Style, skipped: int) -> Iterator[str]:
    """`[[risk.rules]]` and `[[route.rules]]`, without those that every policy has; else an example."""
    first = skipped if path[0] == "risk" else 0
    yield from _several(_inner(kind, name), rows[first:], path, style, first)
    if not style.explained:
        return
    yield ""
    yield from _above(describe.text(kind, name))
    if first:
        yield INHERITED
    for example in cast("list[dict[str, Value]]", describe.EXAMPLES[describe.label(kind, name)])[:1]:
        yield f"# {header((*path, 0))}"
        yield from (f"# {key(each)} = {written(value)}" for each, value in example.items())


def _several(kind: type, rows: list[Value], path: KeyPath, style: _Style, first: int = 0) -> Iterator[str]:
    """An array of tables; the first one explains its keys, the others say what is theirs."""
    defaults = {each.name: schema.plain(each.default) for each in fields(cast("Any", kind))}
    for number, row in enumerate(rows):
        here: KeyPath = (*path, first + number)
        yield from ([""] if number or len(path) > 1 else [])
        yield header(here)
        if style.explained and not number:
            yield from _table(kind, cast("dict[str, Value]", row), here, style)
            continue
        for name, value in cast("dict[str, Value]", row).items():
            if value != defaults[name] and value != {}:
                yield _line(name, value, (*here, name), style)


def _pair(name: str, value: Value, path: KeyPath, style: _Style, kind: type) -> Iterator[str]:
    """A key with its value; one without a value is a comment."""
    if style.explained:
        yield from _above(describe.described(kind, name))
    if value is None or value == {}:
        if style.explained:
            yield f"# {key(name)} = {written(describe.EXAMPLES[describe.label(kind, name)])}"
    else:
        yield _line(name, value, path, style)


def _line(name: str, value: Value, path: KeyPath, style: _Style) -> str:
    said = style.beside(path)
    return f"{key(name)} = {written(value)}{f'  # {said}' if said else ''}"


def _above(text: str) -> Iterator[str]:
    return (f"# {line}" for line in textwrap.wrap(text, WIDTH))


def _inner(kind: type, name: str) -> Any:  # noqa: ANN401 -- a type hint has no type of its own
    """The class of a table, or of the tables in a list."""
    hint, _limits = shape.bare(shape.members(shape.keys(kind)[name])[0])
    return get_args(hint)[0] if get_origin(hint) is tuple else hint
