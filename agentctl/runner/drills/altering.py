"""A policy with a key set to another value, and one with every guard switched off."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from agentctl.core.policy import Policy
from agentctl.core.tiers import Tier
from agentctl.rehearsal.drills.scene import Change


def with_change(policy: Policy, change: Change) -> Policy:
    """The policy with this key set."""
    return cast("Policy", _set(policy, change.key.split("."), change.value))


def _set(table: Any, path: list[str], value: object) -> Any:  # noqa: ANN401 -- any table of a policy
    name, *rest = path
    old = getattr(table, name)
    if isinstance(old, Tier):
        value = Tier.of(str(value))
    return replace(table, **{name: _set(old, rest, value) if rest else value})


def naive(policy: Policy) -> Policy:
    """The policy with `enabled = false` in every table that has it."""
    off: dict[str, Any] = {}
    for each in fields(policy):
        table = getattr(policy, each.name)
        if is_dataclass(table) and not isinstance(table, type) and hasattr(table, "enabled"):
            off[each.name] = replace(cast("Any", table), enabled=False)
    return replace(policy, **off)


def switched_off(policy: Policy) -> tuple[str, ...]:
    """The tables whose guard does not work."""
    tables = ((each.name, getattr(policy, each.name)) for each in fields(policy))
    return tuple(name for name, table in tables if getattr(table, "enabled", True) is False)
