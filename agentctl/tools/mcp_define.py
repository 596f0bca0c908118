"""What an MCP server says of its tools, made into contracts, and compared to what was agreed to.

- A server's words prove nothing. Where the task says `trusted = true` its annotations count; silences in them mean what
  the protocol says they mean, and what the entry itself says goes before them, for all tools of the server.
- Of any other server they count only against itself: what it says outright (destructive, open world) may make a tool
  stricter than the entry does, never laxer.
- Its words for the model are made harmless first, unless the task trusts it; the definition holds them as they are.
- Its tools are untrusted and carry data out, unless the entry says otherwise of either.
- The definition of a tool is canonical JSON. Whatever a model is shown of it, or a tier follows from, is in it.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentctl import errors
from agentctl.core.contract import Contract
from agentctl.core.guards.risk import EFFECT_TIERS
from agentctl.core.messages import Json, JsonObject, is_list, is_object
from agentctl.core.policy import Policy
from agentctl.core.task import SideEffects
from agentctl.core.task import Tool as Entry
from agentctl.core.wrapping import harmless
from agentctl.records import dataclass
from agentctl.tools.declared import SUSPECT, contract_of
from agentctl.tools.mcp_sieve import BROKEN
from agentctl.tools.plain import json_safe
from agentctl.tools.schema import schema_problem

if TYPE_CHECKING:
    import mcp_types
    from mcp import Client

MOST_TOOLS = 1_000
DIFF_LINES = 60
DIFF_WIDTH = 200
WORDS = frozenset({"title", "description", "$comment"})
"""Keys of a schema whose texts only tell something."""
HINTS = ("read_only_hint", "destructive_hint", "idempotent_hint", "open_world_hint")


@dataclass(frozen=True, slots=True)
class Listed:
    """One tool as its server describes it."""

    name: str
    definition: str
    """Canonical JSON."""
    description: str
    parameters: JsonObject
    hints: dict[str, bool]
    """Only those that the server gave."""
    problem: str = ""
    """Why it breaks the protocol, in one line."""


def identity(entry: Entry, base: Path) -> str:
    """Whose definitions they are: the entry's name, with a digest of its command or URL, which may hold secrets.

    A part of the command that names a file of the task counts with its full path: `python3 server.py` is another
    server in another folder.
    """
    folder = base.resolve()  # however the path to it was written
    command = [str(folder / part) if part and (folder / part).is_file() else part for part in entry.command]
    text = json.dumps([entry.url] if entry.url else command)
    return f"{entry.name} {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def included(name: str, patterns: Sequence[str]) -> bool:
    """Whether the entry wants this tool; `*` stands for any characters."""
    return any(re.fullmatch(".*".join(map(re.escape, each.split("*"))), name, re.DOTALL) for each in patterns)


def listed(server: str, tool: mcp_types.Tool) -> Listed:
    """A tool of a listing."""
    given = {hint: getattr(tool.annotations, hint, None) for hint in HINTS}
    hints = {hint: value for hint, value in given.items() if isinstance(value, bool)}
    problem = str(json_safe((tool.meta or {}).get(BROKEN, "")))
    schema = cast("JsonObject", json_safe(tool.input_schema))
    said: JsonObject = {
        "server": server,
        "name": tool.name,
        "description": tool.description or "",
        "input_schema": schema,
        "annotations": dict(hints),
    }
    if problem:
        said["problem"] = problem
    definition = json.dumps(json_safe(said), sort_keys=True, separators=(",", ":"))
    return Listed(tool.name, definition, str(json_safe(tool.description or "")), schema, hints, problem)


def recalled(name: str, definition: str) -> Listed | None:
    """`listed` again, from the definition that it made; None where this is no such definition."""
    try:
        said = cast("Json", json.loads(definition))
    except ValueError:
        return None
    if not is_object(said) or said.get("name") != json_safe(name):
        return None
    schema, given, words = said.get("input_schema"), said.get("annotations"), said.get("description")
    if not is_object(schema) or not is_object(given) or not isinstance(words, str):
        return None
    hints = {hint: value for hint, value in given.items() if isinstance(value, bool)}
    return Listed(name, definition, words, schema, hints, str(said.get("problem", "")))


async def listing(client: Client, server: str) -> dict[str, Listed]:
    """All that a server offers, by name. Raises whatever the SDK does."""
    found: dict[str, Listed] = {}
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        found.update({tool.name: listed(server, tool) for tool in page.tools})
        cursor = page.next_cursor
        if not cursor or not page.tools or len(found) > MOST_TOOLS:
            return found


def _harmless(schema: JsonObject) -> JsonObject:
    """A schema with its words for the model made harmless. Names and values are what the server takes: they stay."""
    return {name: _words(name, value) for name, value in schema.items()}


def _words(name: str, value: Json) -> Json:
    if isinstance(value, str):
        return harmless(value) if name in WORDS else value
    if is_object(value):
        return _harmless(value)
    return [_words("", each) for each in value] if is_list(value) else value


# --- Contracts -----------------------------------------------------------------------------------


def contract(entry: Entry, tool: Listed, policy: Policy, *, changed: str) -> Contract:
    """The contract of a tool: the entry's own keys, then what a trusted server says, then silence.

    What another server says against itself makes stricter what the entry says.

    Raises:
        Invalid: the name is none that a model can be given.
    """
    known = tool.hints if entry.trusted else {}
    warned = None if entry.trusted else _warned(tool.hints)
    filled = dataclasses.replace(
        entry,
        name=f"{entry.name}.{tool.name}",
        description=tool.description if entry.trusted else harmless(tool.description),
        parameters={"type": "object", **(tool.parameters if entry.trusted else _harmless(tool.parameters))},
        include=("*",),  # which others were wanted says nothing about this one
        side_effects=_stricter(entry.side_effects, warned) or (_effects(known) if entry.trusted else None),
        idempotent=entry.idempotent or known.get("idempotent_hint", False),
    )
    made = contract_of(filled, policy, labels=SUSPECT)
    return dataclasses.replace(made, warned=warned, changed=changed, remote=bool(entry.url))


def _warned(hints: dict[str, bool]) -> SideEffects | None:
    """What a server says against itself; its silences say nothing."""
    if hints.get("destructive_hint", False):
        return "irreversible"
    return "external" if hints.get("open_world_hint", False) else None


def _stricter(said: SideEffects | None, warned: SideEffects | None) -> SideEffects | None:
    """What the entry says, unless the server says worse of itself."""
    if said is None or warned is None or EFFECT_TIERS[said] >= EFFECT_TIERS[warned]:
        return said
    return warned


def _effects(hints: dict[str, bool]) -> SideEffects:
    if hints.get("read_only_hint", False):
        return "none"
    if hints.get("destructive_hint", True):
        return "irreversible"
    return "external" if hints.get("open_world_hint", True) else "local"


def unusable(tool: Listed) -> str:
    """Why it can't be used, in one line; empty where it can."""
    if tool.problem:
        return tool.problem
    outside = next((ref for ref in _references(tool.parameters) if not ref.startswith("#")), None)
    if outside is not None:
        return f"its schema refers to {outside[:100]}, and nothing is fetched"
    problem = schema_problem(tool.parameters)
    return f"its schema is none: {problem}" if problem else ""


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in cast("JsonObject", value).items():
            if key == "$ref" and isinstance(each, str):
                yield each
            yield from _references(each)
    elif isinstance(value, list):
        for each in cast("list[Json]", value):
            yield from _references(each)


