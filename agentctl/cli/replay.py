"""`agentctl replay`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options, render
from agentctl.cli.options import AsJson, RunId, StoreUrl
from agentctl.errors import Forbidden, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentctl.core.messages import JsonObject
    from agentctl.core.replaying import Frame
    from agentctl.journal.store import Store


def replay(
    run: RunId,
    *,
    first: Annotated[int, typer.Option("--from", metavar="SEQ", min=1, help="Begin with this event")] = 1,
    last: Annotated[int | None, typer.Option("--to", metavar="SEQ", min=1, help="End with this event")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Decide again under the recorded policy; exit 17 where that differs")
    ] = False,
    as_json: AsJson = False,
    store: StoreUrl = None,
) -> None:
    """Step through what happened in a run; nothing is sent, no tool runs, nothing is written

    On a terminal one key a step: space goes on, b back, g to a number, q ends it. Elsewhere all of it is printed.
    """
    if last is not None and last < first:
        raise Usage(f"--to {last} lies before --from {first}")
    with options.open_journal(store) as journal:
        run_id = journal.run(run).run_id
        if check:
            from agentctl.cli.rechecking import rechecked

            rechecked(journal, run_id, as_json=as_json)
            return
        heading, frames = _frames(journal, run_id)
    if not frames:
        raise Forbidden(f"nothing is recorded of {run_id}", hint=f"agentctl show {run_id}")
    upto = frames[-1].seq
    shown = [frame for frame in frames if first <= frame.seq <= (upto if last is None else last)]
    if not shown:
        raise Forbidden(f"{run_id} has no event from {first} on: its last is {upto}", hint=f"agentctl replay {run_id}")
    if as_json:
        render.as_list([_item(frame) for frame in shown])
    elif sys.stdin.isatty() and render.colours(sys.stdout):
        from agentctl.cli.stepping import step_through

        step_through(heading, shown)
    else:
        _print(heading, shown)


def _frames(journal: Store, run_id: str) -> tuple[str, tuple[Frame, ...]]:
    from agentctl.core import replaying, timeline
    from agentctl.core.replaying import Unread
    from agentctl.journal import lenient
    from agentctl.tui.limits import limits_of_run

    recorded = journal.read(lambda tx: lenient.events(tx, journal.blobs, run_id))
    readable = [each for each in recorded if not isinstance(each, Unread)]
    heading = timeline.header(readable).replace("Trace:", "Replay:")
    return heading, tuple(replaying.frames(recorded, limits_of_run(journal, run_id).policy))


def _item(frame: Frame) -> JsonObject:
    from agentctl.journal.codec import timestamp

    return {
        "seq": frame.seq,
        "step": frame.step,
        "timestamp": timestamp(frame.ts) if frame.ts else None,
        "event": frame.event,
        "title": frame.title,
        "lines": list(frame.lines),
        "gauges": {gauge.key: {"used": gauge.used, "limit": gauge.limit} for gauge in frame.gauges},
    }


def _print(heading: str, frames: Sequence[Frame]) -> None:
    from agentctl.approvals.printable import printable
    from agentctl.cli.frames import body, gauges, title

    render.out(printable(heading, lines=False), "bold")
    for frame in frames:
        render.out("")
        render.out(title(frame), frame.tone)
        for line in body(frame):
            render.out(f"    {line}")
        render.out(f"    {gauges(frame)}", "quiet")
