"""`agentctl trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, RunId, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.core.timeline import Row


def trace(
    run: RunId,
    inputs: Annotated[bool, typer.Option("--inputs", help="Show what went into each call and what came out")] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Print what happened in a run as a tree: calls, costs, retries, approvals, limits"""
    from agentctl.approvals.printable import printable
    from agentctl.core import timeline

    with options.open_journal(store) as journal:
        recorded = journal.events(journal.run(run).run_id)
    rows = timeline.rows(recorded)
    if as_json:
        render.as_list([_item(row, inputs=inputs) for row in rows])
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
    return {**item, "inputs": list(row.inputs)} if inputs else item
