"""Rules that do nothing, or more than was meant: said at `policy check`, `task check` and `policy test`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from agentctl.config import rulings
from agentctl.config.patterns import anchored, found
from agentctl.config.problems import did_you_mean, show
from agentctl.config.rule_checks import lets_run
from agentctl.core.argpath import covers
from agentctl.core.guards.risk import Rule, rank
from agentctl.core.programs import STARTS_OTHERS
from agentctl.core.tiers import Tier

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask

SHELL = "shell"
ANY_COMMAND = "WARNING: it lets the shell run ANY command, also compounds, redirections and substitutions"


def notes(loaded: LoadedPolicy, task: LoadedTask | None = None) -> list[str]:
    """A line for each rule of the user's own that can't decide, matches a part where it lets run, or names nothing."""
    found: list[str] = []
    for number, rule in enumerate(loaded.policy.risk.rules):
        if ("risk", "rules", number) not in loaded.explicit:
            continue
        words = [*_shadowed(loaded, number), *(_lax(rule) if lets_run(rule, loaded.policy.risk.auto_approve) else ())]
        if task is not None:
            words += _nameless(rule, task)
        found += [f"{where(loaded, number)}: {each}" for each in words]
    return [*found, *_shell_by_name(loaded)]


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


def _lax(rule: Rule) -> Iterator[str]:
    """What a rule lets run that nobody may have had in mind."""
    if not rule.args:
        if covers(rule.tool, SHELL):
            yield f"{ANY_COMMAND}; give it args"
        elif not rule.tool.strip("*"):
            yield "it lets run every call of every tool, those of tomorrow too"
    for path, pattern in rule.args.items():
        if not anchored(pattern):
            yield f"{path} = {show(pattern)} lets run whatever stands around it: write ^ at its start and $ at its end"
        elif covers(rule.tool, SHELL) and (program := _runs_others(pattern)):
            yield f"{path} = {show(pattern)} lets run {program} with any words, and {program} starts what its words say"


def _runs_others(pattern: str) -> str:
    """A program that starts others and that this pattern lets run with words that nobody wrote down."""
    probes = ("-c zqx", "zqx", "-e zqx", "-zqx")
    programs = dict.fromkeys(("sh", *sorted(name for name in STARTS_OTHERS if name != ".")))
    return next((name for name in programs if any(found(pattern, f"{name} {each}") for each in probes)), "")


def _shell_by_name(loaded: LoadedPolicy) -> Iterator[str]:
    risk = loaded.policy.risk
    place = loaded.origins.get(("risk", "tiers", SHELL))
    if place and ("risk", "tiers", SHELL) in loaded.explicit and risk.tiers.get(SHELL, Tier.HIGH) <= risk.auto_approve:
        yield f"{place[0]}:{place[1]} risk.tiers.shell: {ANY_COMMAND}; write [[risk.rules]] with args instead"


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
