"""Rules that look at an argument which their tool doesn't take: they never match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask
    from agentctl.core.contract import Contract
    from agentctl.core.guards.risk import Rule
    from agentctl.core.messages import JsonObject


def notes(
    under: LoadedPolicy, task: LoadedTask | None = None, known: Mapping[str, Contract] | None = None
) -> list[str]:
    """A line for each path of the user's own rules that none of the tools it is about has.

    Of the `known` contracts; else of the task's programs and the built-in tools, which need not be opened.
    """
    from agentctl.config.rule_review import where

    schemas = {name: each.parameters for name, each in known.items()} if known else _schemas(task)
    found: list[str] = []
    for number, rule in enumerate(under.policy.risk.rules):
        if ("risk", "rules", number) in under.explicit:
            found += [f"{where(under, number)}: {each}" for each in _absent(rule, schemas)]
    return found


def _schemas(task: LoadedTask | None) -> dict[str, JsonObject]:
    """By name; a task's own tool goes before a built-in one of its name."""
    from agentctl.config.rule_review import names
    from agentctl.tools.base import BUILTINS

    schemas: dict[str, JsonObject] = {name: each.PARAMETERS for name, each in BUILTINS.items()}
    if task is not None:
        for name in names(task)[0]:
            if name in schemas and not any(entry.use == f"builtin:{name}" for entry in task.task.tools):
                del schemas[name]
        schemas |= {entry.name: entry.parameters for entry in task.task.tools if entry.parameters is not None}
    return schemas


def _absent(rule: Rule, schemas: Mapping[str, JsonObject]) -> Iterator[str]:
    from agentctl.config.problems import did_you_mean, show
    from agentctl.core.argpath import covers, reaches, steps
    from agentctl.core.messages import is_object

    about = [schema for name, schema in schemas.items() if covers(rule.tool, name)]
    if not about or "*" in rule.tool:  # it may be about tools that are not among these
        return
    for path in rule.args:
        if not any(reaches(schema, path) for schema in about):
            known = [name for schema in about if is_object(own := schema.get("properties")) for name in own]
            meant = did_you_mean(str(steps(path)[0]), known)
            yield f"{rule.tool} has no argument at {show(path)}, so this never matches" + (
                f": {meant}" if meant else ""
            )
