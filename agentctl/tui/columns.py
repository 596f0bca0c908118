"""The overview's lines: which columns fit, what stands in them, and in which order runs are listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from agentctl.core.remarks import Tone
from agentctl.tui.drawing import Span, bar, fitted, safe, span
from agentctl.tui.seen import ATTENTION, NEEDS_YOU, TONES, Line, Outage

WIDE: Final = 110
"""Cells from which on there is room for what a run does, and for whom."""
RUN_ID: Final = 8
BAR: Final = 4
NO_FIGURE: Final = "-"

Sort: Final = ("attention", "age", "cost", "context", "task")
FILTERS: Final[dict[str, Callable[[Line], bool]]] = {
    "all": lambda line: True,  # noqa: ARG005  # everything
    "live": lambda line: line.live,
    "needs you": lambda line: line.word in {NEEDS_YOU, "crashed"},
    "failed": lambda line: line.word in {"failed", "crashed", "stopped"},
    "ended": lambda line: line.word in {"completed", "cancelled", "failed", "stopped"},
}


def ordered(lines: Sequence[Line], by: str) -> list[Line]:
    """Those that somebody should look at first; or by one figure, the largest first."""
    newest = sorted(lines, key=lambda line: (-line.row.created, line.run_id))
    match by:
        case "cost":
            return sorted(newest, key=lambda line: -line.row.cost_micro)
        case "context":
            return sorted(newest, key=lambda line: -(share(line) or 0.0))
        case "task":
            return sorted(newest, key=lambda line: line.row.task)
        case "attention":
            return sorted(newest, key=_urgency)
        case _:
            return newest


def _urgency(line: Line) -> int:
    return ATTENTION.index(line.word) if line.word in ATTENTION[:5] else len(ATTENTION)


def matching(lines: Sequence[Line], kind: str, text: str) -> list[Line]:
    """Those of a kind that have every word of the text in id, task, user, status or provider."""
    words = text.casefold().split()
    return [line for line in lines if FILTERS[kind](line) and all(word in _words(line) for word in words)]


def _words(line: Line) -> str:
    row = line.row
    parts = (row.run_id, row.task, row.user_id, row.tenant_id, row.session_id, line.word, row.reason)
    return " ".join((*parts, line.glance.provider)).casefold()


def share(line: Line) -> float | None:
    """How full the context is."""
    if not line.max_context or not line.glance.context:
        return None
    return min(1.0, line.glance.context / line.max_context)


def head(width: int) -> str:
    """What the columns are called."""
    names = ("status", "run", "task", "step", "cost", "context", "provider", "age", "doing", "user")
    return " ".join(fitted(name, size) for name, size in zip(names, _sizes(width), strict=False) if size)


def cells(line: Line, now: float, width: int) -> list[Span]:
    """One run on one line."""
    sizes = _sizes(width)
    parts: tuple[Span, ...] = (
        (line.word, line.tone),
        (line.run_id[:RUN_ID], "strong" if line.live else "plain"),
        (safe(line.row.task) + (" (rehearsed)" if line.row.rehearsed else ""), "plain"),
        (f"{line.row.steps}/{line.max_steps}" if line.max_steps else str(line.row.steps), "plain"),
        _cost(line),
        _context(line),
        _provider(line, now),
        (span(now - line.row.created), "quiet"),
        (_doing(line, now), "quiet"),
        (safe(line.row.user_id), "quiet"),
    )
    found: list[Span] = []
    for (text, look), size in zip(parts, sizes, strict=True):
        if size:
            found.extend(((fitted(text, size), look), (" ", "plain")))
    return found


def _sizes(width: int) -> tuple[int, ...]:
    """Cells of each column; 0: it has no room. Task and what is done share what is left."""
    wide = width >= WIDE
    fixed = (9, RUN_ID, 0, 5, 12, 9, 13, 4)
    left = width - sum(fixed) - len(fixed)
    if not wide:
        return (*fixed[:2], max(6, left), *fixed[3:], 0, 0)
    user = 10
    task = max(12, (left - user - 2) // 3)
    return (*fixed[:2], task, *fixed[3:], max(0, left - task - user - 2), user)


def _cost(line: Line) -> Span:
    used = line.row.cost_micro / 1e6
    if line.cap_usd is None:
        return f"${used:,.4f}", "plain"
    tone: Tone = "bad" if used >= line.cap_usd else "warn" if used >= 0.75 * line.cap_usd else "plain"
    return f"${used:,.3f}/{line.cap_usd:,.2f}", tone


def _context(line: Line) -> Span:
    full = share(line)
    if full is None:
        return (f"{line.glance.context:,}" if line.glance.context else NO_FIGURE), "quiet"
    return f"{bar(full, BAR)} {full:4.0%}", "bad" if full >= 1 else "warn" if full >= 0.9 else "plain"


def _provider(line: Line, now: float) -> Span:
    glance = line.glance
    provider = safe(glance.provider) or NO_FIGURE
    if not line.live:
        return provider, "quiet"
    if glance.provider in glance.open or glance.open:
        name = glance.provider if glance.provider in glance.open else next(iter(glance.open))
        left = glance.open[name] - now
        return f"✗ {f'{left:.0f}s' if left > 0 else 'probe'} {safe(name.removeprefix('tool:'))}", "bad"
    if glance.failing:
        return f"! {safe(glance.failing)}", "warn"
    return provider, "plain"


def _doing(line: Line, now: float) -> str:
    if not line.live:
        return safe(line.row.reason)
    glance = line.glance
    if not glance.doing:
        return ""
    time = f"{glance.until - now:.0f}s left" if glance.until > now else span(now - glance.since)
    return f"{safe(glance.doing)} {time}"


def counts(lines: Sequence[Line]) -> list[Span]:
    """`3 running · 1 needs you · 2 crashed`, what needs somebody first."""
    numbers: dict[str, int] = {}
    for line in lines:
        numbers[line.word] = numbers.get(line.word, 0) + 1
    order = (*ATTENTION, "completed", "cancelled")
    found: list[Span] = []
    for word in order:
        if word in numbers:
            found.append((f"{numbers[word]} {word}", TONES[word]))
            found.append((" · ", "quiet"))
    return found[:-1]


def health(outages: Sequence[Outage], now: float) -> list[Span]:
    """`circuits: OPEN 42s anthropic claude-sonnet-4-6 · 2 closed`: what a narrow screen cuts off is the name."""
    if not outages:
        return [("circuits: none is open", "quiet")]
    down = sum(each.state != "closed" for each in outages)
    found: list[Span] = [(f"circuits, {down} not closed: " if down > 1 else "circuits: ", "quiet")]
    for each in outages:
        if each.state != "closed":
            left = "" if each.retry_at is None or each.retry_at <= now else f" {each.retry_at - now:.0f}s"
            word = "OPEN" if each.state == "open" else "HALF-OPEN"
            found.append((f"{word}{left} {safe(each.name)}", "bad" if each.state == "open" else "warn"))
            found.append((" · ", "quiet"))
    closed = sum(each.state == "closed" for each in outages)
    return [*found, (f"{closed} closed", "good" if len(found) == 1 else "quiet")]
