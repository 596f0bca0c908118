"""`[[risk.rules]]` at load: names that a tool can have, paths and patterns that mean something, examples that hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentctl.config import patterns
from agentctl.config.merge import Merged
from agentctl.config.problems import KeyPath, did_you_mean, show
from agentctl.core.argpath import steps
from agentctl.core.guards.risk import Rule, found
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.core.tiers import Tier
from agentctl.errors import Problem

tool_name = re.compile(r"[A-Za-z0-9_.*-]+")
call = re.compile(r"([A-Za-z0-9_.-]+)\(.*\)")
TOOL_HINT = "letters, digits, _, -, dots, and * for any characters; arguments go into args"
PATH_HINT = 'such as to[0].address, to[*] (every element) or ["a.b"]'


def check(policy: Policy, merged: Merged) -> Iterator[Problem]:
    """Rules compile, and do to their examples what they say.

    Those of shipped policies are tested, not checked again.
    """
    for number, rule in enumerate(policy.risk.rules):
        here: KeyPath = ("risk", "rules", number)
        source = merged.source(here)
        if source is not None and source[0].shipped:
            continue
        broken = [*_name(rule, here, merged), *_patterns(rule, here, merged)]
        yield from broken
        if not broken:
            yield from _examples(policy, rule, here, merged)


def lets_run(rule: Rule, auto_approve: Tier) -> bool:
    """Whether what it matches may run by itself."""
    return rule.tier != "forbid" and Tier.of(rule.tier) <= auto_approve


def matches(rule: Rule, example: JsonObject, auto_approve: Tier) -> bool:
    """Whether a rule does to a call with these arguments what it is there for.

    One that lets run needs every element of a `[*]`; for one that makes stricter some are enough.
    """
    held = found(rule.args, example, patterns.found)
    return held == "every" or (held == "some" and not lets_run(rule, auto_approve))


def _name(rule: Rule, here: KeyPath, merged: Merged) -> Iterator[Problem]:
    if tool_name.fullmatch(rule.tool):
        return
    typed = call.fullmatch(rule.tool)
    hint = f'write tool = "{typed[1]}" and args = {{ … = "^…$" }}' if typed else TOOL_HINT
    yield merged.problem([(*here, "tool")], f"expected the name of a tool, got {show(rule.tool)}", hint)


def _patterns(rule: Rule, here: KeyPath, merged: Merged) -> Iterator[Problem]:
    """The paths and patterns of one rule."""
    for path, pattern in rule.args.items():
        place: KeyPath = (*here, "args", path)
        try:
            steps(path)
        except ValueError:
            yield merged.problem([place], f"expected the path of an argument, got {show(path)}", PATH_HINT)
        if not pattern:
            yield merged.problem([place], "expected a pattern; an empty one is found in everything", 'write ".*"')
            continue
        try:
            patterns.compiled(pattern)
        except ValueError as error:
            yield merged.problem([place], f"expected an RE2 pattern: {error}")


def _examples(policy: Policy, rule: Rule, here: KeyPath, merged: Merged) -> Iterator[Problem]:
    """The examples of one rule."""
    groups: tuple[tuple[str, tuple[JsonObject, ...], bool], ...] = (
        ("match", rule.match, True),
        ("not_match", rule.not_match, False),
    )
    for name, examples, wanted in groups:
        for number, example in enumerate(examples):
            if matches(rule, example, policy.risk.auto_approve) == wanted:
                continue
            does = "does not match" if wanted else "matches"
            paths = ", ".join(f"{path} = {show(each)}" for path, each in rule.args.items())
            hint = _near(rule, example) or f"its args: {paths}"
            yield merged.problem([(*here, name, number)], f"the rule {does} this example of {name}", hint)


def _near(rule: Rule, example: JsonObject) -> str:
    """Where the names of the arguments are what differs."""
    absent = [path for path in rule.args if steps(path)[0] not in example and steps(path)[0] != -1]
    return did_you_mean(str(steps(absent[0])[0]), example) if absent else ""
