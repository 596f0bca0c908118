"""What the policy says of a shell command: rules see the whole and each part; only one plain command is ever lowered.

Rules.
1. One plain command has the tier of the strictest matching rule, else that of the table of programs.
2. Of anything else each part is judged in the same way, and the strictest of all decides; the whole is `high` however
   harmless its parts, unless the policy speaks of the tool itself and not of its arguments.
3. What looks like a path is also judged as it is without its dots (`a/../secrets//x`): of the ways to write a file the
   one that is judged strictest decides. As seen from another folder of the tool's, rules may only raise it.
4. A rule is also held against the words as the program will get them and against every spelling of the commands in a
   part, and may then only raise: quotes, wrappers and assignments hide nothing. Where a part has more of these than are
   looked at, what is forbidden counts as found.
"""

from __future__ import annotations

from collections.abc import Iterator

from agentctl.core import commands, pathways
from agentctl.core.commands import Command, Part
from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.messages import JsonObject
from agentctl.records import replace

ARGUMENT = "command"
UNREAD = Command((Part("", why="nobody has read it"),), "nobody has read it")


def tier(
    rules: risk.Rules, contract: Contract, args: JsonObject | None, reader: risk.Reader, command: Command | None
) -> risk.Ruling:
    """The tier of one call; where no shell reads its arguments, `risk` alone says it."""
    if args is None or (contract.command is None and not _looked_at(rules, contract)):
        return risk.tier(rules, contract, args, reader)
    if contract.command is None:
        found = [risk.tier(rules, contract, each, reader) for each in (args, *pathways.others(args))]
        for each in pathways.elsewhere(args, contract.folders):
            found += _raised(rules, contract, reader, each)
        return _strictest(found)
    command = command or UNREAD
    found = list(_raised(rules, contract, reader, args))
    if not commands.plain(command):
        found.append(risk.tier(rules, contract, None, reader, _own(commands.ruling(command))))
    found += [ruling for _, ruling in parts(rules, contract, args, reader, command)]
    return _strictest(found)


def _looked_at(rules: risk.Rules, contract: Contract) -> bool:
    """Whether any rule looks at this tool's arguments."""
    return any(rule.args and risk.names(rule, contract) for rule in rules.rules)


def parts(
    rules: risk.Rules, contract: Contract, args: JsonObject, reader: risk.Reader, command: Command
) -> tuple[tuple[Part, risk.Ruling], ...]:
    """Each part with what is said of it alone."""
    return tuple((part, _part(rules, contract, args, reader, part)) for part in command.parts)


def _part(rules: risk.Rules, contract: Contract, args: JsonObject, reader: risk.Reader, part: Part) -> risk.Ruling:
    """Where its words can't be said beforehand, no pattern makes it harmless."""
    shown = {**args, ARGUMENT: part.text}
    found = [risk.tier(rules, contract, shown if part.words else None, reader, _own(commands.judge(part)))]
    for text in dict.fromkeys((part.text, " ".join(part.words) or part.text, *part.spellings)):
        found += _raised(rules, contract, reader, {**args, ARGUMENT: text})
    if part.more:
        found += _raised(_forbidding(rules), contract, reader, args)
    return _strictest(found)


def _raised(rules: risk.Rules, contract: Contract, reader: risk.Reader, args: JsonObject) -> Iterator[risk.Ruling]:
    """What a rule says of these arguments, if one does; beside other rulings it can only raise."""
    ruling = risk.tier(rules, contract, args, reader)
    if ruling.decided is not None:
        yield ruling


def _forbidding(rules: risk.Rules) -> risk.Rules:
    """The rules, as if what they forbid were there; by their numbers."""
    return replace(rules, rules=tuple(replace(it, args={}) if it.tier == "forbid" else it for it in rules.rules))


def _strictest(found: list[risk.Ruling]) -> risk.Ruling:
    """Of the equally strict a rule, since a person wrote it."""
    spoke = tuple(sorted({number for each in found for number in each.spoke}))
    first = max(found, key=lambda each: (each.forbidden, each.tier, each.decided is not None))
    return replace(first, spoke=spoke)


def _own(verdict: commands.Verdict) -> risk.Ruling:
    return risk.Ruling(verdict.tier, f"built-in: {verdict.why}")
