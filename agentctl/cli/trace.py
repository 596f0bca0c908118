"""`agentctl trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, RunId, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.messages import Json, JsonObject
    from agentctl.core.timeline import Row


def trace(
    run: RunId,
    inputs: Annotated[bool, typer.Option("--inputs", help="Show what went into each call and what came out")] = False,
    otlp: Annotated[
        str | None,
        typer.Option("--otlp", metavar="URL", help="Send it to an OpenTelemetry collector: `help telemetry`"),
    ] = None,
    service_name: Annotated[
        str | None, typer.Option("--service-name", metavar="NAME", help="With --otlp: the service; default: agentctl")
    ] = None,
    include_content: Annotated[
        bool, typer.Option("--include-content", help="With --otlp: also what was said, scrubbed")
    ] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Print what happened in a run as a tree: calls, costs, retries, approvals, limits"""
    from agentctl.approvals.printable import printable
    from agentctl.core import timeline

    with options.open_journal(store) as journal:
        recorded = journal.events(journal.run(run).run_id)
    if otlp is not None or service_name is not None or include_content:
        from agentctl.cli import otlp as sending

        sending.send(recorded, sending.To(otlp, service_name, include_content), as_json=as_json)
        return
    rows = timeline.rows(recorded)
    if as_json:
        total = sum(row.cost_micro for row in rows) / 1e6
        items: list[Json] = [_item(row, inputs=inputs) for row in rows]
        render.as_json({"items": items, "truncated": False, "cost_usd": total})
        return
    render.out(printable(timeline.header(recorded), lines=False), "bold")
    for text, row in timeline.tree(rows, inputs=inputs):
        render.out(printable(text, lines=False), row.tone if row else "quiet")


def _item(row: Row, *, inputs: bool) -> JsonObject:
    from agentctl.journal.codec import timestamp

    item: JsonObject = {
        "seq": row.seq,
        "step": row.step,
        "timestamp": timestamp(row.ts),
        "name": row.name,
        "detail": row.detail,
        "then": list(row.then),
        "below": list(row.below),
    }
    if row.cost_micro:
        item["cost_usd"] = row.cost_micro / 1e6
    return {**item, "inputs": list(row.inputs)} if inputs else item
