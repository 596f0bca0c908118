"""One call under a policy, as `policy test`, `policy explain` and `policy diff` say it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from agentctl.config.load import LoadedPolicy
    from agentctl.core.contract import Contract
    from agentctl.core.decide_call import Judged
    from agentctl.core.messages import Json, JsonObject

SOMEBODY = ("somebody",)
DECISIONS = {"allow": "it runs by itself", "ask": "a person decides", "deny": "it is refused, and nobody is asked"}


def of_task(task: Path | None, under: LoadedPolicy) -> dict[str, Contract]:
    """The contracts of a task's tools, by name as shown and on the wire.

    Of servers that the store knows it is what they listed last.
    """
    if task is None:
        return {}
    import asyncio

    from agentctl.cli import byhand
    from agentctl.config.task import load_task

    loaded = load_task(task)

    async def listed() -> list[Contract]:
        async with byhand.opened(loaded, under) as tools:
            return [tool.contract for tool in tools]

    return {name: each for each in asyncio.run(listed()) for name in (each.wire, each.name)}


def contract(name: str, known: dict[str, Contract], under: LoadedPolicy) -> Contract:
    """The contract of a tool: the task's own where one was given.

    Raises:
        Usage: the task has no such tool.
    """
    from agentctl.config.problems import did_you_mean, show
    from agentctl.errors import Usage
    from agentctl.tools import offhand

    if not known:
        return offhand.contract(name, under.policy)
    if name not in known:
        there = f"there is: {', '.join(dict.fromkeys(each.name for each in known.values()))}"
        raise Usage(f"no tool of the task is called {show(name)}", hint=did_you_mean(name, known) or there)
    return known[name]


def judged(
    under: LoadedPolicy, tool: Contract, args: JsonObject | None, *, untrusted: bool = False, private: bool = False
) -> Judged:
    """What the core makes of the call, in a run that has met these; a shell's command is read as a run reads it."""
    from agentctl.config import rulings
    from agentctl.core.decide_call import judge
    from agentctl.core.guards import trust

    known = trust.State(untrusted=SOMEBODY if untrusted else (), private=SOMEBODY if private else ())
    command = None if args is None or tool.command is None else tool.command(args)
    return judge(under.policy, rulings.reader(under), known, tool, args, command=command)


def parts(under: LoadedPolicy, tool: Contract, args: JsonObject | None) -> list[JsonObject]:
    """Each command within a shell's command with its tier, what set it and, where that was a rule, its place."""
    from agentctl.config import rulings
    from agentctl.core import command_rules

    command = None if args is None or tool.command is None else tool.command(args)
    if args is None or command is None:
        return []
    items: list[JsonObject] = []
    for part, ruling in command_rules.parts(under.policy.risk, tool, args, rulings.reader(under), command):
        said: JsonObject = {"text": part.text, "tier": ruling.word}
        file, line = (None, None) if ruling.decided is None else rulings.place(under, ruling.decided)
        rule = None if ruling.decided is None else f"risk.rules[{ruling.decided}]"
        items.append({**said, "because": ruling.rule, "rule": rule, "file": file, "line": line})
    return items


def spoke(under: LoadedPolicy, found: Judged) -> list[JsonObject]:
    """Every rule that matched, with its place."""
    from agentctl.config import rulings

    rules = under.policy.risk.rules
    items: list[JsonObject] = []
    for number in found.ruling.spoke:
        file, line = rulings.place(under, number)
        rule = rules[number]
        items.append(
            {
                "rule": f"risk.rules[{number}]",
                "file": file,
                "line": line,
                "tool": rule.tool,
                "tier": rule.tier,
                "why": rule.why,
                "decides": number == found.ruling.decided,
            }
        )
    return items


def about(under: LoadedPolicy) -> JsonObject:
    """Which policy this is."""
    return {"name": under.name, "path": str(under.path), "digest": under.digest}


def call(tool: Json, args: Json) -> str:
    """A call on one line, harmless on a terminal."""
    from agentctl.approvals.printable import printable

    text = f"{tool} {json.dumps(args, ensure_ascii=False)}" if args else str(tool)
    return printable(text, lines=False)