def check_names(server: str, contracts: Sequence[Contract]) -> None:
    """Raise Invalid where two tools of a server have one name on the wire."""
    taken: dict[str, str] = {}
    for each in contracts:
        first = taken.setdefault(each.wire, each.name)
        if first != each.name:
            raise errors.Invalid(
                f"MCP server '{server}': '{first}' and '{each.name}' are both called '{each.wire}' on the wire",
                hint="Leave one of them out with `include`.",
            )


# --- Changes -------------------------------------------------------------------------------------


def difference(agreed: str | None, now: str) -> str:
    """How a definition differs from the one that was agreed to; empty where it does not, or is new."""
    if agreed is None or agreed == now:
        return ""
    lines = difflib.unified_diff(_lines(agreed), _lines(now), "agreed", "now", n=1, lineterm="")
    short = [line if len(line) <= DIFF_WIDTH else f"{line[:DIFF_WIDTH]}[...]" for line in lines]
    if len(short) > DIFF_LINES:
        short = [*short[:DIFF_LINES], f"[... {len(short) - DIFF_LINES} more lines]"]
    return "\n".join(short) or "It was written down in another form."


def _lines(definition: str) -> list[str]:
    """A definition as lines that a person can compare; what can't be seen is written as an escape."""
    try:
        said = json.loads(definition)
    except ValueError:
        return definition.splitlines()
    lines = [f"description: {json.dumps(line)[1:-1]}" for line in str(said.pop("description", "")).split("\n")]
    return [*lines, *json.dumps(said, indent=2, sort_keys=True).split("\n")]
