"""`agentctl runs`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, StoreUrl
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.cli.render import Tone
    from agentctl.core.messages import JsonObject
    from agentctl.journal.runs import RunRow
    from agentctl.journal.tx import Tx

UNSURE = frozenset({"queued", "running", "crashed"})
MOST_DRIVEN = 100_000
COLUMNS = ("id", "task", "status", "reason", "cost", "steps", "age")
TONES: dict[str, Tone] = {
    "completed": "good", "failed": "bad", "crashed": "bad", "stopped": "warn", "parked": "warn", "paused": "warn",
}  # fmt: skip


def runs(
    ctx: typer.Context,
    *,
    status: Annotated[
        str | None,
        typer.Option(callback=options.filled, help="Only those: running, crashed, parked, paused …"),
    ] = None,
    user: Annotated[str | None, typer.Option(callback=options.filled, help="Only those of this user")] = None,
    task: Annotated[str | None, typer.Option(callback=options.filled, help="Only those of this task")] = None,
    session: Annotated[
        str | None, typer.Option(callback=options.filled, help="Only those of this conversation")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="SPAN", help="Only those begun within: 30m, 12h, 3d, 2w")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many")] = 50,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """List the runs of the store, newest first; or delete old ones"""
    if options.leads_on(ctx):
        return
    from agentctl.config import paths
    from agentctl.journal import doors, lease

    begun, now = options.since(since), time.time()
    _known(status)
    with options.reading(store) as tx:
        size = 0 if as_json else doors.size(paths.store_url(store), tx)
        names = status or "", user or "", task or "", session or ""
        # Which of those that say that they run have crashed, no query knows: all of them are looked at.
        rows = _listed(tx, names, begun, MOST_DRIVEN if status in UNSURE else limit + 1)
    told = [(row, "crashed" if lease.crashed(row, now) else row.status) for row in rows]
    kept = [(row, word) for row, word in told if not status or word == status]
    if as_json:
        render.as_list([_item(row, word) for row, word in kept[:limit]], truncated=len(kept) > limit)
        return
    if not kept:
        render.say("no runs yet" if not (status or user or task or session or since) else "no such runs")
        return
    render.table(COLUMNS, [_cells(row, word, now) for row, word in kept[:limit]], [_tone(word) for _, word in kept])
    if len(kept) > limit:
        render.say(f"more than {limit}: --limit shows more", "quiet")
    render.say(f"the store: {size / 1e6:,.1f} MB", "quiet")


def _known(status: str | None) -> None:
    """A status that no run can have finds none, which reads like good news."""
    from agentctl.journal.runs import STATUSES

    if status is not None and status not in STATUSES:
        raise Usage(f"--status: expected one of {', '.join(STATUSES)}, got {status!r}")


def _listed(tx: Tx, names: tuple[str, str, str, str], since: float, limit: int) -> list[RunRow]:
    from agentctl.journal import runs as table

    status, user, task, session = names
    return table.listing(tx, status=status, user=user, task=task, session=session, since=since, limit=limit)


def _tone(status: str) -> Tone:
    return TONES.get(status, "plain")


def _cells(row: RunRow, status: str, now: float) -> tuple[str, ...]:
    from agentctl.approvals.printable import printable

    task = printable(row.task, lines=False) + (" (rehearsed)" if row.rehearsed else "")
    cost = f"${row.cost_micro / 1e6:,.4f}"
    return (row.run_id, task, status, row.reason or "-", cost, str(row.steps), render.span(now - row.created))


def _item(row: RunRow, status: str) -> JsonObject:
    from agentctl.journal.codec import timestamp

    return {
        "run_id": row.run_id,
        "task": row.task,
        "status": status,
        "reason": row.reason,
        "cost_usd": row.cost_micro / 1e6,
        "steps": row.steps,
        "started_at": timestamp(row.created),
        "user": row.user_id,
        "tenant": row.tenant_id,
        "session_id": row.session_id,
        "rehearsed": row.rehearsed,
    }
