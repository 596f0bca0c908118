"""What the checklist looks at, and how an item says what it found and what mends it.

A fix is one line that can be typed into a file as it stands: `in the policy: [budget] max_steps = 20`,
`in the task: [[tools]] send_refund: timeout_seconds = 5`. Else it is a command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from agentctl.core.contract import Contract
from agentctl.core.policy import Policy, Provider
from agentctl.core.task import Task
from agentctl.core.tiers import Tier
from agentctl.records import dataclass

KeyPath: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = str | int | float | bool | None
bare = re.compile(r"[A-Za-z0-9_-]+")
ELSEWHERE = "--store names another"


@dataclass(frozen=True, slots=True)
class Rejected:
    """What the lint of contracts found."""

    tool: str
    entry: int
    """Which `[[tools]]` of the task, from 0."""
    key: str
    level: Literal["error", "warning"]
    what: str
    fix: str
    place: str
    """File and line."""


@dataclass(frozen=True, slots=True)
class Books:
    """The store that the runs of this task would be written to."""

    shown: str
    shared: bool = False
    """A server: several machines write to it."""
    unwritable: str = ""
    """Why nothing can be recorded there; empty: it can."""
    unread: str = ""
    """Why what was recorded of this task can't be read back; empty: it can."""
    runs: int = 0
    """Of this task under this policy that completed, were stopped by a limit, or parked."""
    rehearsals: int = 0
    """Likewise, rehearsals and drills."""
    fix: str = ELSEWHERE


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing, and what mends it."""

    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A task and its policy as a run would take them, and what of the world they rely on."""

    task: Task
    policy: Policy
    contracts: tuple[Contract, ...]
    entries: Mapping[str, int]
    """Which `[[tools]]` each contract was made from, from 0."""
    rejected: tuple[Rejected, ...]
    unheard: tuple[Lack, ...]
    """What keeps alerts from arriving although receivers are named."""
    exporter: bool
    """Whether spans can be sent from here."""
    backend: str
    """What confines programs: `bubblewrap`, `landlock`, `none`, `off`; empty: the task has none."""
    books: Books
    shipped: bool
    """The policy comes with agentctl: it is not edited, it is extended."""
    command: str
    """The task, and the policy where one was named, as one would type them after a command."""
    policy_at: Callable[[KeyPath], str]
    """`policy.toml:12`, where a file sets the value; empty: it is the default."""
    task_at: Callable[[KeyPath], str]

    @property
    def answering(self) -> tuple[Provider, ...]:
        """Those that may answer, in the order in which they are asked."""
        return tuple(sorted((p for p in self.policy.providers if "answer" in p.roles), key=lambda p: p.priority))


Said: TypeAlias = Iterator[Lack | str]
"""What a judge says: lacks, and in plain words what holds."""


def toml(value: object) -> str:
    """A value as a file would say it."""
    match value:
        case bool():
            return "true" if value else "false"
        case Tier():
            return f'"{value.word}"'
        case str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return f"{value:g}" if value < 1e6 else f"{value:.0f}"
        case tuple():
            return f"[{', '.join(map(toml, value))}]"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any tuple
        case _:
            return str(value)


def told(facts: Facts, *path: str | int) -> str:
    """`budget.max_steps = 8 (policy.toml:6)`."""
    value: Any = facts.policy
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part)
    name = ".".join(str(part) for part in path)
    if path[0] == "providers":
        name = f"{facts.policy.providers[int(path[1])].name}: {path[2]}"
    place = facts.policy_at(path)
    return f"{name} = {toml(value)}{f' ({place})' if place else ''}"


def in_policy(facts: Facts, path: KeyPath, value: Scalar | Tier) -> str:
    """The fix that sets one key of the policy."""
    *tables, key = path
    if tables[0] == "providers":
        return f"in the policy: [[providers]] {facts.policy.providers[int(tables[1])].name}: {key} = {toml(value)}"
    return f"in the policy: [{'.'.join(map(str, tables))}] {plain(str(key))} = {toml(value)}"


def plain(key: str) -> str:
    """A key as TOML has it."""
    return key if bare.fullmatch(key) else json.dumps(key)


def in_task(facts: Facts, tool: str, line: str) -> str:
    """The fix that adds a line to the entry of one tool."""
    return in_entry(facts, facts.entries[tool], line)


def in_entry(facts: Facts, number: int, line: str) -> str:
    """The fix that adds a line to one `[[tools]]`, counted from 0."""
    entry = facts.task.tools[number]
    return f"in the task: [[tools]] {entry.name or entry.use}: {line}"


def of_tool(facts: Facts, tool: str, key: str) -> str:
    """`send_refund (task.toml:31)`."""
    place = facts.task_at(("tools", facts.entries[tool], key))
    return f"{tool} ({place})"


def must(facts: Facts, path: KeyPath, good: bool, value: Scalar | Tier, why: str = "") -> Lack | str:
    """What a key says where it is good, else why it is not and the value that would be."""
    said = told(facts, *path)
    return said if good else Lack(f"{said}{why and f': {why}'}", in_policy(facts, path, value))


def on(facts: Facts, *tables: str) -> Said:
    """The guards that are switched off among these."""
    for table in tables:
        if not getattr(facts.policy, table).enabled:
            path = (table, "enabled")
            yield Lack(told(facts, *path), in_policy(facts, path, value=True))


def listed(names: list[str], most: int = 6) -> str:
    """A few names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
