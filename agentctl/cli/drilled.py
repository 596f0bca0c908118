"""What drills came to, in words: the table, the fixes, the JSON. It reads well in 80 columns."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

from agentctl.cli.drill_report import Report, command, fix
from agentctl.cli.drill_watch import RESULTS
from agentctl.cli.render import Tone, clipped, dollars, span

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.runner.drills.drilling import Outcome

Line: TypeAlias = tuple[str, Tone]
TONES: dict[bool | None, Tone] = {True: "good", False: "bad", None: "quiet"}
NARROWEST, WIDEST = 60, 110
LONGEST = 24
"""Characters of a name in the table."""


def width() -> int:
    """Columns to write in."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def as_json(report: Report) -> JsonObject:
    """The contract's list, and what holds for all of it."""
    body: JsonObject = {"items": [_item(each, report) for each in report.outcomes], "truncated": False}
    body |= {"task": report.name, "policy": report.under.name, "seed": report.seed}
    body |= {"held": report.held, "failed": report.failed, "skipped": report.skipped}
    body |= {"waited_s": round(sum(each.waited_s for each in report.outcomes), 3), "folder": str(report.folder)}
    if report.compared is not None:
        body["comparison"] = report.compared.as_json()
    return body


def _item(outcome: Outcome, report: Report) -> JsonObject:
    item: JsonObject = {
        "name": outcome.drill.name,
        "passed": outcome.passed,
        "injected": outcome.drill.injected,
        "observed": outcome.observed,
        "cost_usd": round(outcome.cost_usd, 6),
        "duration_s": round(outcome.duration_s, 3),
        "fix": outcome.fix or None,
        "waited_s": round(outcome.waited_s, 3),
        "runs": [client.run_id for client in outcome.seen.clients if client.run_id] if outcome.seen else [],
        "store": outcome.store or None,
    }
    if (bare := report.without(outcome.drill.name)) is not None:
        item |= {
            "naive_passed": bare.passed,
            "naive_observed": bare.observed,
            "naive_cost_usd": round(bare.cost_usd, 6),
        }
    return item


def lines(report: Report, columns: int) -> Iterator[Line]:
    """Everything that is printed."""
    wide = min(LONGEST, max((len(each.drill.name) for each in report.outcomes), default=5))
    naive = f"{'WITHOUT':<10}" if report.bare else ""
    yield f"  {'DRILL':<{wide}}  {'RESULT':<15}{naive}{'COST':>10}{'TIME':>8}{'PLAYED':>8}", "bold"
    for each in report.outcomes:
        yield _head(each, report, wide), TONES[each.passed]
        if each.passed is not None:
            yield from _wrapped(each.drill.injected, "  ", "  ", columns, "quiet")
        yield from _wrapped(each.observed, "  → ", "    ", columns)
    yield from _fixes(report, columns)
    yield from _comparison(report, columns)
    yield "", "plain"
    yield f"drill: {report.summary()}", "bad" if report.failed else "good"


def _head(outcome: Outcome, report: Report, wide: int) -> str:
    sign, result = RESULTS[outcome.passed]
    bare = report.without(outcome.drill.name)
    naive = f"{RESULTS[bare.passed][1] if bare and bare.passed is not None else '':<10}" if report.bare else ""
    head = f"{sign} {clipped(outcome.drill.name, wide):<{wide}}  {result:<15}{naive}"
    if outcome.passed is None:
        return head.rstrip()
    time, played = f"{outcome.duration_s:.1f}s", span(outcome.waited_s)
    return f"{head}{dollars(outcome.cost_usd):>10}{time:>8}{played:>8}"


def _fixes(report: Report, columns: int) -> Iterator[Line]:
    for each in report.outcomes:
        if each.passed is False:
            yield "", "plain"
            yield f"FAILED {each.drill.name}", "bad"
            # Where it broke rather than failed nothing is known of the policy.
            said = fix(each, report) or ("no key of the policy was seen to hold" if each.seen else "")
            yield from _wrapped(said, "  fix: ", "       ", columns) if said else ()
            if run := command(each):
                yield f"  run: {run}", "hint"


def _comparison(report: Report, columns: int) -> Iterator[Line]:
    """A cell that has no room goes on below itself."""
    if report.compared is None:
        return
    rows = [("METRIC", "NAIVE", "RESILIENT", "DELTA"), *(row.cells for row in report.compared.rows)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    widths = (first, *(min(other, (columns - first - 6) // 3) for other in others))
    notes = ("", *(row.note for row in report.compared.rows))
    yield "", "plain"
    for number, (row, note) in enumerate(zip(rows, notes, strict=True)):
        cells = [textwrap.wrap(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            line = "  ".join(part.ljust(wide) for part, wide in zip(parts, widths, strict=True))
            yield line.rstrip(), "plain" if number else "bold"
        yield from _wrapped(note, "  ", "  ", columns, "quiet")


def _wrapped(text: str, first: str, then: str, columns: int, tone: Tone = "plain") -> Iterator[Line]:
    from agentctl.approvals.printable import printable

    shown = printable(text, lines=False)
    found = textwrap.wrap(shown, columns, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)
    for line in found:
        yield line, tone
