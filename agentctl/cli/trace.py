"""`agentctl trace`."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import branches, options, render
from agentctl.cli.options import AsJson, RunId, StoreUrl
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.core.messages import Json, JsonObject
    from agentctl.core.timeline import Row


def trace(
    run: RunId,
    inputs: Annotated[bool, typer.Option("--inputs", help="Show what went into each call and what came out")] = False,
    html: Annotated[
        str | None,
        typer.Option(
            "--html", metavar="FILE", callback=options.filled, help="Write it as one page for a browser; - is stdout"
        ),
    ] = None,
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

    if html is not None:
        _page(run, html, store, as_json=as_json)
        return
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
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for text, row in timeline.tree(rows, inputs=inputs):
        shown = printable(text, lines=False)
        for line in branches.fitted(shown, width) if 0 < width < len(shown) * 2 else [shown]:
            render.out(line, row.tone if row else "quiet")


def _page(run: str, name: str, store: str | None, *, as_json: bool) -> None:
    from agentctl.cli import pages
    from agentctl.tui.limits import limits_of_run

    if as_json and name == pages.STDOUT:
        raise Usage("--html -: the page goes to stdout, where --json prints", hint="Name a file, or leave out --json.")
    with options.open_journal(store) as journal:
        run_id = journal.run(run).run_id
        page = pages.made(journal.events(run_id), limits_of_run(journal, run_id).policy)
    target = pages.write(page, name)
    if target is None:
        return
    if as_json:
        render.as_json({"file": str(target), "url": target.as_uri(), "bytes": len(page)})
        return
    render.out(str(target))
    render.hint(f"open it in any browser, without a network: {target.as_uri()}")


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
