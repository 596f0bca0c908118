"""When a failed model call is tried again, and after how long."""

from __future__ import annotations

from agentctl.core.bounds import Count, Seconds, table
from agentctl.core.events import ModelFailed


@table
class Rules:
    """The policy's `[retry]`."""

    enabled: bool = True
    """False is printed at every start."""
    max_attempts: Count = 4
    """HTTP requests in all, per model call and provider. A12, G5"""
    base_delay_s: Seconds = 1.0
    """The first delay; it doubles each time. A13"""
    max_delay_s: Seconds = 30.0
    """The longest delay; a longer Retry-After rests the provider, another one is waited for and spread. A14"""
    jitter: bool = True
    """Spread each delay over its second half. A15"""
    statuses: tuple[int, ...] = (408, 409, 429, 500, 502, 503, 504, 529)
    """HTTP statuses worth another try. A16, G6"""


NEVER = frozenset({"quota", "auth", "invalid", "context"})
"""Kinds that no second try mends, whatever their status. E11, G6"""
WITHOUT_STATUS = frozenset({"timeout", "connection", "truncated", "malformed", "overloaded", "server", "rate_limit"})
"""Kinds that are worth a second try when no HTTP status came with them."""
BEYOND_S = 0.9
"""How far beyond the longest delay a Retry-After is spread at most. Less than `decide.CLOCK_S`, which takes what is
further away for a clock that was set back."""
MOST_DOUBLINGS = 64
"""More would leave the range of numbers."""


def worthwhile(rules: Rules, failed: ModelFailed) -> bool:
    """Whether this failure may pass."""
    if not rules.enabled or failed.kind in NEVER:
        return False
    if failed.status is None or failed.status < 400:
        return failed.kind in WITHOUT_STATUS
    return failed.status in rules.statuses


def too_long(rules: Rules, failed: ModelFailed) -> bool:
    """The provider asks for a longer rest than any retry waits."""
    return failed.retry_after_s is not None and failed.retry_after_s > rules.max_delay_s


def delay(rules: Rules, failed: ModelFailed, dice: float) -> float | None:
    """Seconds until the next attempt, or None when this one was the last. `dice` is in [0, 1).

    The exponential delay is spread over its upper half, so that a wave of clients does not come back as one. A
    Retry-After is the same moment for all of them and never undercut: it is spread upwards, at the limit too. Hence a
    delay is at most `max_delay_s` and half of `base_delay_s`. A15, A21
    """
    if failed.attempt >= rules.max_attempts:
        return None
    spread = 0.5 + 0.5 * dice if rules.jitter else 1.0
    doubled = rules.base_delay_s * 2.0 ** min(failed.attempt - 1, MOST_DOUBLINGS)
    wait = min(doubled, rules.max_delay_s) * spread
    if failed.retry_after_s is None:
        return wait
    asked = min(failed.retry_after_s, rules.max_delay_s)
    room = min(0.5 * rules.base_delay_s, rules.max_delay_s + BEYOND_S - asked) if rules.jitter else 0.0
    return max(wait, asked + room * dice)
