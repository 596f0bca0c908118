"""`agentctl run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from agentctl.cli import gates, options
from agentctl.cli.flags import LinesFile, LogFile, PolicyName, Tasks, Tier, Variables
from agentctl.cli.options import StoreUrl
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.approvals.base import Approver
    from agentctl.cli.driving import Output
    from agentctl.runner.order import Listener, Order, Result


def run(
    ctx: typer.Context,
    tasks: Tasks,
    *,
    policy: PolicyName = None,
    var: Variables = None,
    user: Annotated[str | None, typer.Option(help="Who it is for; default: your login name")] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose budget it counts against")] = None,
    session: Annotated[str | None, typer.Option(help="The conversation to go on with: `help sessions`")] = None,
    max_usd: Annotated[float | None, typer.Option(metavar="USD", help="Lowers run_usd")] = None,
    auto_approve: Tier = None,
    lines: LinesFile = None,
    parallel: Annotated[int, typer.Option(metavar="N", min=1, help="So many runs at a time")] = 1,
    tui: Annotated[bool, typer.Option("--tui", help="Watch it in the monitor, and answer there")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Run it in the background; this terminal may go")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what would be sent; send nothing")] = False,
    require_p95_under: gates.P95 = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Play a script in the model's place")] = False,
    script: Annotated[Path | None, typer.Option(metavar="FILE", help="The script to rehearse, over the task's")] = None,
    real_tools: Annotated[bool, typer.Option("--real-tools", help="Rehearse with effects that are real")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
    as_events: Annotated[bool, typer.Option("--events", help="Print the events as JSON lines")] = False,
    log_json: LogFile = None,
    announce: Annotated[int | None, typer.Option("--announce", hidden=True)] = None,
    attended: Annotated[bool, typer.Option("--attended", hidden=True)] = False,
    store: StoreUrl = None,
) -> None:
    """Run a task under its policy; the answer goes to stdout, everything else to stderr

    Several runs (several tasks, or --lines) share one process; the exit code is 0 where all ended with 0, else the
    first other one in the order asked for, and 130 or 143 where a signal paused them.
    """
    several = len(tasks) > 1 or bool(lines)
    _check(ctx.params, several=several)
    who = options.identity("--user", user) or options.login()
    payer, conversation = options.identity("--tenant", tenant), options.identity("--session", session)
    if tui or detach:
        _elsewhere(ctx, store, who, tui=tui)
    given, piped = options.variables(var or [])
    from agentctl.runner.order import Order

    orders = [
        Order(task, policy, given, who, payer, conversation, max_usd, auto_approve, rehearse, script, real_tools, piped)
        for task in tasks
    ]
    gates.passed(orders, require_p95_under, store)
    if explain:
        _explain(orders[0], store, as_json=as_json)
    passed = _passing(log_json, announce)
    if several:
        _drive(orders, passed, lines or "", parallel, store, as_json, as_events)
    _run(orders[0], store, passed, _output(as_json, as_events, who, bool(piped), attended))


def _check(given: dict[str, Any], *, several: bool) -> None:
    if given["as_json"] and given["as_events"]:
        raise Usage("--json and --events exclude each other")
    if (given["real_tools"] or given["script"] is not None) and not given["rehearse"]:
        raise Usage("--script and --real-tools belong to a rehearsal", hint="Add --rehearse.")
    if given["tui"]:
        return
    if given["explain"] and (several or given["detach"]):
        raise Usage("--explain takes one task, and runs nothing")
    variables: list[str] = list(given["var"] or ())
    if given["lines"] == "-" and any(pair.endswith("=-") for pair in variables):
        raise Usage("--lines and --var: only one of them can be read from stdin")


def _elsewhere(ctx: typer.Context, store: str | None, who: str, *, tui: bool) -> NoReturn:
    from agentctl.cli import detach, watched

    if tui:
        watched.start(ctx, store, who)
    detach.start(ctx, store)


def _explain(order: Order, store: str | None, *, as_json: bool) -> NoReturn:
    from agentctl.cli import explaining

    explaining.explain(order, store, as_json=as_json)
    raise typer.Exit(0)


def _passing(log_json: Path | None, announce: int | None) -> Callable[[Listener], Listener]:
    from agentctl.cli import logfile

    return logfile.passing(log_json, announce)


def _drive(orders: list[Order], passed: Callable[[Listener], Listener], *how: Any) -> NoReturn:  # noqa: ANN401 -- as there
    from agentctl.cli import many

    many.drive(orders, many.Together(*how), passed)


def _output(*how: Any) -> Output:  # noqa: ANN401 -- as there
    from agentctl.cli.driving import Output

    return Output(*how)


def _run(order: Order, store: str | None, passed: Callable[[Listener], Listener], output: Output) -> None:
    from agentctl.cli.driving import drive
    from agentctl.runner import api
    from agentctl.tui.limits import Limits, limits_of

    def work(listener: Listener, approver: Approver | None) -> Awaitable[Result]:
        return api.run(order, store=store, listener=passed(listener), approver=approver)

    def limits() -> Limits:
        return limits_of(order.task, order.policy, order.max_usd)

    drive(work, output, limits)
