"""What is used and left: every budget and minute of a store in its current window, beside its limit.

Rules. A limit is the one that the last call was held to; where a policy is asked about, that policy's.
What is held counts as used where it is said how close a limit is: the next reservation meets both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Literal

from agentctl.core.guards.budget import Rules
from agentctl.core.policy import Policy
from agentctl.journal import ledger, pace, reaper, resets, runs
from agentctl.journal.codec import timestamp
from agentctl.journal.ledger import Budget
from agentctl.journal.resets import Reset
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import reaping, scopes
from agentctl.runner.stores import tables

DAILY = ("tenant_daily_usd", "user_daily_usd")
SHARED = ("hourly_usd", *DAILY, "session_usd")
"""Budgets of several runs: those that a person may set back."""
UNFINISHED = ("running", "parked", "paused", "stopped")
Closeness = Literal["", "close", "reached"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose budgets are wanted; empty texts: everybody's."""

    user: str = ""
    tenant: str = ""
    session: str = ""
    rehearsed: bool = False
    """Those of rehearsals too."""
    limit: int = 1000
    """Of each key at most so many, the fullest first."""

    @property
    def everybody(self) -> bool:
        """Whether nobody is named."""
        return not (self.user or self.tenant or self.session)


@dataclass(frozen=True, slots=True)
class Line:
    """One budget or minute. Amounts are USD; tokens where the key is `tokens_per_minute`."""

    key: str
    scope: str
    """Whose it is: a run, a session (`tenant/user/name`), a user, a tenant, the store, a provider and its key."""
    used: float
    held: float
    """Reserved by calls under way; of a minute: booked for later ones."""
    limit: float | None
    """None: the policy sets none."""
    window: str
    """When it began, ISO 8601; else `run`, `session` or `60 s`."""
    warn_at: float
    reset: Reset | None = None

    @property
    def share(self) -> float:
        """How much of the limit is used or held; 0 without one."""
        held = 0.0 if self.window == "60 s" else self.held
        return (self.used + held) / self.limit if self.limit else 0.0

    @property
    def state(self) -> Closeness:
        """How close the limit is."""
        return "reached" if self.share >= 1 else "close" if self.share >= self.warn_at else ""

    @property
    def rehearsed(self) -> bool:
        """Whether rehearsals use it."""
        return self.scope.startswith(scopes.REHEARSAL)


def shown(store: str | None, policy: Policy | None, asked: Asked) -> tuple[list[Line], bool]:
    """The lines of a store, after what dead drivers left held in it was settled; and whether there are more."""
    now = time.time()
    with tables(store) as tx:
        if reaper.orphans(tx, now):
            reaping.reap_now(store)
        return lines(tx, policy, now, asked)


def lines(tx: Tx, policy: Policy | None, now: float, asked: Asked) -> tuple[list[Line], bool]:
    """What all runs share first, then the runs, then the sessions; and whether any key has more of them."""
    rules = Rules() if policy is None else policy.budget
    forgiven = resets.listing(tx)
    groups = [
        *(_shared(tx, key, rules, now, asked) for key in ("hourly_usd", *DAILY)),
        _runs(tx, asked),
        _sessions(tx, rules, now, asked) if asked.session else _shared(tx, "session_usd", rules, now, asked),
    ]
    money = [[_line(row, rules, forgiven, named=policy is not None) for row in group] for group in groups]
    minutes = list(_minutes(tx, policy, now, asked)) if asked.everybody else []
    found = [*money[:3], minutes, *money[3:]]
    return [line for group in found for line in group[: asked.limit]], any(len(each) > asked.limit for each in found)


def current(
    tx: Tx, key: str, rules: Rules, now: float, *, whose: str = "", rehearsed: bool = False, limit: int = -1
) -> list[Budget]:
    """The windows of a shared budget that are not over, the fullest first; -1: all of them."""
    since = int(now) - 2 * scopes.DAY
    # Where windows end, those that are over may be fuller: all are read, and there are few.
    limit = limit if key == "session_usd" and not whose else -1
    besides = "-" if rehearsed else f"{key}:{scopes.REHEARSAL}"
    rows = ledger.budgets(tx, prefix=f"{key}:", besides=besides, since=since, limit=limit)
    wanted = {f"{key}:{whose}", f"{key}:{scopes.REHEARSAL}{whose}"}
    return [row for row in rows if _lasts(row, rules.timezone, now) and (not whose or row.key in wanted)]


