"""`agentctl fork`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options
from agentctl.cli.flags import PolicyName, Tier
from agentctl.cli.options import RunId, StoreUrl

if TYPE_CHECKING:
    from agentctl.approvals.base import Approver
    from agentctl.runner.order import Listener, Result
    from agentctl.tui.limits import Limits


def fork(
    run: RunId,
    *,
    at: Annotated[
        int | None,
        typer.Option(metavar="SEQ", min=1, help="The last event taken along; default: the last safe point"),
    ] = None,
    policy: PolicyName = None,
    goal: Annotated[
        str | None, typer.Option(metavar="TEXT", callback=options.filled, help="Another goal in place of the run's")
    ] = None,
    session: Annotated[str | None, typer.Option(help="The conversation that it belongs to")] = None,
    user: Annotated[str | None, typer.Option(help="Who it is for; default: your login name")] = None,
    max_usd: Annotated[float | None, typer.Option(metavar="USD", help="Lowers run_usd")] = None,
    auto_approve: Tier = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
    as_events: Annotated[bool, typer.Option("--events", help="Print the new events as JSON lines")] = False,
    store: StoreUrl = None,
) -> None:
    """Start a new run from a recorded point of another, under another policy or with another goal

    The run itself stays as it is. The fork pays for what it does itself; approvals do not carry over.
    """
    from agentctl.errors import Usage

    if as_json and as_events:
        raise Usage("--json and --events exclude each other")
    who, conversation = options.identity("--user", user) or options.login(), options.identity("--session", session)
    from agentctl.cli.driving import Output, drive
    from agentctl.runner import api
    from agentctl.runner.forking import Branch

    def work(listener: Listener, approver: Approver | None) -> Awaitable[Result]:
        branch = Branch(who, at, policy, goal or "", conversation, max_usd, auto_approve)
        return api.fork(run, branch, store=store, listener=listener, approver=approver)

    def limits() -> Limits:
        from agentctl.tui.limits import limits_of_run

        with options.open_journal(store) as journal:
            return limits_of_run(journal, journal.run(run).run_id, policy)

    drive(work, Output(as_json, as_events, who), limits)
