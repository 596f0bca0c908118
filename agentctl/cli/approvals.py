"""`agentctl approvals`: what waits for a person, as a list, or in full as its prompt shows it."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render, values
from agentctl.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.tui.pending import Request

OneRun = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Of this run alone, in full", autocompletion=values.parked)
]


def approvals(run: OneRun = None, *, as_json: AsJson = False, store: StoreUrl = None) -> None:
    """List the calls that wait for a person; of one run, show each as its prompt does"""
    from agentctl.tui import pending

    with options.open_journal(store) as journal:
        row = None if run is None else journal.run(run)
        waiting = pending.everywhere(journal) if row is None else pending.of(journal, row.run_id).waiting
    if as_json:
        render.as_list([_item(each) for each in waiting])
    elif not waiting:
        render.say("nothing waits for a person")
    elif row is not None:
        width = max(20, shutil.get_terminal_size().columns - 1)
        for each in waiting:
            for line in each.page(row.cost_micro, width, time.time(), stands=row.status == "running"):
                render.out(line)
            render.out(f"  digest {each.event.digest[:16]}")
        changed = "--happened RESULT" if any(each.event.doubt for each in waiting) else "--args JSON"
        changed += " | --remember" if any(each.event.remembers for each in waiting) else ""
        render.say(
            f"\ndecide:  agentctl approve {row.run_id} [CALL] [--digest D] [{changed}]    or: agentctl deny …", "hint"
        )
    else:
        _table(waiting)


def _table(waiting: list[Request]) -> None:
    from agentctl.approvals.printable import printable

    now = time.time()
    rows = [
        (each.run_id, each.call_id, printable(each.event.tool, lines=False), each.event.tier,
         render.span(now - each.ts), render.clipped(each.arguments))
        for each in waiting
    ]  # fmt: skip
    render.table(("run", "call", "tool", "tier", "waits", "args"), rows)
    render.say("\nlook:    agentctl approvals RUN", "hint")
    render.say("decide:  agentctl approve RUN [CALL]    or: agentctl deny RUN [CALL] --why …", "hint")


def _item(each: Request) -> JsonObject:
    from agentctl.journal.codec import timestamp

    asked = each.event
    return {
        "run_id": each.run_id,
        "call_id": each.call_id,
        "tool": asked.tool,
        "tier": asked.tier,
        "digest": asked.digest,
        "requested_at": timestamp(each.ts),
        "args": asked.args,
        "rule": asked.rule,
        "parts": [{"text": text, "verdict": verdict} for text, verdict in asked.parts],
        "files": [{"path": path, "digest": digest} for path, digest in asked.files],
        "change": asked.change,
        "doubt": list(asked.doubt),
        "limit_usd": each.limit_usd or None,
        "remembers": asked.remembers or None,
        "stands_until": timestamp(each.until) if each.until else None,
        "after": asked.after or None,
        "cache_until": timestamp(asked.cache_until) if asked.cache_until else None,
        "later_usd": asked.later_micro / 1e6,
        "copied": [{"source": copied.source, "text": copied.text} for copied in asked.copied],
    }
