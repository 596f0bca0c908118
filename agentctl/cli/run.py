"""`agentctl run`."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import StoreUrl

if TYPE_CHECKING:
    from agentctl.approvals.base import Approver
    from agentctl.runner.order import Listener, Order, Result


def run(
    task: Annotated[Path, typer.Argument(metavar="TASK", help="The task file")],
    *,
    policy: Annotated[str | None, typer.Option(metavar="P", help="A policy's name or file, over the task's")] = None,
    var: Annotated[list[str] | None, typer.Option(metavar="K=V", help="A variable; K=- reads it from stdin")] = None,
    user: Annotated[str, typer.Option(help="Who it is for; default: your login name")] = "",
    tenant: Annotated[str, typer.Option(help="Whose budget it counts against")] = "",
    session: Annotated[str, typer.Option(help="The conversation that it belongs to")] = "",
    max_usd: Annotated[float | None, typer.Option(metavar="USD", help="Lowers run_usd")] = None,
    auto_approve: Annotated[
        str | None, typer.Option(metavar="TIER", help="Lowers what runs without asking: safe, low, medium")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what would be sent; send nothing")] = False,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Play a script in the model's place")] = False,
    script: Annotated[Path | None, typer.Option(metavar="FILE", help="The script to rehearse, over the task's")] = None,
    real_tools: Annotated[bool, typer.Option("--real-tools", help="Rehearse with effects that are real")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
    as_events: Annotated[bool, typer.Option("--events", help="Print the events as JSON lines")] = False,
    store: StoreUrl = None,
) -> None:
    """Run a task under its policy; the answer goes to stdout, everything else to stderr"""
    _check(as_json=as_json, as_events=as_events, rehearse=rehearse, only_rehearsed=real_tools or script is not None)
    values, stdin_used = options.variables(var or [])
    from agentctl.runner.order import Order

    order = Order(
        task=task,
        policy=policy,
        variables=values,
        user=options.identity("--user", user) or options.login(),
        tenant=options.identity("--tenant", tenant),
        session=options.identity("--session", session),
        max_usd=max_usd,
        auto_approve=auto_approve,
        rehearse=rehearse,
        script=script,
        real_tools=real_tools,
    )
    if explain:
        _explain(order, as_json=as_json)
    else:
        _run(order, store, as_json=as_json, as_events=as_events, stdin_used=stdin_used)


def _check(*, as_json: bool, as_events: bool, rehearse: bool, only_rehearsed: bool) -> None:
    from agentctl.errors import Usage

    if as_json and as_events:
        raise Usage("--json and --events exclude each other")
    if only_rehearsed and not rehearse:
        raise Usage("--script and --real-tools belong to a rehearsal", hint="Add --rehearse.")


def _run(order: Order, store: str | None, *, as_json: bool, as_events: bool, stdin_used: bool) -> None:
    from agentctl.cli.driving import Output, drive
    from agentctl.cli.status import Limits, limits_of
    from agentctl.runner import api

    def work(listener: Listener, approver: Approver | None) -> Awaitable[Result]:
        return api.run(order, store=store, listener=listener, approver=approver)

    def limits() -> Limits:
        return limits_of(order.task, order.policy, order.max_usd)

    drive(work, Output(as_json, as_events, order.user, stdin_used), limits)


def _explain(order: Order, *, as_json: bool) -> None:
    from agentctl.cli.explaining import tell
    from agentctl.runner import api

    explanation = api.explain(order)
    if as_json:
        render.as_json(explanation)
    else:
        tell(explanation)
