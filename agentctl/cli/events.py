"""`agentctl events`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import options
from agentctl.cli.options import RunId, StoreUrl

if TYPE_CHECKING:
    from agentctl.core.events import Stamped
    from agentctl.journal.store import Store


def events(
    run: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends or is parked")] = False,
    after: Annotated[int, typer.Option(min=0, help="Only those with a seq above this")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, as always")] = False,  # noqa: ARG001 -- every command has it
    store: StoreUrl = None,
) -> None:
    """Print the events of a run as JSON lines, for programs"""
    with options.open_journal(store) as journal:
        run_id = journal.run(run).run_id
        for stamped in journal.events(run_id, after):
            line(stamped)
            after = stamped.seq
        if follow:
            import asyncio

            asyncio.run(_follow(journal, run_id, after))


async def _follow(journal: Store, run_id: str, after: int) -> None:
    from agentctl.core.events import Completed

    # The last event is `complete` and known already: nothing will follow.
    tail = journal.events(run_id, journal.run(run_id).next_seq - 2, 1)
    if tail and tail[0].seq <= after and isinstance(tail[0].event, Completed):
        return
    async for stamped in journal.follow(run_id, after):
        line(stamped)
        if isinstance(stamped.event, Completed):
            return


def line(stamped: Stamped) -> None:
    """One event, at once."""
    import sys

    from agentctl.journal import codec

    sys.stdout.write(codec.json_text(codec.public(stamped)) + "\n")
    sys.stdout.flush()
