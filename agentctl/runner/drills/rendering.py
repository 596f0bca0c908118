"""Everything that is made of a run's events for people and programs: what may not stand there is looked for in it."""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.approvals.printable import printable
from agentctl.core import timeline, tracepage
from agentctl.core.events import Stamped
from agentctl.journal import codec
from agentctl.telemetry.page import render


def renderings(runs: Sequence[Sequence[Stamped]]) -> dict[str, list[str]]:
    """Of each run, by what it is called: the journal, `events`, `trace --inputs`, `trace --html`."""
    runs = [events for events in runs if events]
    return {
        "the journal": ["\n".join(map(repr, events)) for events in runs],
        "the event lines": ["\n".join(codec.json_text(codec.public(each)) for each in events) for events in runs],
        "the trace": [_trace(events) for events in runs],
        "the trace's page": [render(tracepage.page(events), printable) for events in runs],
    }


def _trace(events: Sequence[Stamped]) -> str:
    rows = timeline.tree(timeline.rows(events), inputs=True)
    return "\n".join((timeline.header(events), *(text for text, _ in rows)))
