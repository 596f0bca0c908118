"""The alert rules against a store: everything is measured at one moment, judged by the core, kept as incidents, told.

Runs and rehearsals are judged apart, each by its own baselines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentctl.core import alerts, prices
from agentctl.core.alerts import Finding
from agentctl.core.incidents import Incident
from agentctl.core.policy import Policy
from agentctl.journal import incidents as kept
from agentctl.journal import measures
from agentctl.journal.replies import Which
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import hits, notifying, scopes, spending
from agentctl.runner.caching import WARMING

if TYPE_CHECKING:
    from agentctl.journal.store import Store
    from agentctl.telemetry.alerts import Sent

BUDGETS = {"user_daily_usd": scopes.DAY, "tenant_daily_usd": scopes.DAY, "hourly_usd": scopes.HOUR}
"""Budgets with a window, and how long that is, in seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """An incident, as a check leaves it."""

    incident: Incident
    new: bool
    """It was opened by this check."""
    found: bool
    """False: it was not found any more, and closes when a whole window has passed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to."""

    rows: tuple[Row, ...]
    """The open incidents."""
    closed: int
    """Incidents that it closed."""
    sent: tuple[Sent, ...] = ()
    """What came of the message; nothing was to be told, or nobody is to be told: none."""


def evaluate(tx: Tx, journal: Store, policy: Policy, now: float, *, rehearsed: bool) -> list[Finding]:
    """Every rule against what the store holds now, in a transaction of the caller. B51"""
    rules, folder = policy.alerts, journal.blobs
    window, week = now - rules.window_s, now - alerts.BASELINE_S
    lately = measures.lately(tx, folder, min(window, now - alerts.RECENT_S), now, rehearsed=rehearsed)
    usual = measures.usual(tx, week, rehearsed=rehearsed)
    found = alerts.errors(rules, measures.calls(tx, folder, window, rehearsed=rehearsed))
    found += alerts.burning(rules, _burns(tx, policy, now, rehearsed=rehearsed))
    for run in lately:
        found += alerts.unusual(rules, run, usual.get(run.task, alerts.NOTHING_USUAL))
    found += _injections(tx, policy, now, rehearsed=rehearsed)
    found += alerts.failures(lately) + alerts.parked(lately, policy.approval.timeout_s)
    if policy.cache.enabled:
        lines = hits.judged(tx, folder, Which(week, rehearsed=rehearsed))
        ours = (each for each in lines if each.key.rehearsed == rehearsed and not each.key.task.endswith(WARMING))
        found += alerts.cold(ours, policy.cache.min_hit_ratio)
    return found


def _injections(tx: Tx, policy: Policy, now: float, *, rehearsed: bool) -> list[Finding]:
    window, week = now - policy.alerts.window_s, now - alerts.BASELINE_S
    seen, run_id = measures.injections(tx, window, now + 1, rehearsed=rehearsed)
    if not seen:
        return []
    before, _ = measures.injections(tx, week, window, rehearsed=rehearsed)
    begun = measures.oldest(tx, week, rehearsed=rehearsed)
    span = 0.0 if begun is None else max(0.0, window - begun)
    return alerts.injections(policy.alerts, seen, before, span, run_id)


def _burns(tx: Tx, policy: Policy, now: float, *, rehearsed: bool) -> Iterator[alerts.Burn]:
    rules = policy.budget
    for key, lasts in BUDGETS.items():
        own = getattr(rules, key) if rules.enabled else None
        for row in spending.current(tx, key, rules, now, rehearsed=rehearsed):
            limit = row.limit if own is None else prices.micro(own)
            whose = row.key.partition(":")[2]
            if limit and whose.startswith(scopes.REHEARSAL) == rehearsed:
                yield alerts.Burn(row.key, row.spent, limit, (now - row.window_start) / lasts)


def check(journal: Store, policy: Policy, *, rehearsed: bool = False, tells: bool = True) -> Checked:
    """Judge a store, open and close incidents, and tell of the new ones. Not `tells`: nothing is written or sent."""
    if not policy.alerts.enabled:
        return Checked((), 0)
    kinds = (_kind(journal, policy, rehearsed=kind, tells=tells) for kind in ((False, True) if rehearsed else (False,)))
    done = list(kinds)
    return Checked(
        tuple(row for each in done for row in each.rows),
        sum(each.closed for each in done),
        tuple(sent for each in done for sent in each.sent),
    )


def _kind(journal: Store, policy: Policy, *, rehearsed: bool, tells: bool) -> Checked:
    now = journal.clock()
    found = journal.look(lambda tx: evaluate(tx, journal, policy, now, rehearsed=rehearsed))
    before = journal.read(lambda tx: kept.listing(tx, only_open=True, rehearsed=rehearsed))
    if not found and not before:
        return Checked((), 0)
    known = {each.key: each for each in before}
    keys = {(each.rule, each.subject) for each in found}
    if not tells:
        seen = (_unwritten(each, known.get((each.rule, each.subject)), now, rehearsed) for each in found)
        there = [*seen, *(each for each in before if each.key not in keys)]
        return Checked(tuple(Row(each, each.key not in known, each.key in keys) for each in there), 0)

    def write(tx: Tx) -> tuple[list[Incident], list[Incident], int]:
        kept.found(tx, found, now, rehearsed=rehearsed)
        ended = kept.close(tx, found, now, policy.alerts.window_s, rehearsed=rehearsed)
        ours = kept.claim(tx, now, rehearsed=rehearsed) if policy.alerts.urls else []
        return kept.listing(tx, only_open=True, rehearsed=rehearsed), ours, len(ended)

    there, ours, closed = journal.write(write)
    sent = notifying.tell(journal, policy, ours)
    return Checked(tuple(Row(each, each.key not in known, each.key in keys) for each in there), closed, tuple(sent))


def _unwritten(each: Finding, before: Incident | None, now: float, rehearsed: bool) -> Incident:
    measured = each.value, each.limit, each.baseline, each.run_id
    opened, told = (now, 0.0) if before is None else (before.opened, before.told)
    return Incident(0, each.rule, each.subject, rehearsed, *measured, opened, now, told=told)
