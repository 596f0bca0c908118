"""`agentctl alerts` and `alerts list`: what was found, open and closed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, Rehearsed, StoreUrl, filled

if TYPE_CHECKING:
    from agentctl.cli.render import Tone
    from agentctl.core.incidents import Incident
    from agentctl.core.messages import JsonObject

COLUMNS = ("rule", "subject", "value", "limit", "opened", "last seen", "closed", "told")
Since = Annotated[
    str | None, typer.Option(metavar="SPAN", callback=filled, help="Opened within: 30m, 12h, 7d, 2w; default: 90d")
]
Limit = Annotated[int, typer.Option(min=1, help="At most so many, the open ones first")]
Open = Annotated[bool, typer.Option("--open", help="Only those that are open")]


def alerts(
    ctx: typer.Context,
    *,
    only_open: Open = False,
    since: Since = None,
    rehearsed: Rehearsed = False,
    limit: Limit = 50,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """List what was found, open and closed; check the rules, or test where alerts go"""
    if not options.leads_on(ctx):
        listed(only_open=only_open, since=since, rehearsed=rehearsed, limit=limit, as_json=as_json, store=store)


def listed(
    *,
    only_open: Open = False,
    since: Since = None,
    rehearsed: Rehearsed = False,
    limit: Limit = 50,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """List the incidents: when each was opened, seen last and closed, and whether somebody was told"""
    from agentctl.journal import incidents

    kind, began = None if rehearsed else False, options.since(since)
    with options.open_journal(store) as journal:
        found = journal.read(
            lambda tx: incidents.listing(tx, only_open=only_open, rehearsed=kind, since=began, limit=limit + 1)
        )
    shown, more = found[:limit], len(found) > limit
    if as_json:
        render.as_list([item(each) for each in shown], truncated=more)
        return
    if not shown:
        render.say("no alert is open" if only_open else "no alerts yet; `agentctl alerts check` looks for some")
        return
    now = time.time()
    tones: list[Tone] = ["quiet" if each.closed else "bad" for each in shown]
    render.table(COLUMNS, [_cells(each, now) for each in shown], tones)
    if more:
        render.say(f"more than {limit}: --limit shows more", "quiet")


def measured(each: Incident) -> tuple[str, str, str, str]:
    """The first cells of a row: rule, subject, value, limit."""
    from agentctl.approvals.printable import printable
    from agentctl.core.alert_words import amount, whence

    subject = render.clipped(printable(each.subject, lines=False), 60)
    base = whence(each)
    limit = amount(each.rule, each.limit) + (f" ({base})" if base else "")
    kind = " (rehearsal)" if each.rehearsed else ""
    return each.rule, f"{subject}{kind}", amount(each.rule, each.value), limit


def _cells(each: Incident, now: float) -> tuple[str, ...]:
    closed = render.moment(each.closed, now) if each.closed else "open"
    told = render.moment(each.told, now) if each.told else "nobody"
    return (*measured(each), render.moment(each.opened, now), render.moment(each.seen, now), closed, told)


def item(each: Incident) -> JsonObject:
    """An incident as JSON; `baseline`: what its limit was worked out of."""
    from agentctl.journal.codec import timestamp

    base = each.baseline
    return {
        "rule": each.rule,
        "subject": each.subject,
        "value": each.value,
        "limit": each.limit,
        "baseline": base and {"value": base.value, "count": base.count, "factor": base.factor, "days": 7},
        "run_id": each.run_id or None,
        "rehearsed": each.rehearsed,
        "opened": timestamp(each.opened),
        "last_seen": timestamp(each.seen),
        "closed": timestamp(each.closed) if each.closed else None,
        "told": timestamp(each.told) if each.told else None,
    }
