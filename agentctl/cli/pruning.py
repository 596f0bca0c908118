"""`agentctl runs prune`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.journal.pruning import Chosen


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="SPAN", help="Last written to so long ago: 12h, 30d, 8w")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that could go on: parked, paused, crashed")
    ] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Delete old runs with all that was recorded of them; what they spent stays in the budgets"""
    from agentctl.journal import pruning
    from agentctl.runner import upkeep

    now = time.time()
    before = now - options.span("--older-than", older_than)
    kept = upkeep.of(store)
    if kept is None:
        render.say("no runs yet")
        return
    held = kept.size()
    with options.open_journal(store) as journal:
        chosen = journal.read(lambda tx: pruning.choose(tx, before, now, everything=everything))
        gone = len(chosen.leave) if dry_run else pruning.prune(journal, chosen.leave, before)
        space = "" if dry_run else kept.give_back(journal, gone)
    left = held if dry_run else kept.size()
    if as_json:
        render.as_json(_object(chosen, gone, held, left, dry_run=dry_run))
    else:
        _print(chosen, gone, held, left, dry_run=dry_run)
        if space:
            render.say(space, "quiet")


def _print(chosen: Chosen, gone: int, held: int, left: int, *, dry_run: bool) -> None:
    if dry_run:
        for row in chosen.leave:
            render.out(f"{row.run_id}  {row.status}  ${row.cost_micro / 1e6:,.4f}")
    word = "would be deleted" if dry_run else "deleted"
    render.out(f"{gone:,} runs {word}; the store: {_mb(held)}{'' if dry_run else f', now {_mb(left)}'}")
    for why, count in sorted(chosen.stay.items()):
        render.say(f"{count:,} stay: {why}", "quiet")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _object(chosen: Chosen, gone: int, held: int, left: int, *, dry_run: bool) -> JsonObject:
    return {
        "items": [{"run_id": row.run_id, "status": row.status} for row in chosen.leave],
        "truncated": False,
        "deleted": 0 if dry_run else gone,
        "dry_run": dry_run,
        "stay": {**chosen.stay},
        "bytes_before": held,
        "bytes_after": left,
    }
