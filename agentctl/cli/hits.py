"""`agentctl cache stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.flags import PolicyName
from agentctl.cli.options import AsJson, StoreUrl, filled

if TYPE_CHECKING:
    from agentctl.core.hits import Line
    from agentctl.core.messages import JsonObject

COLUMNS = (
    *("task", "provider", "model", "requests", "hit ratio", "read", "written", "uncached", "saved", "write cost"),
    "first 100",
)


def stats(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", callback=filled, help="A task's name or file; default: all")
    ] = None,
    *,
    since: Annotated[
        str | None, typer.Option(metavar="SPAN", callback=filled, help="Of runs begun within: 30m, 12h, 7d, 2w")
    ] = None,
    policy: PolicyName = None,
    rehearsed: Annotated[bool, typer.Option("--rehearsed", help="Rehearsals too, on lines of their own")] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Tell what the providers' caches did: hit ratios, what they saved and cost, when a prefix changed

    The verdict is on the first 100 requests since the prefix last changed, against min_hit_ratio of the policy.
    """
    from agentctl.runner.hits import Asked, gathered

    lines, least = gathered(Asked(task, policy, options.since(since), rehearsed), store)
    if as_json:
        render.as_list([_item(line, least) for line in lines])
    elif not lines:
        render.say(f"no model calls of {task} yet" if task else "no model calls yet")
    else:
        _tell(lines, least)


def _tell(lines: list[Line], least: float) -> None:
    from agentctl.approvals.printable import printable
    from agentctl.journal.codec import timestamp

    rows = [[printable(cell, lines=False) for cell in _cells(line, least)] for line in lines]
    tones: list[render.Tone] = [
        "bad" if (_verdict(line, least) or "").startswith("below") else "plain" for line in lines
    ]
    render.table(COLUMNS, rows, tones)
    told = {_task(line): line.change for line in lines if line.change.what}
    for task, change in told.items():
        render.out(f"{printable(task, lines=False)}: the prefix changed {timestamp(change.at)}: {change.what}")


def _verdict(line: Line, least: float) -> str | None:
    """The verdict on the runs of a task; None: those that warmed its cache have none."""
    from agentctl.runner.caching import WARMING

    return None if line.key.task.endswith(WARMING) else line.verdict(least)


def _task(line: Line) -> str:
    return f"{line.key.task} (rehearsed)" if line.key.rehearsed else line.key.task


def _cells(line: Line, least: float) -> tuple[str, ...]:
    usage, ratio = line.usage, line.hit_ratio
    figures = (usage.cache_read, usage.cache_write + usage.cache_write_1h, usage.input)
    return (
        _task(line),
        line.key.provider,
        line.key.model,
        f"{line.requests:,}",
        "-" if ratio is None else f"{ratio:.1%}",
        *(f"{figure:,}" for figure in figures),
        *("-" if micro is None else f"${micro / 1e6:,.4f}" for micro in (line.saved, line.paid)),
        _verdict(line, least) or "-",
    )


def _item(line: Line, least: float) -> JsonObject:
    from agentctl.journal.codec import timestamp

    usage, ratio = line.usage, line.hit_ratio
    return {
        "task": line.key.task,
        "rehearsed": line.key.rehearsed,
        "provider": line.key.provider,
        "model": line.key.model,
        "requests": line.requests,
        "hit_ratio": None if ratio is None else round(ratio, 4),
        "read_tokens": usage.cache_read,
        "write_tokens": usage.cache_write + usage.cache_write_1h,
        "uncached_tokens": usage.input,
        "saved_usd": None if line.saved is None else round(line.saved / 1e6, 6),
        "write_usd": None if line.paid is None else round(line.paid / 1e6, 6),
        "verdict": _verdict(line, least),
        "prefix_changed_at": timestamp(line.change.at) if line.change.what else None,
        "prefix_change": line.change.what or None,
    }