def _sessions(tx: Tx, rules: Rules, now: float, asked: Asked) -> list[Budget]:
    """The sessions of that name: everybody's, unless a user or a tenant is named too."""
    found = current(tx, "session_usd", rules, now, rehearsed=asked.rehearsed)
    wanted = asked.tenant, asked.user, asked.session
    return [row for row in found if scopes.is_session(row.key.partition(":")[2], *wanted)]


def _lasts(row: Budget, zone: str, now: float) -> bool:
    """Whether it is this hour or day, or has no end. A day of another time zone than the policy's lasts 24 hours."""
    start, key = row.window_start, row.key.partition(":")[0]
    if key not in DAILY:
        return start in {0, scopes.hour_of(now)}
    today = scopes.day_of(now, zone)
    return start == today or (start > now - scopes.DAY and start != scopes.day_of(today - 1, zone))


def _shared(tx: Tx, key: str, rules: Rules, now: float, asked: Asked) -> list[Budget]:
    if key == "user_daily_usd" and asked.user:
        found = current(tx, key, rules, now, rehearsed=asked.rehearsed)
        return [row for row in found if scopes.is_user(row.key.partition(":")[2], asked.tenant, asked.user)]
    whose = asked.tenant if key == "tenant_daily_usd" else ""
    if not whose and not asked.everybody:
        return []
    return current(tx, key, rules, now, whose=whose, rehearsed=asked.rehearsed, limit=asked.limit + 1)


def _runs(tx: Tx, asked: Asked) -> list[Budget]:
    """The budgets of the runs that can go on."""
    rehearsed = None if asked.rehearsed else False
    rows = [
        row
        for status in UNFINISHED
        for row in runs.listing(tx, status=status, user=asked.user, session=asked.session, rehearsed=rehearsed)
        if asked.tenant in {"", row.tenant_id}
    ]
    found: list[Budget] = []
    for row in rows:
        key = f"run_usd:{scopes.REHEARSAL if row.rehearsed else ''}{row.run_id}"
        found.append(ledger.budget(tx, key, 0))
    return sorted(found, key=lambda each: -each.spent - each.held)


def _minutes(tx: Tx, policy: Policy | None, now: float, asked: Asked) -> Iterator[Line]:
    """The current minute of each provider and key."""
    for window in pace.windows(tx, now):
        key, _, whose = window.scope.partition(":")
        if whose.startswith(scopes.REHEARSAL) and not asked.rehearsed:
            continue
        unit = 1 if key == "tokens_per_minute" else 1e6
        limit = None if window.limit is None else window.limit / unit
        if policy is not None:
            limit = getattr(policy.pace, key) if policy.pace.enabled else None
        warn_at = (policy.budget if policy is not None else Rules()).warn_at
        yield Line(key, provider(whose), window.used / unit, window.later / unit, limit, "60 s", warn_at)


def provider(whose: str) -> str:
    """Whose minute it is, for people: `anthropic:3f2a91b0c4d5`, `openai@http://…:3f2a91b0c4d5`."""
    sdk, _, rest = whose.partition("|")
    url, _, key = rest.rpartition("|")
    return f"{sdk}@{url}:{key}" if url else f"{sdk}:{key}"


def _line(row: Budget, rules: Rules, forgiven: dict[tuple[str, int], Reset], *, named: bool) -> Line:
    key, _, scope = row.key.partition(":")
    limit: float | None = None if row.limit is None else row.limit / 1e6
    if named:
        limit = getattr(rules, key) if rules.enabled else None
    window = timestamp(row.window_start) if row.window_start else key.removesuffix("_usd")
    reset = forgiven.get((row.key, row.window_start))
    return Line(key, scope, row.spent / 1e6, row.held / 1e6, limit, window, rules.warn_at, reset)
