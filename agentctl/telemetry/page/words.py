"""Words and figures of the page."""

from __future__ import annotations

from agentctl.core.remarks import usd
from agentctl.core.tracepage import Page
from agentctl.records import dataclass

FOLDED = 1_500
"""Characters of a piece that stand open; a longer one is folded within its row."""
FOLDED_LINES = 24
FIRST = 120
"""Characters of it that are seen all the same."""
NAMES = {"run_usd": "cost", "max_steps": "steps", "tokens": "tokens", "context": "context, tokens"}


@dataclass(frozen=True, slots=True)
class Meter:
    """What is used of a limit."""

    name: str
    used: str
    limit: str
    """Empty: no policy says it."""
    share: float | None
    """Of the limit; may be above 1."""


def title(page: Page) -> str:
    """`r_a3f7b2 · order-triage · stopped: run_usd`."""
    task = page.started.task if page.started else "nothing recorded"
    return f"{page.run_id} · {task} · {outcome(page)}"


def outcome(page: Page) -> str:
    """`completed`, `stopped: run_usd`."""
    if page.ended is None:
        return "not ended"
    return f"{page.ended.status}: {page.ended.reason}" if page.ended.reason else page.ended.status


def heading(page: Page) -> dict[str, str]:
    """What stands in the badge, and its tone."""
    done = page.ended is not None and page.ended.status == "completed"
    failed = page.ended is not None and page.ended.status == "failed"
    return {"text": outcome(page), "word": "ok" if done else "failed" if failed else "warning"}


def meters(page: Page) -> list[Meter]:
    """Money, steps, tokens and context against their limits."""
    found: list[Meter] = []
    for gauge in sorted(page.gauges, key=lambda gauge: gauge.key != "run_usd"):
        money = gauge.key == "run_usd"
        used = usd(round(gauge.used * 1e6)) if money else f"{gauge.used:,.0f}"
        limit = "" if gauge.limit is None else f"${gauge.limit:,.2f}" if money else f"{gauge.limit:,.0f}"
        share = gauge.used / gauge.limit if gauge.limit else None
        found.append(Meter(NAMES.get(gauge.key, gauge.key), used, limit, share))
    return found


def span(seconds: float) -> str:
    """`0.42s`, `12.3s`, `1m 02s`, `2h 03m 04s`, `3d 4h 05m`."""
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = whole % 3_600 // 60
    if whole < 86_400:
        return f"{whole // 3_600}h {minutes:02d}m {whole % 60:02d}s"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600}h {minutes:02d}m"


def digits(number: float) -> str:
    """With commas, without a fraction."""
    return f"{number:,.0f}"


def is_long(text: str) -> bool:
    """Whether a piece is folded."""
    return len(text) > FOLDED or text.count("\n") > FOLDED_LINES


def first(text: str) -> str:
    """How a folded piece begins."""
    return text.strip().partition("\n")[0][:FIRST]
