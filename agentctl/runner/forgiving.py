"""`budget reset`: which windows are meant, and forgiving what was spent in them."""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.core.policy import Policy
from agentctl.errors import Forbidden, Usage
from agentctl.journal import resets
from agentctl.journal.ledger import Budget
from agentctl.journal.tx import Tx
from agentctl.runner import scopes, spending

MINUTES = ("tokens_per_minute", "usd_per_minute")


def meant(tx: Tx, text: str, policy: Policy, now: float) -> list[Budget]:
    """The current windows of `KEY:SCOPE`; of `KEY` alone where only one scope is counted under it.

    Several windows of one scope are days of different time zones.

    Raises:
        Usage: no budget of this name can be reset.
        Forbidden: nothing is counted for it now, or several scopes are.
    """
    key, _, scope = text.partition(":")
    _check(key)
    rows = spending.current(tx, key, policy.budget, now, rehearsed=True)
    real = [row for row in rows if not row.key.startswith(f"{key}:{scopes.REHEARSAL}")]
    chosen = [row for row in rows if row.key == text] if scope else real
    names = sorted({row.key for row in chosen})
    if len(names) == 1:
        return chosen
    there = ", ".join(names or sorted({row.key for row in rows})) or "none"
    if names:
        raise Forbidden(f"several budgets of {key} are counted: {there}", hint="agentctl budget reset KEY:SCOPE")
    raise Forbidden(f"nothing is counted for {text} now; there is: {there}", hint="agentctl budget")


def forgive(tx: Tx, windows: Sequence[Budget], sender: str, now: float) -> int:
    """Set them back, all or none; what was spent in them by now, in micro-dollars."""
    return sum(resets.reset(tx, each.key, each.window_start, sender, now) for each in windows)


def _check(key: str) -> None:
    if key == "run_usd":
        raise Usage("run_usd can't be reset: a run keeps what it spent", hint="agentctl resume RUN --add-usd X")
    if key in MINUTES:
        raise Usage(f"{key} can't be reset: what was used leaves the minute by itself")
    if key not in spending.SHARED:
        raise Usage(f"no budget {key!r} can be reset; those that can: {', '.join(spending.SHARED)}")
