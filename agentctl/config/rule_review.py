"""Rules that do nothing, or more than was meant: said at `policy check`, `task check` and `policy test`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from agentctl.config import rulings
from agentctl.config.problems import did_you_mean, show
from agentctl.core.argpath import covers
from agentctl.core.guards.risk import Rule, rank
from agentctl.core.tiers import Tier

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask


def notes(loaded: LoadedPolicy, task: LoadedTask | None = None) -> list[str]:
    """A line for each rule of the user's own that can't decide, matches a part where it lets run, or names nothing."""
    found: list[str] = []
    for number, rule in enumerate(loaded.policy.risk.rules):
        if ("risk", "rules", number) not in loaded.explicit:
            continue
        words = [*_shadowed(loaded, number), *_open_ended(loaded, rule)]
        if task is not None:
            words += _nameless(rule, task)
        found += [f"{where(loaded, number)}: {each}" for each in words]
    return found


def where(loaded: LoadedPolicy, number: int) -> str:
    """`policy.toml:12 risk.rules[1]`."""
    file, line = rulings.place(loaded, number)
    return f"{file}:{line} risk.rules[{number}]"


def shadow(rules: tuple[Rule, ...], number: int) -> int | None:
    """The rule because of which this one never decides.

    It matches whatever this one does, and is stricter, or as strict and comes first. Sound, not complete: patterns are
    compared as they are written.
    """
    own = rules[number]
    for other, rule in enumerate(rules):
        wins = rank(rule.tier) > rank(own.tier) or (rule.tier == own.tier and other < number)
        if other != number and wins and covers(rule.tool, own.tool) and rule.args.items() <= own.args.items():
            return other
    return None


def _shadowed(loaded: LoadedPolicy, number: int) -> Iterator[str]:
    rules = loaded.policy.risk.rules
    by = shadow(rules, number)
    if by is not None:
        stricter = "is stricter" if rules[by].tier != rules[number].tier else "comes first"
        yield f"it never decides: {where(loaded, by)} ({rules[by].tier}) matches the same calls and {stricter}"


def _open_ended(loaded: LoadedPolicy, rule: Rule) -> Iterator[str]:
    """A pattern that is found in a part of the text says nothing about the rest."""
    if rule.tier == "forbid" or Tier.of(rule.tier) > loaded.policy.risk.auto_approve:
        return
    for path, pattern in rule.args.items():
        if not (pattern.startswith("^") and pattern.endswith("$")):
            yield f"{path} = {show(pattern)} lets run whatever stands around it: write ^ at its start and $ at its end"


def _nameless(rule: Rule, task: LoadedTask) -> Iterator[str]:
    own, servers = names(task)
    if any(covers(rule.tool, each) for each in own) or any(_reaches(rule.tool, each) for each in servers):
        return
    yield f"no tool of {task.task.name} is called {show(rule.tool)}" + _near(rule.tool, own)


def _near(name: str, known: Iterable[str]) -> str:
    meant = did_you_mean(name, known)
    return f": {meant}" if meant else ""


def names(task: LoadedTask) -> tuple[list[str], list[str]]:
    """What the tools of a task are called, as shown and on the wire; and how those of its servers begin."""
    own: list[str] = []
    servers: list[str] = []
    for entry in task.task.tools:
        name = entry.name or entry.use.rpartition(":")[2]
        if entry.use == "mcp":
            servers += [f"{name}.", f"{name}__"]
        else:
            own += dict.fromkeys((name, name.replace(".", "__")))
    return own, servers


def _reaches(pattern: str, prefix: str) -> bool:
    """Whether something that begins so can have this name."""
    first, star, _ = pattern.partition("*")
    return first.startswith(prefix) or (bool(star) and prefix.startswith(first))
