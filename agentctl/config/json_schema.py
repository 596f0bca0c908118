"""The files of a person as JSON Schema 2020-12, so that an editor completes, explains and checks them.

Made from the same types as the check at load, which stays the judge: what fits together no schema can say.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeAlias, cast, get_args, get_origin

from agentctl.config import describe, schema, shape
from agentctl.config.tool_checks import BUILTINS
from agentctl.core.messages import Json, JsonObject
from agentctl.core.policy import Policy
from agentctl.core.task import Task, Tool

Schema: TypeAlias = JsonObject
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
LIMITS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
USES: Schema = {
    "anyOf": [
        {"enum": [*(f"builtin:{name}" for name in BUILTINS), "mcp"]},
        {"type": "string", "pattern": "^python:[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"},
    ]
}


def of(kind: type, description: str) -> Schema:
    """The schema of a file whose tables are a dataclass and those in it."""
    made = _table(kind)
    return _file(description, made["properties"], made)


def policy() -> Schema:
    """The schema of a policy file."""
    made = _table(Policy)
    extends: Schema = {"type": "string", "minLength": 1, "description": describe.MORE["policy.Policy.extends"]}
    properties = {name: each for name, each in cast("Schema", made["properties"]).items() if name != "name"}
    return _file("A policy: what runs may spend, do and fall back on", {**properties, "extends": extends}, made)


def task() -> Schema:
    """The schema of a task file."""
    made = _table(Task)
    either = [{"required": ["goal"]}, {"required": ["goal_file"]}]
    return _file("A task: what is to be done, with which tools", made["properties"], {**made, "anyOf": either})


def _file(description: str, properties: Json, made: Schema) -> Schema:
    head: Schema = {"$schema": DIALECT, "description": description, "x-tombi-toml-version": "v1.0.0"}
    return {**head, **made, "properties": properties}


def _table(kind: type) -> Schema:
    held = fields(cast("Any", kind))
    required: list[Json] = [each.name for each in held if each.default is each.default_factory is MISSING]
    made: Schema = {"type": "object", "properties": {each.name: _key(kind, each) for each in held}}
    if required:
        made["required"] = required
    return {**made, "additionalProperties": False}


def _key(kind: type, held: Field[Any]) -> Schema:
    made = USES if (kind, held.name) == (Tool, "use") else _value(shape.keys(kind)[held.name])
    made = {"description": describe.described(kind, held.name), **made}
    factory = held.default_factory
    default = schema.plain(held.default if factory is MISSING else factory())
    if default is not MISSING and default is not None and default not in ("", [], {}) and not _deep(made):
        made["default"] = default
    if (example := describe.EXAMPLES.get(describe.label(kind, held.name))) is not None:
        made["examples"] = [example]
    return made


def _deep(made: Schema) -> bool:
    """Tables and lists of them have defaults key by key."""
    items = made.get("items")
    return "properties" in made or (isinstance(items, dict) and "properties" in items)


def _value(hint: Any) -> Schema:  # noqa: ANN401 -- a type hint has no type of its own
    parts = shape.members(hint)
    if len(parts) != 1:
        return (
            {"anyOf": [_value(each) for each in parts]}
            if {*parts} - {*TYPES}
            else {"type": [TYPES[each] for each in parts]}
        )
    kind, limits = shape.bare(parts[0])
    inner: list[Any] = list(get_args(kind))
    if words := shape.choices(kind):
        values: list[Any] = inner or list(words)
        return {"type": TYPES[type(values[0])], "enum": values}
    if isinstance(kind, type) and is_dataclass(kind):
        return _table(kind)
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _value(inner[0])}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _value(inner[1]) or True}
    if kind not in TYPES:
        return {}
    named = {LIMITS[name]: getattr(limits, name) for name in LIMITS if getattr(limits, name) is not None}
    return {"type": TYPES[kind], **named}
