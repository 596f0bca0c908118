"""`agentctl drill`: the bad days, rehearsed: what a policy makes of each, and the key that would have held."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render, values
from agentctl.cli.flags import PolicyName, Variables
from agentctl.cli.options import AsJson, filled
from agentctl.errors import GateFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentctl.cli.drill_report import Report
    from agentctl.rehearsal.drills.registry import Drill
    from agentctl.runner.drills.drilling import Outcome
    from agentctl.runner.order import Order

Only = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="This drill, or several", autocompletion=values.drills)
]
Own = Annotated[
    list[Path] | None,
    typer.Option("--drills", metavar="FILE", readable=False, help="Drills of your own too: TOML, or a folder of it"),
]
Page = Annotated[str | None, typer.Option(metavar="FILE", callback=filled, help="Write a page with pictures")]
Junit = Annotated[str | None, typer.Option(metavar="FILE", callback=filled, help="Write JUnit XML, for CI")]


def drill(
    task: Annotated[Path | None, typer.Argument(metavar="TASK", readable=False, help="The task file")] = None,
    policy: PolicyName = None,
    only: Only = None,
    drills: Own = None,
    naive: Annotated[bool, typer.Option("--naive", help="Play each with every guard off too, and compare")] = False,
    real_tools: Annotated[bool, typer.Option("--real-tools", help="Tools that no drill spoils really run")] = False,
    html: Page = None,
    junit: Junit = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed, the same drills")] = 0,
    var: Variables = None,
    listed: Annotated[bool, typer.Option("--list", help="List the drills; play none")] = False,
    as_json: AsJson = False,
) -> None:
    """Play the failure drills against a task and its policy; exit 17 where one does not hold

    A provider on this machine misbehaves on cue, over real HTTP and the real
    SDKs; waiting is skipped. No message leaves the machine, and no tool with
    side effects runs. A failed drill names the key that was seen to hold.
    """
    given, piped = options.variables(var or [])
    chosen = _chosen(only or (), drills or ())
    if listed:
        _list(chosen, as_json=as_json)
        return
    if task is None:
        raise Usage("missing argument TASK", hint="agentctl drill demo/task.toml; --list says which drills there are")
    from agentctl.cli import drill_files
    from agentctl.runner.order import Order

    drill_files.check(html, junit)
    order = Order(task, policy, given, real_tools=real_tools, piped=piped)
    report = _played(order, chosen, seed, naive=naive)
    drill_files.write(report, html, junit)
    _tell(report, as_json=as_json)


def _chosen(only: Sequence[str], files: Iterable[Path]) -> tuple[Drill, ...]:
    """The drills that are wanted, in their own order. Usage: none is called so."""
    from agentctl.rehearsal.drills.registry import DRILLS
    from agentctl.runner.drills import own

    drills = (*DRILLS, *own.load(files))
    names = [each.name for each in drills]
    for word in only:
        if word not in names:
            raise _unknown(word, names)
    return tuple(each for each in drills if not only or each.name in only)


def _unknown(word: str, names: Sequence[str]) -> Usage:
    from agentctl.config.problems import did_you_mean

    if word.endswith(".toml"):
        return Usage(f"--only {word}: expected the name of a drill", hint=f"A file of your own: --drills {word}")
    guess = did_you_mean(word, names)
    return Usage(f"--only: no drill {word!r}{f': {guess}' if guess else ''}", hint=f"There are: {', '.join(names)}")


def _list(drills: Sequence[Drill], *, as_json: bool) -> None:
    if as_json:
        render.as_list([{"name": each.name, "injected": each.injected, "file": each.file or None} for each in drills])
        return
    from agentctl.approvals.printable import printable

    render.table(("drill", "what goes wrong"), [(each.name, printable(each.injected, lines=False)) for each in drills])


def _played(order: Order, drills: tuple[Drill, ...], seed: int, *, naive: bool) -> Report:
    from agentctl.cli import comparing, drill_folder, drill_watch
    from agentctl.cli.drill_report import Report
    from agentctl.config import load
    from agentctl.config.task import load_task
    from agentctl.runner.drills.drilling import Wanted

    loaded = load_task(order.task)
    under = load.policy_of(loaded, order.policy)
    with drill_folder.made() as folder:
        plain = folder / "policy"
        plain.mkdir()
        wanted = Wanted(order, drills, plain, seed, order.real_tools, report=_reported)
        outcomes = drill_watch.played(wanted, folder)
        bare: tuple[Outcome, ...] = ()
        if naive:
            bare = drill_watch.played(comparing.without_guards(wanted, folder / "naive"), folder, "naive ")
        compared = comparing.compared(wanted, folder / "compared") if naive else None
    return Report(loaded.task.name, order.task, under, seed, outcomes, bare, compared, folder)


def _reported(error: Exception) -> str:
    import sys

    from agentctl.cli.crash import reported

    return reported(error, sys.argv[1:]).message


def _tell(report: Report, *, as_json: bool) -> None:
    from agentctl.cli import drill_folder, drilled

    if as_json:
        render.as_json(drilled.as_json(report))
    else:
        for text, tone in drilled.lines(report, drilled.width()):
            render.out(text, tone)
        render.say(f"runs of the drills: {report.folder} (the last {drill_folder.KEPT} are kept)", "quiet")
    if report.failed:
        raise typer.Exit(GateFailed.exit_code)
