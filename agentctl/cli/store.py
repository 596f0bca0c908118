"""`agentctl store check`, `store migrate` and `store backup`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.journal.checking import Finding, Report
    from agentctl.journal.mending import Mended

GATE = 17


def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what was found, after a copy: a run loses its damaged end")
    ] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Say whether the store is whole: file, events, links, large texts, derived tables; exit 17 where it is not"""
    from agentctl.runner import upkeep

    kept, report = upkeep.look(store)
    mended, left = None, report
    if report.findings and repair:
        mended = kept.repair(report.findings, time.time())
        left = kept.check()
    if as_json:
        render.as_json(_object(report, left, mended))
    else:
        _print(report, left, mended, repair=repair)
    if left.findings:
        raise typer.Exit(GATE)


def _print(report: Report, left: Report, mended: Mended | None, *, repair: bool) -> None:
    from agentctl.approvals.printable import printable

    for finding in report.findings:
        render.out(printable(_line(finding), lines=False), "bad")
    if mended is not None:
        render.out(f"copy of the store as it was: {mended.copy}")
        for lost in mended.lost:
            events = f"{lost.run_id}: events {lost.first} to {lost.last} are lost: " if lost.run_id else "lost: "
            render.out(printable(events + lost.said, lines=False), "warn")
        for rebuilt in mended.rebuilt:
            render.out(f"made anew: {rebuilt}")
        for finding in left.findings:
            render.out(f"still wrong: {printable(_line(finding), lines=False)}", "bad")
    if not left.findings:
        render.out(f"whole: {left.runs:,} runs, {left.events:,} events", "good")
    elif not repair:
        render.hint("agentctl store check --repair keeps a copy, then mends what it can")
    if left.unlinked:
        said = f"{left.unlinked:,} runs of an earlier version have no links yet"
        render.say(f"{said}: agentctl store migrate makes them", "quiet")
    if left.note:
        render.say(left.note, "quiet")


def _line(finding: Finding) -> str:
    place = f"{finding.run_id}: " if finding.run_id else ""
    return f"{place}{finding.said}"


def _object(report: Report, left: Report, mended: Mended | None) -> JsonObject:
    items: list[JsonObject] = [_item(each) for each in report.findings]
    repaired: JsonObject | None = None
    if mended is not None:
        lost: list[JsonObject] = [
            {"run_id": each.run_id, "first": each.first, "last": each.last, "message": each.said}
            for each in mended.lost
        ]
        still: list[JsonObject] = [_item(each) for each in left.findings]
        repaired = {"copy": str(mended.copy), "lost": [*lost], "rebuilt": [*mended.rebuilt], "still": [*still]}
    return {
        "items": [*items],
        "truncated": False,
        "whole": not left.findings,
        "runs": left.runs,
        "events": left.events,
        "unlinked": left.unlinked,
        "repaired": repaired,
    }


def _item(each: Finding) -> JsonObject:
    return {"kind": each.kind, "run_id": each.run_id, "seq": each.seq, "message": each.said, "mend": each.mend}


def migrate(as_json: AsJson = False, store: StoreUrl = None) -> None:
    """Bring the store up to this version; opening it does so too, but for the links of older runs' events"""
    from agentctl.journal import chain, schema

    with options.open_journal(store) as journal:
        behind = journal.read(chain.unlinked)
        for run_id in behind:
            journal.write(partial(chain.complete, folder=journal.blobs, run_id=run_id))
    if as_json:
        render.as_json({"version": schema.VERSION, "linked": len(behind)})
        return
    said = f", the events of {len(behind):,} runs were linked" if behind else ""
    render.out(f"store version {schema.VERSION}{said}")


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to; a file's large texts go into `blobs` beside it")
    ],
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Copy the store, also while runs go on"""
    from agentctl.errors import StoreMissing
    from agentctl.runner import upkeep

    kept = upkeep.of(store)
    if kept is None:
        raise StoreMissing("there is no store to copy: no run has made one yet")
    target = file.expanduser().absolute()
    copied = kept.backup(target)
    if as_json:
        body: JsonObject = {"file": str(target), "runs": copied.runs, "events": copied.events, "bytes": copied.size}
        render.as_json(body)
        return
    render.out(f"{target}: {copied.runs:,} runs, {copied.events:,} events, {copied.size / 1e6:,.1f} MB")
    render.say("the key that opens sealed originals is not in it (agentctl help upkeep)", "quiet")
