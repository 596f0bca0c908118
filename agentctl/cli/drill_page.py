"""`drill --html`: what was seen of the drills, as the page draws it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agentctl.cli import drill_report
from agentctl.cli.drill_watch import RESULTS
from agentctl.core import events as e
from agentctl.telemetry.drillpage.values import Card, Mark, Page, Phase, Row, Word
from agentctl.telemetry.page.words import span

if TYPE_CHECKING:
    from agentctl.cli.drill_report import Report
    from agentctl.rehearsal.drills.scene import Request, Seen
    from agentctl.runner.drills.drilling import Outcome

WORDS: dict[bool | None, Word] = {True: "ok", False: "failed", None: "note"}
MOST_TOOLS = 5
TOO_MANY = 429


def made(report: Report) -> bytes:
    """The page."""
    from agentctl.approvals.printable import printable
    from agentctl.telemetry import drillpage

    compared = () if report.compared is None else report.compared.rows
    rows = (Row(each.metric, each.naive, each.resilient, each.delta, each.note) for each in compared)
    page = Page(
        f"{report.name} under {report.policy}",
        report.summary(),
        "failed" if report.failed else "ok",
        tuple(_card(each, report) for each in report.outcomes),
        tuple(rows),
        time.time(),
    )
    html = drillpage.render(page, printable)
    return html.encode()


def _card(outcome: Outcome, report: Report) -> Card:
    seen, bare = outcome.seen, report.without(outcome.drill.name)
    # From the first that is drawn: before it libraries are loaded, which says nothing of a policy.
    moments = [*(each.at for each in seen.requests), *(each.at for each in seen.uses)] if seen else []
    began = min(moments, default=0.0)
    ended = max((client.ended for client in seen.clients), default=0.0) if seen else 0.0
    marks = (*_requests(seen.requests, began), *_uses(seen, began)) if seen else ()
    lanes = tuple(dict.fromkeys(mark.lane for mark in marks))
    failed = outcome.passed is False
    return Card(
        outcome.drill.name,
        WORDS[outcome.passed],
        RESULTS[outcome.passed][1],
        RESULTS[bare.passed][1] if bare else "",
        outcome.drill.injected,
        outcome.observed,
        drill_report.fix(outcome, report) if failed else "",
        drill_report.command(outcome) if failed else "",
        outcome.cost_usd,
        outcome.duration_s,
        outcome.waited_s,
        max(0.0, ended - began),
        lanes,
        marks,
        tuple(_phases(seen, began, ended)) if seen else (),
        _spent(seen, began) if seen else (),
    )


def _requests(requests: Sequence[Request], began: float) -> Iterator[Mark]:
    for each in requests:
        well = each.status == 200 and not each.fault
        odd = each.status in {0, 200, TOO_MANY}
        said = f"{each.status or 'no answer'}{f' {each.fault}' if each.fault else ''}"
        word: Word = "ok" if well else "warning" if odd else "failed"
        yield Mark(each.at - began, each.provider or "provider", word, f"{said}, after {span(each.at - began)}")


def _uses(seen: Seen, began: float) -> Iterator[Mark]:
    """The tools that were called most."""
    shown = {tool for tool, _ in Counter(use.tool for use in seen.uses).most_common(MOST_TOOLS)}
    for use in seen.uses:
        if use.tool in shown:
            said = "answered" if use.answered else "no answer"
            at = use.at - began
            yield Mark(at, f"tool:{use.tool}", "ok" if use.answered else "warning", f"{said}, after {span(at)}")


def _phases(seen: Seen, began: float, ended: float) -> Iterator[Phase]:
    """From where a circuit opened to where it closed, as the runs were told; a probe between does not count."""
    moves = sorted(
        ((each.ts, each.event) for client in seen.clients for each in client.events if _moved(each.event)),
        key=lambda move: move[0],
    )
    opened: dict[str, float] = {}
    for ts, move in moves:
        assert isinstance(move, e.CircuitMoved)  # noqa: S101 -- chosen above
        if move.to == "open":
            opened.setdefault(move.name, ts)
        elif move.to == "closed" and move.name in opened:
            yield Phase(move.name, opened.pop(move.name) - began, ts - began)
    yield from (Phase(name, at - began, ended - began) for name, at in opened.items())


def _moved(event: e.Event) -> bool:
    return isinstance(event, e.CircuitMoved)


def _spent(seen: Seen, began: float) -> tuple[tuple[float, float], ...]:
    """What all clients had paid by each reply, as far as their events say; failed calls are in the last figure."""
    paid = sorted(
        (each.ts - began, each.event.cost_micro)
        for client in seen.clients
        for each in client.events
        if isinstance(each.event, e.ModelReplied)
    )
    found: list[tuple[float, float]] = []
    total = 0
    for at, micro in paid:
        total += micro
        found.append((at, total / 1e6))
    return tuple(found)
