"""`agentctl policy list`, `policy check` and `task check`: everything that is wrong with a file, at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import render, rule_paths, values
from agentctl.cli.options import AsJson
from agentctl.errors import Invalid

if TYPE_CHECKING:
    from agentctl.config.load import LoadedPolicy
    from agentctl.core.messages import JsonObject
    from agentctl.errors import Problem


def policies(as_json: AsJson = False) -> None:
    """List the policies that have a name: your own, then the shipped ones"""
    from agentctl.config import paths

    found = [(name, "shipped" if paths.is_shipped(path) else "yours", str(path)) for name, path in paths.policies()]
    if as_json:
        render.as_list([{"name": name, "origin": origin, "path": path} for name, origin, path in found])
    else:
        render.table(("name", "origin", "path"), found)


def policy_check(
    names: Annotated[list[str], typer.Argument(metavar="P...", help="Names or files", autocompletion=values.policies)],
    as_json: AsJson = False,
) -> None:
    """Check policies: every problem of a file at once, each with its place"""
    _report([(name, partial(_policy, name)) for name in names], as_json=as_json)


def task_check(
    files: Annotated[list[Path], typer.Argument(metavar="T...", readable=False, help="Task files")],
    as_json: AsJson = False,
) -> None:
    """Check tasks, each together with its policy"""
    _report([(str(file), partial(_task, file)) for file in files], as_json=as_json)


def _policy(name: str) -> tuple[str, list[str]]:
    from agentctl.config import load, receiving, rule_review
    from agentctl.config.problems import invalid
    from agentctl.config.text import display
    from agentctl.runner import reviewer

    loaded = load.load_policy(name)
    if refused := [*_priceless(loaded), *reviewer.missing(loaded), *receiving.unknown(loaded)]:
        raise invalid(refused)
    notes = [*rule_review.notes(loaded), *rule_paths.notes(loaded), *receiving.notes(loaded)]
    return f"policy {loaded.name} ({display(loaded.path)})", notes


def _task(file: Path) -> tuple[str, list[str]]:
    from agentctl.config import load, receiving, rule_review
    from agentctl.config.problems import invalid
    from agentctl.config.task import load_task
    from agentctl.runner import reviewer

    loaded = load_task(file)
    policy = load.policy_of(loaded)
    if refused := [*_priceless(policy), *reviewer.missing(policy), *receiving.unknown(policy)]:
        raise invalid(refused)
    rules = [*rule_review.notes(policy, loaded), *rule_paths.notes(policy, loaded)]
    notes = [*loaded.warnings, *rules, *receiving.notes(policy)]
    return f"task {loaded.task.name} ({file}) under policy {policy.name}", notes


def _priceless(loaded: LoadedPolicy) -> list[Problem]:
    from agentctl.models.prices import NO_PRICE, PRICE_HINT, priceless

    models = {at: loaded.policy.providers[at].model for at in priceless(loaded.policy)}
    return [
        loaded.merged.problem([("providers", at, "model")], NO_PRICE.format(model), PRICE_HINT)
        for at, model in models.items()
    ]


def _report(checks: list[tuple[str, Callable[[], tuple[str, list[str]]]]], *, as_json: bool) -> None:
    items: list[JsonObject] = []
    problems: list[Problem] = []
    for name, check in checks:
        try:
            what, notes = check()
        except Invalid as error:
            problems += error.problems
            items.append({"name": name, "ok": False, "notes": [], "problems": [str(each) for each in error.problems]})
            continue
        items.append({"name": name, "ok": True, "notes": notes, "problems": []})
        if not as_json:
            render.out(f"ok: {what}", "good")
            for note in notes:
                render.say(f"  {note}", "quiet")
    if problems:
        from agentctl.config.problems import invalid

        raise invalid(problems)
    if as_json:
        render.as_list(items)
