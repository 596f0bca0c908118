"""Changes of a policy as a diff of its file: every other line, comment and blank stays as it is.

A change is made in the text, then proved by reading the text again: it says what it said, and the change. What can't be
placed so, such as a key in an inline table, is left to a person.
"""

from __future__ import annotations

import copy
import difflib
import io
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from agentctl.config.positions import positions
from agentctl.config.problems import bare_key
from agentctl.core.guards.risk import Rule
from agentctl.core.messages import Json, is_list, is_object
from agentctl.records import dataclass

LARGE = 10_000
LINE = re.compile(r"^(?P<head>\s*[\w-]+\s*=\s*)(?P<value>[^#\"'\[{]+?)(?P<tail>\s*(?:#.*)?)$")


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one table."""

    table: str
    key: str
    value: float
    comment: str


def amended(text: str, change: Change) -> str | None:
    """The text with the change; None: it can't be placed."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except ValueError:
        return None
    lines = text.removesuffix("\n").split("\n")  # TOML knows no other ends of lines, nor does `patch`
    if not _placed(text, lines, data, change):
        return None
    wanted = copy.deepcopy(data)
    wanted.setdefault(change.table, {})[change.key] = change.value
    made = "\n".join(lines) + "\n"
    return made if _says(made, wanted) else None


def _placed(text: str, lines: list[str], data: Mapping[str, Any], change: Change) -> bool:
    end = _end(text)
    written, remark = value(change.value), f"# suggested: {change.comment}{end}"
    table = data.get(change.table, {})
    if not is_object(table):
        return False
    if change.key in table:
        at = positions(text).key((change.table, change.key))[0] - 1
        found = LINE.match(lines[at])
        if found is None:
            return False
        lines[at : at + 1] = [remark, f"{found['head']}{written}{found['tail']}"]
        return True
    header = re.compile(rf"\s*\[\s*{re.escape(change.table)}\s*\]\s*(#.*)?")
    at = next((number for number, line in enumerate(lines) if header.fullmatch(line)), -1)
    if at >= 0:
        lines[at + 1 : at + 1] = [remark, f"{change.key} = {written}{end}"]
    else:
        lines += [end, f"[{change.table}]{end}", remark, f"{change.key} = {written}{end}"]
    return True


def _end(text: str) -> str:
    """What stands before the ends of its lines."""
    return "\r" if "\r\n" in text else ""


def with_rule(text: str, rule: Rule, comment: str) -> str | None:
    """The text with one `[[risk.rules]]` more, at its end; None: it can't be placed."""
    end = f"{_end(text)}\n"
    made = text if text.endswith("\n") else f"{text}{end}"
    made += "".join(f"{line}{end}" for line in ["", f"# suggested: {comment}", *_rule(rule)])
    try:
        data = tomllib.loads(text)
        risk = data.setdefault("risk", {})
        risk.setdefault("rules", []).append(tomllib.loads("\n".join(_rule(rule)))["risk"]["rules"][0])
    except (ValueError, AttributeError):
        return None
    return made if _says(made, data) else None


def _says(text: str, wanted: object) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False


def _rule(rule: Rule) -> Iterator[str]:
    yield "[[risk.rules]]"
    yield f"tool = {json.dumps(rule.tool)}"
    yield f"args = {inline(cast('Json', dict(rule.args)))}"
    yield f"tier = {json.dumps(rule.tier)}"
    yield f"why = {json.dumps(rule.why)}"
    yield f"match = [{', '.join(inline(each) for each in rule.match)}]"
    yield f"not_match = [{', '.join(inline(each) for each in rule.not_match)}]"


def inline(given: Json) -> str:
    """A JSON value on one line of TOML; null, which TOML does not have, is left out of tables."""
    if is_object(given):
        pairs = (f"{_key(key)} = {inline(each)}" for key, each in given.items() if each is not None)
        return f"{{ {', '.join(pairs)} }}"
    if is_list(given):
        return f"[{', '.join(inline(each) for each in given)}]"
    return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if bare_key.fullmatch(name) else json.dumps(name)


def value(figure: float) -> str:
    """A number as TOML has it, with groups of three digits where it is large."""
    if figure == int(figure):
        return f"{int(figure):_}" if figure >= LARGE else str(int(figure))
    return repr(figure)


def diff(before: str, after: str, old: str, new: str) -> str:
    """A unified diff that `patch -p0` applies; empty where nothing differs."""
    lines: Sequence[str] = [*io.StringIO(before, newline="\n")]
    made = difflib.unified_diff(lines, [*io.StringIO(after, newline="\n")], old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in made)
