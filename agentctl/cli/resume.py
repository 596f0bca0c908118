"""`agentctl resume`."""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, values
from agentctl.cli.options import StoreUrl, UnfinishedRun

if TYPE_CHECKING:
    from agentctl.approvals.base import Approver
    from agentctl.runner.order import Listener, Result
    from agentctl.tui.limits import Limits


def resume(
    run: UnfinishedRun,
    *,
    add_usd: Annotated[float, typer.Option(metavar="USD", help="Raise run_usd, and it alone, by so much")] = 0.0,
    add_steps: Annotated[int, typer.Option(metavar="N", help="Raise max_steps by so many")] = 0,
    add_tokens: Annotated[int, typer.Option(metavar="N", help="Raise tokens.total by so many")] = 0,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P", callback=options.filled, help="Go on under this policy", autocompletion=values.policies
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Who goes on with it; default: your login name")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
    as_events: Annotated[bool, typer.Option("--events", help="Print the new events as JSON lines")] = False,
    attended: Annotated[bool, typer.Option("--attended", hidden=True)] = False,
    store: StoreUrl = None,
) -> None:
    """Go on with a run that crashed, was parked, paused or stopped by a limit"""
    from agentctl.errors import Usage

    if not (math.isfinite(add_usd) and add_usd >= 0 and add_steps >= 0 and add_tokens >= 0):
        raise Usage("--add-usd, --add-steps and --add-tokens only raise")
    if as_json and as_events:
        raise Usage("--json and --events exclude each other")
    who = options.identity("--user", user) or options.login()
    from agentctl.cli.driving import Output, drive
    from agentctl.runner import api
    from agentctl.runner.order import Raise

    def work(listener: Listener, approver: Approver | None) -> Awaitable[Result]:
        raised = Raise(add_usd, add_steps, add_tokens, policy)
        return api.resume(run, raised, store=store, listener=listener, approver=approver, user=who)

    def limits() -> Limits:
        from agentctl.tui.limits import limits_of_run

        with options.open_journal(store) as journal:
            return limits_of_run(journal, journal.run(run).run_id, policy)

    drive(work, Output(as_json, as_events, who, attended=attended), limits)
