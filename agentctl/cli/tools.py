"""`agentctl tools list`, `tools check` and `tools try`: what a task's tools promise, and one of them by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from agentctl.cli import render, values
from agentctl.cli.options import AsJson, filled

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.config.task import LoadedTask
    from agentctl.core.contract import Contract
    from agentctl.core.messages import JsonObject
    from agentctl.errors import Problem
    from agentctl.tools.lint import Finding

TaskFile = Annotated[Path, typer.Argument(metavar="T", readable=False, help="A task file")]
PolicyName = Annotated[
    str | None, typer.Option("--policy", metavar="P", callback=filled, help="A policy's name or file, over the task's")
]


def listing(task: TaskFile, policy: PolicyName = None, as_json: AsJson = False) -> None:
    """List the tools of a task: what each may do, and whether it asks"""
    loaded, under = _loaded(task, policy)
    items = [_row(contract, under) for contract in _contracts(loaded, under, anew=True)]
    if as_json:
        render.as_list(items)
    elif items:
        render.table(list(items[0]), [[_cell(each) for each in item.values()] for item in items])
    else:
        render.say(f"{loaded.task.name} has no tools", "quiet")


def check(task: TaskFile, policy: PolicyName = None, as_json: AsJson = False) -> None:
    """Lint the contracts of a task's tools; errors are senders that nobody is asked about"""
    from agentctl.config.problems import invalid
    from agentctl.tools.lint import lint

    loaded, under = _loaded(task, policy)
    contracts = _contracts(loaded, under)
    found = lint(loaded.task.tools, contracts, under.policy)
    errors = [_problem(loaded, each) for each in found if each.level == "error"]
    items: list[JsonObject] = [
        {"tool": each.tool, "level": each.level, "key": each.key, "what": each.what, "fix": each.fix} for each in found
    ]
    if as_json and not errors:
        render.as_list(items)
    elif not as_json:
        for each in found:
            if each.level == "warning":
                render.out(f"warning: {_problem(loaded, each)}", "warn")
        if not found:
            render.out(f"ok: {len(contracts)} tools of {loaded.task.name} under policy {under.name}", "good")
    if errors:
        raise invalid(errors)


def attempt(
    task: TaskFile,
    name: Annotated[str, typer.Argument(metavar="TOOL", help="The tool's name", autocompletion=values.tools)],
    args: Annotated[str, typer.Argument(metavar="ARGS_JSON", help="Its arguments as one JSON object")] = "{}",
    policy: PolicyName = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run it whatever its tier, without asking")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the envelope")] = False,
) -> None:
    """Run one tool by hand, once: exit 0 where it succeeded, 1 where it did not"""
    import asyncio

    from agentctl.cli import byhand

    loaded, under = _loaded(task, policy)
    answer = asyncio.run(byhand.tried(loaded, under, name, byhand.arguments(args), yes=yes, quiet=as_json))
    render.as_json(answer.as_json())
    raise typer.Exit(0 if answer.ok else 1)


def _loaded(task: Path, policy: str | None) -> tuple[LoadedTask, LoadedPolicy]:
    from agentctl.config import load
    from agentctl.config.task import load_task

    loaded = load_task(task)
    return loaded, load.policy_of(loaded, policy)


def _contracts(loaded: LoadedTask, under: LoadedPolicy, *, anew: bool = False) -> list[Contract]:
    import asyncio

    from agentctl.cli import byhand

    async def listed() -> list[Contract]:
        async with byhand.opened(loaded, under, anew=lambda _: anew) as tools:
            return [tool.contract for tool in tools]

    return asyncio.run(listed())


def _problem(loaded: LoadedTask, found: Finding) -> Problem:
    """A finding at its place: the key where the file has it, else the tool's own table."""
    path = ("tools", found.entry, found.key)
    return loaded.document.problem(path, f"{found.tool}: {found.what}", found.fix)


def _row(contract: Contract, under: LoadedPolicy) -> JsonObject:
    from agentctl.core.guards import risk

    ruling = risk.tier(under.policy.risk, contract)
    labels = {"untrusted": contract.untrusted, "private": contract.private, "egress": contract.egress}
    return {
        "name": contract.name,
        "tier": ruling.tier.word,
        "asks": risk.check(under.policy.risk, contract) is not None,
        "because": ruling.rule,
        "side_effects": contract.side_effects,
        "timeout_s": contract.timeout_s,
        "labels": [name for name, held in labels.items() if held],
        "owner": contract.owner,
    }


def _cell(value: object) -> str:
    from agentctl.approvals.printable import printable

    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, cast("list[object]", value))) or "-"
        case float():
            return f"{value:g}"
        case _:
            return printable(str(value or "-"), lines=False)
