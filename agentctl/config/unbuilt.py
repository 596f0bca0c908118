"""What a file may say that this version does not do yet: refused where ignoring it would be unsafe, else one line.

A row goes when its guard comes; with the last one this file goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, cast

from agentctl.config import schema
from agentctl.config.problems import KeyPath, dotted
from agentctl.core.policy import Policy
from agentctl.errors import Problem

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask

NOT_ENFORCED = "not enforced by this version; remove it to run without it"
NOT_BUILT = "not in this version; remove it to run without it"

# Table and key, and the values that ask for nothing. `*` is every key; a table that is off asks for nothing either.
UNSAFE: dict[tuple[str, str], tuple[object, ...]] = {}
HARMLESS: tuple[tuple[str, str], ...] = (
    ("alerts", "*"),
    ("telemetry", "*"),
)
TABLES = ("alerts", "telemetry")
"""Tables of `standard` that nothing asks yet."""
BUILT_TOOLS = (
    *("builtin:read_file", "builtin:list_files", "builtin:search_files"),
    *("builtin:write_file", "builtin:edit_file", "builtin:http_get", "builtin:shell"),
)
UNSAFE_OF_TOOL: dict[str, tuple[object, ...]] = {"recovery": ("rerun", "same_key", "ask")}


def refusals(policy: LoadedPolicy, task: LoadedTask | None = None) -> list[Problem]:
    """What the user's files ask for that would silently not happen."""
    found = list(_of_policy(policy))
    return found + list(_of_task(task) if task else ())


def notices(policy: LoadedPolicy) -> list[str]:
    """Lines about what is not done yet and does no harm."""
    lines: list[str] = []
    own = [dotted(path) for path in _own(policy) if _listed(HARMLESS, path)]
    if own:
        lines.append(f"{policy.name}: without effect in this version: {', '.join(own)}")
    asked = [name for name in TABLES if getattr(policy.policy, name).enabled]
    if asked:
        lines.append(f"not enforced by this version: {', '.join(f'[{name}]' for name in asked)}")
    shipped = [
        dotted(path) for path in UNSAFE if path[1] != "*" and path not in policy.explicit and _asks(policy, path)
    ]
    if shipped:
        lines.append(f"{policy.name}: not enforced by this version: {', '.join(shipped)}")
    return lines


def _asks(policy: LoadedPolicy, path: tuple[str, str]) -> bool:
    """Whether a shipped policy wants something that is not done."""
    return schema.plain(getattr(getattr(policy.policy, path[0]), path[1])) not in UNSAFE[path]


def _own(policy: LoadedPolicy) -> list[tuple[str, str]]:
    """The keys of tables that the user's files set."""
    keys = [cast("tuple[str, str]", path) for path in policy.explicit if len(path) == 2]
    return sorted(path for path in keys if path[1] != "enabled")  # obeyed where there is nothing to enforce


def _listed(rows: Collection[tuple[str, str]], path: tuple[str, str]) -> bool:
    return path in rows or (path[0], "*") in rows


def _of_policy(policy: LoadedPolicy) -> Iterator[Problem]:
    tables = cast("dict[str, dict[str, object]]", policy.merged.data)
    for path in _own(policy):
        table, key = path
        row = path if path in UNSAFE else (table, "*")
        if row not in UNSAFE or tables[table].get("enabled") is False:
            continue
        value = tables[table][key]
        if value not in UNSAFE[row] and value != _standard(table, key):
            yield policy.merged.problem([path], NOT_ENFORCED)


def _standard(table: str, key: str) -> object:
    """What is not done in `standard` either, and said there in a line."""
    return schema.plain(getattr(getattr(Policy(), table), key))


def _of_task(task: LoadedTask) -> Iterator[Problem]:
    document = task.document
    for number, tool in enumerate(task.task.tools):
        here: KeyPath = ("tools", number)
        if tool.use.startswith("builtin:") and tool.use not in BUILT_TOOLS:
            yield document.problem((*here, "use"), NOT_BUILT)
        for key, safe in UNSAFE_OF_TOOL.items():
            value = getattr(tool, key)
            if value is not None and value not in safe:
                yield document.problem((*here, key), NOT_ENFORCED)
