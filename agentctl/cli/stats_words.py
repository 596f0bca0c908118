"""How figures and names of `stats` are written."""

from __future__ import annotations

from agentctl.approvals.printable import printable
from agentctl.cli import render

LONGEST_NAME = 32


def named(name: str) -> str:
    """A name for a cell; `-` for none."""
    return render.clipped(printable(name, lines=False), LONGEST_NAME) or "-"


def dollars(micro: float) -> str:
    """Cents; finer where there are less than ten dollars."""
    return f"${micro / 1e6:,.2f}" if micro >= 10_000_000 else f"${micro / 1e6:,.4f}"


def count(tokens: int) -> str:
    """`8,400`, `45.0k`, `97.5M`."""
    for least, size, unit in ((10**9, 10**9, "G"), (10**6, 10**6, "M"), (10**4, 10**3, "k")):
        if tokens >= least:
            return f"{tokens / size:,.1f}{unit}"
    return f"{tokens:,}"


def took(ms: float | None) -> str:
    """`88ms`, `5.0s`, `1.5m`, `3h`."""
    if not ms:
        return "-"
    if ms < 3_600_000:
        return f"{ms:,.0f}ms" if ms < 1_000 else f"{ms / 1_000:.1f}s" if ms < 60_000 else f"{ms / 60_000:.1f}m"
    return render.span(ms / 1_000)


def percent(share: float | None) -> str:
    """`87.5%`."""
    return "-" if share is None else f"{share:.1%}"
