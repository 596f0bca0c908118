"""`agentctl circuits` and `circuits reset`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render, shared_values, values
from agentctl.cli.options import AsJson, Rehearsed, StoreUrl

if TYPE_CHECKING:
    from agentctl.cli.render import Tone
    from agentctl.core.messages import JsonObject
    from agentctl.runner.outages import Line

COLUMNS = ("name", "kind", "state", "failures", "opened_at", "retry_at")
TONES: dict[str, Tone] = {"open": "bad", "half_open": "warn", "closed": "plain"}
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", callback=options.filled, help="Its name, or part of it",
                   autocompletion=shared_values.circuits),
]  # fmt: skip


def circuits(
    ctx: typer.Context,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            callback=options.filled,
            help="Whose rules; default: those of whoever opened each",
            autocompletion=values.policies,
        ),
    ] = None,
    rehearsed: Rehearsed = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Show which providers and tools are left alone for a while, the open ones first; or reset one"""
    if options.leads_on(ctx):
        return
    from agentctl.config.load import load_policy
    from agentctl.runner import outages

    rules, now = None if policy is None else load_policy(policy).policy.circuit, time.time()
    with options.reading(store) as tx:
        lines = outages.lines(tx, rules, now, rehearsed=rehearsed)
    if as_json:
        render.as_list([_item(line) for line in lines])
        return
    if not lines:
        render.say("no circuits yet: a provider or tool has one once it was called")
        return
    render.table(COLUMNS, [_cells(line, now) for line in lines], [TONES[line.state] for line in lines])


def reset(name: Name, as_json: AsJson = False, store: StoreUrl = None) -> None:
    """Close a circuit and forget what it saw: the next call of any run goes through"""
    from agentctl.journal import circuits as table
    from agentctl.runner import outages

    with options.open_journal(store) as journal:
        full = journal.read(lambda tx: outages.named(tx, name))
        journal.write(lambda tx: table.reset(tx, full))
    if as_json:
        render.as_json({"name": full, "reset": True})
    else:
        render.out(f"reset {_shown(full)}: it is closed")


def _cells(line: Line, now: float) -> tuple[str, ...]:
    opened, retry = (render.moment(at, now) if at else "-" for at in (line.opened_at, line.retry_at))
    return (_shown(line.name), line.kind, _words(line, now), str(line.failures), opened, retry)


def _words(line: Line, now: float) -> str:
    if line.state == "half_open":
        return "half-open, probing" if line.retry_at else "half-open, the next call probes"
    return f"open, probe in {max(0.0, line.retry_at - now):.0f} s" if line.retry_at else line.state


def _shown(name: str) -> str:
    from agentctl.approvals.printable import printable

    return printable(name, lines=False)


def _item(line: Line) -> JsonObject:
    from agentctl.journal.codec import timestamp

    return {
        "name": line.name,
        "kind": line.kind,
        "state": line.state,
        "failures": line.failures,
        "opened_at": timestamp(line.opened_at) if line.opened_at else None,
        "retry_at": timestamp(line.retry_at) if line.retry_at else None,
        "rehearsed": line.rehearsed,
    }
