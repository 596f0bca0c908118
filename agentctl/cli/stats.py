"""`agentctl stats`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render, values
from agentctl.cli.options import AsJson, StoreUrl, filled
from agentctl.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentctl.core.stats import Stats
    from agentctl.journal.histories import Which

LONG_S, EVERY_S = 0.5, 0.2
"""From when on, and how often, one line says how far the reading is."""
ERASE = "\r\x1b[K"
BY = ("run", "user", "tenant", "provider", "tool", "day", "task", "session")


def _named(incomplete: str) -> list[str]:
    return [name for name in BY if name.startswith(incomplete)]


By = Annotated[
    str | None,
    typer.Option(metavar="WHAT", callback=filled, help=f"One table: {', '.join(BY)}", autocompletion=_named),
]


def stats(
    *,
    since: Annotated[
        str, typer.Option(metavar="SPAN", callback=filled, help="Of runs begun within: 30m, 12h, 7d, 2w")
    ] = "7d",
    user: Annotated[str | None, typer.Option(callback=filled, help="Only those of this user")] = None,
    tenant: Annotated[str | None, typer.Option(callback=filled, help="Only those of this tenant")] = None,
    task: Annotated[
        str | None, typer.Option(callback=filled, help="Only those of this task, and what one takes")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="P", callback=filled, help="Only those begun under this policy", autocompletion=values.policies
        ),
    ] = None,
    by: By = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Lines of a table; default: 20, 5 on the page; --json and --csv give all")
    ] = None,
    rehearsed: options.Rehearsed = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the dollars of each day")] = True,
    csv: Annotated[
        str | None, typer.Option(metavar="FILE", callback=filled, help="Write the table as CSV; - is stdout")
    ] = None,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Tell what runs came to: tools, time, tokens, dollars, approvals, and what went wrong

    All of it on one page, or one table with --by. Days are UTC. What a reply cost is shared by the tools it asked for.
    """
    if by is not None and by not in BY:
        raise Usage(f"--by: expected one of {', '.join(BY)}, got {by!r}")
    if csv is not None and as_json:
        raise Usage("--json and --csv exclude each other")
    from agentctl.journal.histories import Which

    which = Which(options.since(since), user or "", tenant or "", task or "", policy or "", rehearsed)
    found = _gathered(which, store)
    if csv is not None:
        from agentctl.cli import stats_csv

        stats_csv.write(found, by or "run", csv)
    elif as_json:
        _print_json(found, which, by, store)
    elif not found.runs:
        _nothing(which, since)
    else:
        _print(found, which, by, store, limit=limit, since=since, plots=plots)


def _gathered(which: Which, store: str | None) -> Stats:
    from agentctl.runner import statistics

    try:
        return statistics.gathered(which, store, _far())
    finally:
        if render.colours(sys.stderr):
            sys.stderr.write(ERASE)
            sys.stderr.flush()


def _far() -> Callable[[int, int], None]:
    """Say how far the reading is, where it takes long and somebody looks."""
    shown, drawn = render.colours(sys.stderr), time.monotonic() + LONG_S - EVERY_S

    def far(number: int, total: int) -> None:
        nonlocal drawn
        if shown and time.monotonic() - drawn >= EVERY_S:
            drawn = time.monotonic()
            sys.stderr.write(f"{ERASE}reading run {number:,} of {total:,}")
            sys.stderr.flush()

    return far


def _print_json(found: Stats, which: Which, by: str | None, store: str | None) -> None:
    from agentctl.cli import stats_items
    from agentctl.runner import statistics

    if by is not None:
        items = stats_items.items(found, by)
        more = any(item[by] == stats_items.OTHERS for item in items)
        render.as_json({"items": [*items], "truncated": more, "total": stats_items.total(found)})
    else:
        render.as_json(stats_items.whole(found, which, statistics.expected(which, store)))


def _print(
    found: Stats, which: Which, by: str | None, store: str | None, *, limit: int | None, since: str, plots: bool
) -> None:
    from agentctl.cli import stats_page, stats_tables
    from agentctl.runner import statistics

    if by is not None:
        stats_tables.table(found, by, limit or 20)
    else:
        stats_page.page(found, which, statistics.expected(which, store), limit=limit or 5, since=since, drawn=plots)
    if found.unreadable:
        render.say(f"left out: {found.unreadable:,} events that can't be read (agentctl store check)", "warn")


def _nothing(which: Which, since: str) -> None:
    """Say that there is nothing to tell, and what to do."""
    if which.user or which.tenant or which.task or which.policy:
        render.say(f"no such runs in the last {since}")
        render.hint("agentctl stats --since 30d looks further back, agentctl runs lists what there is.")
        return
    render.say(f"no runs in the last {since}{'' if which.rehearsed else '; rehearsals count with --rehearsed'}")
    render.hint("agentctl stats --since 30d looks further back. A first run: agentctl help start")
