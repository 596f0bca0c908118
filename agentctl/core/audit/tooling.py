"""Items about tools: how long, how often, how safely again, in which types."""

from __future__ import annotations

from typing import Final

from agentctl.core.audit.facts import (
    Facts,
    Lack,
    Said,
    in_entry,
    in_policy,
    in_task,
    listed,
    of_tool,
    on,
    plain,
    told,
    toml,
)
from agentctl.core.contract import Contract
from agentctl.core.messages import is_object

API_S: Final = 5.0
"""Seconds for a call of an API. D65"""
DATABASE_S: Final = 30.0
"""Seconds for a query of a database, and for any tool. D65"""
TYPES: Final = frozenset({"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"})
"""Keys that give a parameter a type."""
ELSEWHERE: Final = frozenset({"side_effects", "retry_policy"})
"""Keys of findings that another item judges: B59, D64, D67, D68."""


def failures(facts: Facts) -> Said:
    """B55"""
    yield from on(facts, "results")
    yield told(facts, "results", "max_attempts")
    yield told(facts, "circuit", "tools", "failure_threshold")


def repeats(facts: Facts) -> Said:
    """D64"""
    for each in facts.contracts:
        if each.retry_policy != "none" and not each.idempotent and each.side_effects != "none":
            why = f"{of_tool(facts, each.name, 'retry_policy')} is retried, and twice is not once"
            yield Lack(why, in_task(facts, each.name, 'retry_policy = "none"'))
    safe = [each.name for each in facts.contracts if each.idempotent or each.side_effects == "none"]
    yield f"may be retried: {listed(safe)}" if safe else "no tool is retried"


def time(facts: Facts) -> Said:
    """D65"""
    for each in facts.contracts:
        if each.timeout_s > DATABASE_S:
            said = facts.task.tools[facts.entries[each.name]].timeout_seconds is not None
            where = of_tool(facts, each.name, "timeout_seconds")
            fix = in_task(facts, each.name, f"timeout_seconds = {DATABASE_S:g}")
            own = fix if said else in_policy(facts, ("results", "timeout_s"), API_S)
            yield Lack(f"{where} may take {each.timeout_s:g}s: {API_S:g} s for APIs, {DATABASE_S:g} s at most", own)
    longest = max((each.timeout_s for each in facts.contracts), default=0.0)
    yield f"{len(facts.contracts)} tools, each at most {longest:g}s" if facts.contracts else "the task has no tools"


def types(facts: Facts) -> Said:
    """D66"""
    for each in facts.contracts:
        where = of_tool(facts, each.name, "parameters")
        for name in _untyped(each):
            line = f'parameters.properties.{plain(name)} = {{ type = "string" }}'
            yield Lack(f"{where}: {name} has no type", _typed(facts, each, line, name))
        if each.parameters.get("additionalProperties") in (True, {}):
            line = "parameters.additionalProperties = false"
            yield Lack(f"{where}: whatever else is sent has no type", _typed(facts, each, line, "all that it takes"))
    answer = "the answer has a schema" if facts.task.output else "the answer is text"
    yield f"every result is one envelope; {answer}"


def _untyped(contract: Contract) -> list[str]:
    """Its parameters that may be anything."""
    shape = contract.parameters.get("properties")
    named = shape.items() if is_object(shape) else ()
    return [name for name, about in named if about is True or (is_object(about) and not TYPES & about.keys())]


def _typed(facts: Facts, contract: Contract, line: str, name: str) -> str:
    """The fix that gives it a type; only a program's parameters stand in the task."""
    number = facts.entries[contract.name]
    entry = facts.task.tools[number]
    if entry.use != "mcp":
        return in_entry(facts, number, line) if not entry.use else f"a type hint for {name}, in {entry.use}"
    ours = [each for each in facts.contracts if facts.entries[each.name] == number and not _untyped(each)]
    kept = [each.name.removeprefix(f"{entry.name}.") for each in ours if each is not contract]
    return in_entry(facts, number, f"include = {toml(tuple(kept))}") if kept else f"a type for {name}, from its server"


def retries(facts: Facts) -> Said:
    """D67"""
    for each in facts.contracts:
        entry = facts.task.tools[facts.entries[each.name]]
        unknown = each.side_effects is None and each.base_tier is None and not each.idempotent
        if unknown and entry.retry_policy is None and entry.use != "mcp":
            why = f"{of_tool(facts, each.name, 'name')}: nobody said what it changes, nor whether it may be retried"
            yield Lack(why, in_task(facts, each.name, 'retry_policy = "none"'))
    yield "every result says retry_safe"
    said = [f"{each.name} ({each.retry_policy})" for each in facts.contracts]
    if said:
        yield listed(said)


def once(facts: Facts) -> Said:
    """E30"""
    for each in facts.contracts:
        if each.side_effects != "none" and not each.idempotent and each.recovery in {"rerun", "same_key"}:
            key, ask = "recovery", 'recovery = "ask"'
            why = (
                f'{of_tool(facts, each.name, key)}: recovery = "{each.recovery}", and it is not idempotent: done twice'
            )
            yield Lack(why, in_task(facts, each.name, ask))
    changing = [f"{each.name} ({each.recovery})" for each in facts.contracts if each.side_effects != "none"]
    yield f"saved before and after each call; after a crash: {listed(changing) or 'all may run again'}"


def contracts(facts: Facts) -> Said:
    """D111: what a reviewer would reject, as far as no other item says it. D90"""
    for each in facts.rejected:
        if each.key not in ELSEWHERE:
            first, _, _ = each.fix.partition(", or ")
            yield Lack(f"{each.tool} ({each.place}): {each.what}", in_entry(facts, each.entry, first))
    yield f"`tools check` rejects nothing of {len(facts.contracts)} contracts"
