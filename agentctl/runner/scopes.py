"""Which budgets a reservation counts against: the run's own, and those that it shares with others. All or none. D43-D48

A window is named by when it begins, so that no counter is ever reset: the day of `budget.timezone`, the hour of the
clock.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentctl.core.prices import micro
from agentctl.errors import Usage
from agentctl.journal.ledger import Scope

if TYPE_CHECKING:
    from agentctl.core.policy import Policy
    from agentctl.runner.drive import Drive
    from agentctl.runner.order import Order

identifier = re.compile(r"[A-Za-z0-9._@-]{1,128}")
"""Of a user, a tenant, a session."""
HOUR = 3_600
DAY = 24 * HOUR
STORE = "store"
"""Whose the hourly budget is."""
REHEARSAL = "rehearsal:"
"""Before whose a budget is, and before the name of a minute or a circuit: those of rehearsals are their own."""


def of(at: Drive, cap: int, limit: int, *, landing: bool) -> tuple[Scope, ...]:
    """The scopes of one reservation now. What is not landing leaves the landing's share of every limit.

    `cap` and `limit` are the run's own, in micro-dollars.

    Days and hours are counted under every policy, so that one that limits them sees what the others spent.
    """
    rules, order, now = at.plan.policy.budget, at.order, at.journal.clock()
    kind = REHEARSAL if order.rehearse else ""
    found = [Scope(f"run_usd:{kind}{at.run_id}", 0, cap, limit)]
    kept = 1.0 if landing else 1.0 - rules.landing
    day = day_of(now, rules.timezone)
    shared = (
        ("session_usd", rules.session_usd, session(order.tenant, order.user, at.session_id), 0),
        ("user_daily_usd", rules.user_daily_usd, user(order.tenant, order.user), day),
        ("tenant_daily_usd", rules.tenant_daily_usd, order.tenant, day),
        ("hourly_usd", rules.hourly_usd, STORE, hour_of(now)),
    )
    for key, most, whose, start in shared:
        whole = micro(most) if most is not None and rules.enabled else None
        if whose and (whole is not None or key != "session_usd"):
            found.append(Scope(f"{key}:{kind}{whose}", start, None if whole is None else int(whole * kept), whole))
    return tuple(found)


def session(tenant: str, user: str, name: str) -> str:
    """Whose the budget of a session is: `acme/ada/monday`, or `ada/monday` without a tenant. Ids hold no `/`."""
    parts = (tenant, user, name) if tenant else (user, name) if user else (name,)
    return "/".join(parts)


def user(tenant: str, name: str) -> str:
    """Whose the daily budget of a user is: `acme/ada`, or `ada` without a tenant. The ada of another is another."""
    return f"{tenant}/{name}" if tenant and name else name


def is_user(scope: str, tenant: str, name: str) -> bool:
    """Whether a scope is of this user; an empty tenant: of any."""
    *before, last = scope.removeprefix(REHEARSAL).split("/")
    return last == name and (not tenant or before == [tenant])


def is_session(scope: str, tenant: str, user: str, name: str) -> bool:
    """Whether a scope is of this session; empty texts: of any tenant, any user, any name."""
    parts = ["", "", *scope.removeprefix(REHEARSAL).split("/")][-3:]
    return all(asked in {"", part} for asked, part in zip((tenant, user, name), parts, strict=True))


def check(policy: Policy, order: Order) -> None:
    """Refuse a run of somebody who can't be told apart, or whom a limit could not be counted for. A76

    Raises:
        Usage: an id with other letters than ids have, or none where the policy limits USD per user or tenant.
    """
    for what, name in (("user", order.user), ("tenant", order.tenant), ("session", order.session)):
        if name and not identifier.fullmatch(name):
            raise Usage(f"{what}: expected 1 to 128 of letters, digits, `.`, `_`, `-`, `@`, got {name[:140]!r}")
    rules = policy.budget
    if rules.user_daily_usd is not None and not order.user:
        raise Usage("the policy limits USD per user, and nobody is named", hint="Add --user NAME.")
    if rules.tenant_daily_usd is not None and not order.tenant:
        raise Usage("the policy limits USD per tenant, and none is named", hint="Add --tenant NAME.")


def hour_of(now: float) -> int:
    """When the clock hour began, in seconds since the epoch."""
    return int(now // HOUR) * HOUR


def day_of(now: float, zone: str) -> int:
    """When the day of this time zone began, in seconds since the epoch."""
    from datetime import datetime
    from zoneinfo import ZoneInfo  # only where a limit is of a day

    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
