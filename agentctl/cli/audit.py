"""`agentctl audit`: may this task touch production under this policy?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import render, values
from agentctl.cli.options import AsJson, StoreUrl, filled
from agentctl.errors import GateFailed

if TYPE_CHECKING:
    from agentctl.core.audit.checklist import Audit, Verdict
    from agentctl.core.audit.degradation import Way
    from agentctl.core.messages import JsonObject

TaskFile = Annotated[Path, typer.Argument(metavar="T", readable=False, help="A task file")]
PolicyName = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="P",
        callback=filled,
        help="A policy's name or file, over the task's",
        autocompletion=values.policies,
    ),
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="Only this item, such as E32; repeatable")]


def audit(
    task: TaskFile,
    policy: PolicyName = None,
    only: Only = None,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Go through the readiness checklist of a task and its policy; exit 17 where something is missing"""
    import asyncio

    from agentctl.core.audit.checklist import audit as judged
    from agentctl.runner import auditing

    wanted = _known(only or [])
    facts = asyncio.run(auditing.gathered(task, policy, store))
    found = judged(facts, wanted)
    if as_json:
        render.as_json(_object(found, facts.task.name, facts.policy.name))
    else:
        _page(found, f"{facts.task.name} under policy {facts.policy.name}")
        if facts.shipped and any("in the policy" in each.fix for each in found.missing):
            name = facts.policy.name
            render.hint(f'policy {name} is shipped: a file of your own extends = "{name}", and --policy names it')
    if not found.ok:
        raise typer.Exit(GateFailed.exit_code)


def _known(only: list[str]) -> list[str]:
    """The items that were named, in any case."""
    from agentctl.config.problems import did_you_mean, show
    from agentctl.core.audit.checklist import ITEMS
    from agentctl.errors import Usage

    ids = [item.id for item in ITEMS]
    for name in only:
        if name.upper() not in ids:
            hint = did_you_mean(name.upper(), ids) or f"there is: {', '.join(ids)}"
            raise Usage(f"--only: expected an item of the checklist, got {show(name)}", hint=hint)
    return [name.upper() for name in only]


def _object(found: Audit, task: str, policy: str) -> JsonObject:
    items: list[JsonObject] = [
        {"id": each.id, "item": each.item, "ok": each.ok, "why": each.why, "fix": each.fix} for each in found.items
    ]
    ways: list[JsonObject] = [
        {"dependency": way.dependency, "kind": way.kind, "path": [*way.path], "ok": way.ok, "fix": way.fix}
        for way in found.degradation
    ]
    about: JsonObject = {"task": task, "policy": policy, "ok": found.ok}
    return {**about, "items": [*items], "degradation": [*ways], "warnings": [*found.warnings], "truncated": False}


def _page(found: Audit, title: str) -> None:
    """What is missing first, then what holds, then what happens when something fails, then the verdict."""
    render.out(title, "bold")
    for each in found.missing:
        _missing(each)
    for warning in found.warnings:
        _row("warn", f"{'':<4}  {_one(warning)}")
    for each in found.items:
        if each.ok:
            _row("yes", f"{each.id:<4}  {each.item}: {_one(each.why)}")
    render.out("")
    _ways(found.degradation)
    render.out("")
    render.out(*_verdict(found))


def _missing(each: Verdict) -> None:
    """One line for each thing that an item lacks, and under it what mends it."""
    word, head = "no", f"{each.id:<4}  {each.item}:"
    for lack in each.lacks:
        _row(word, f"{head} {_one(lack.why)}")
        render.out(f"{'':<11}→ {_one(lack.fix)}", "hint")
        word, head = "", f"{'':<5}"


def _row(word: str, text: str) -> None:
    tones: dict[str, render.Tone] = {"yes": "good", "no": "bad", "warn": "warn"}
    first, *rest = render.folded(f"{word:<4} {text}", 11)
    render.out(f"{render.paint(f'{word:<4}', tones.get(word, 'plain'), sys.stdout)}{first[4:]}")
    for line in rest:
        render.out(line)


def _ways(found: tuple[Way, ...]) -> None:
    """Each dependency, and under it the steps of its way."""
    width = max(len(_one(way.dependency)) for way in found)
    render.out(f"{'WITHOUT':<{width}}  KIND, AND WHAT HAPPENS", "bold")
    for way in found:
        render.out(f"{_one(way.dependency):<{width}}  {way.kind}")
        for line in (line for step in way.path for line in render.folded(f"    {_one(step)}", 6)):
            render.out(line, "quiet")
        if way.fix:
            render.out(f"    no way down → {_one(way.fix)}", "bad")


def _verdict(found: Audit) -> tuple[str, render.Tone]:
    held = len(found.items) - len(found.missing)
    said = f"audit: {held} of {len(found.items)} hold"
    if found.ok:
        return said, "good"
    return f"{said}; missing: {', '.join(each.id for each in found.missing)}", "bad"


def _one(text: str) -> str:
    """On one line, with nothing in it that a terminal obeys."""
    from agentctl.approvals.printable import printable

    return printable(text, lines=False)
