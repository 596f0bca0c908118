"""`agentctl export` and `agentctl verify`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, RunId, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.journal.verifying import Verdict

GATE = 17
link = re.compile(r"[0-9a-fA-F]{64}")


def export(
    run: RunId,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; default: RUN.zip here")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there")] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Write a run into one file to give away: events, trace, answer, policy, prices, checksums; all scrubbed"""
    from agentctl.runner import exporting

    with options.open_journal(store) as journal:
        target, manifest = exporting.export(journal, run, out, over=force)
    if as_json:
        render.as_json({"file": str(target), **manifest})
        return
    files = cast("JsonObject", manifest["files"])
    render.out(f"{target}: {manifest['run_id']}, {manifest['events']:,} events; {', '.join(files)}")
    render.out(f"chain {manifest['chain']}")
    if "policy.toml" not in files:
        render.say("without the policy: its files do not say any more what the run was under", "quiet")
    render.hint(f"agentctl verify {target} --chain {manifest['chain']}")


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `agentctl export` wrote")],
    chain: Annotated[
        str, typer.Option("--chain", metavar="HEX", help="The last link, as `export` printed it and you kept it")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say whether an exported file is what was exported, or name what was altered; exit 17 where it was"""
    from agentctl.errors import Usage
    from agentctl.journal import verifying

    if chain and not link.fullmatch(chain):
        raise Usage("--chain: expected 64 hex digits")
    found = verifying.verify(file, chain)
    if as_json:
        items: list[JsonObject] = [{"message": said} for said in found.problems]
        render.as_json(
            {
                "items": [*items],
                "truncated": len(items) >= verifying.MOST_SAID,
                "whole": not found.problems,
                "run_id": found.run_id,
                "events": found.events,
                "chain": found.chain,
            }
        )
    else:
        _print(found)
    if found.problems:
        raise typer.Exit(GATE)


def _print(found: Verdict) -> None:
    from agentctl.approvals.printable import printable

    for said in found.problems:
        render.out(printable(said, lines=False), "bad")
    if not found.problems:
        name = printable(found.run_id, lines=False)
        render.out(f"whole: {name}, {found.events:,} events, chain {found.chain}", "good")
