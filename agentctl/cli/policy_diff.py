"""`agentctl policy diff`: two policies by what they mean: keys, rules, and what becomes of calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias, cast

from agentctl.cli import judging, render
from agentctl.cli.options import AsJson
from agentctl.cli.policy_explain import PolicyName

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.core.messages import Json, JsonObject
    from agentctl.core.task import SideEffects

Sample: TypeAlias = "tuple[str, JsonObject | None, SideEffects | None]"
"""A tool, its arguments and what its contract says it changes."""
CHANGES = {"allow": "newly allowed", "ask": "newly asked", "deny": "newly denied"}


def diff(a: PolicyName, b: PolicyName, as_json: AsJson = False) -> None:
    """Say what differs between two policies: keys, rules, and calls that would newly ask, run or be denied"""
    from agentctl.config import load

    old, new = load.load_policy(a), load.load_policy(b)
    keys, rules, calls = list(_keys(old, new)), list(_rules(old, new)), list(_calls(old, new))
    same = not (keys or rules or calls)
    if as_json:
        about: JsonObject = {"a": judging.about(old), "b": judging.about(new), "same": same}
        render.as_json({**about, "keys": list(keys), "rules": list(rules), "calls": list(calls), "truncated": False})
        return
    if same:
        render.out(f"{old.name} and {new.name} say the same", "good")
        return
    _section("calls", [_call_line(each) for each in calls])
    _section("rules", [f"{'-' if each['in'] == 'a' else '+'} {_rule_line(each)}" for each in rules])
    _section("keys", [f"{each['key']}: {json.dumps(each['a'])} -> {json.dumps(each['b'])}" for each in keys])


def _section(name: str, lines: list[str]) -> None:
    from agentctl.approvals.printable import printable

    if lines:
        render.out(name, "bold")
        for line in lines:
            render.out(f"  {printable(line, lines=False)}")


def _keys(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[JsonObject]:
    """Values that differ; providers are told apart by their names, rules have a list of their own."""
    from agentctl.config.receiving import showable

    before, after = _values(old), _values(new)
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield {"key": key, "a": showable(key, before.get(key)), "b": showable(key, after.get(key))}


def _values(loaded: LoadedPolicy) -> dict[str, Json]:
    from agentctl.config import schema, writing
    from agentctl.config.problems import dotted

    names: list[Json] = [provider.name for provider in loaded.policy.providers]
    found: dict[str, Json] = {"providers": names}
    for path, value in writing.leaves(cast("JsonObject", schema.plain(loaded.policy))):
        if path[0] in {"name", "extends"} or path[:2] == ("risk", "rules"):
            continue
        if path[0] == "providers" and len(path) > 1 and isinstance(path[1], int):
            found[f"providers.{names[path[1]]}.{dotted(path[2:])}"] = value
        else:
            found[dotted(path)] = value
    return found


def _rules(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[JsonObject]:
    """Rules that only one of them has; their order means nothing."""
    before, after = _placed(old), _placed(new)
    for side, own, other in (("a", before, after), ("b", after, before)):
        meanings = [_meaning(each) for each in other]
        for rule in own:
            if _meaning(rule) not in meanings:
                yield {"in": side, **rule}


def _placed(loaded: LoadedPolicy) -> list[JsonObject]:
    from agentctl.config import rulings

    places = rulings.places(loaded)
    return [
        {"file": file, "line": line, "tool": rule.tool, "args": dict(rule.args), "tier": rule.tier}
        for rule, (file, line) in zip(loaded.policy.risk.rules, places, strict=True)
    ]


def _meaning(rule: JsonObject) -> tuple[Json, ...]:
    return (rule["tool"], rule["args"], rule["tier"])


def _rule_line(rule: JsonObject) -> str:
    shown = judging.call(rule["tool"], rule["args"])
    return f"{shown} {rule['tier']} ({rule['file']}:{rule['line']})"


def _calls(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[JsonObject]:
    """Calls of which the two make something else."""
    from agentctl.config.writing import written
    from agentctl.tools import offhand

    seen: set[tuple[str, str]] = set()
    for tool, args, effects in (*_samples(old), *_samples(new)):
        key = (tool, written(args or {}))
        if key in seen:
            continue
        seen.add(key)
        before = judging.judged(old, offhand.contract(tool, old.policy, effects), args)
        after = judging.judged(new, offhand.contract(tool, new.policy, effects), args)
        if (before.tier, before.decision) != (after.tier, after.decision):
            change = CHANGES[after.decision] if before.decision != after.decision else "another tier"
            sides = {
                side: {"tier": each.tier.word, "decision": each.decision, "because": each.why}
                for side, each in (("a", before), ("b", after))
            }
            yield {"tool": tool, "args": args, "change": change, **sides}


def _samples(loaded: LoadedPolicy) -> Iterator[Sample]:
    """Built-in tools, tools by each side effect, and whatever the policy itself names, its rules' examples too."""
    from agentctl.core.guards.risk import EFFECT_TIERS
    from agentctl.tools import offhand

    rules = loaded.policy.risk.rules
    for name in (*offhand.NAMES, *loaded.policy.risk.tiers, "(unknown)", *(rule.tool for rule in rules)):
        yield name, None, None
    for word in EFFECT_TIERS:
        yield f"(side_effects = {word})", None, word
    for rule in rules:
        for args in (*rule.match, *rule.not_match):
            yield rule.tool, args, None


def _call_line(each: JsonObject) -> str:
    before, after = cast("JsonObject", each["a"]), cast("JsonObject", each["b"])
    shown = judging.call(each["tool"], each["args"])
    return (
        f"{each['change']}: {shown}: {before['tier']}, {before['decision']} -> {after['tier']}, {after['decision']}"
        f" ({after['because']})"
    )
