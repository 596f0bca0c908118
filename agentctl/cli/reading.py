"""A run read back from the store, as the contract's result object and what a page says beside it."""

from __future__ import annotations

from pathlib import Path

from agentctl.core import forking, summary
from agentctl.core.events import Completed, Forked, RunStarted, Stamped
from agentctl.core.guards import budget, trust
from agentctl.core.messages import JsonObject
from agentctl.core.state import State, fold
from agentctl.core.summary import Summary
from agentctl.journal import lease
from agentctl.journal.codec import timestamp
from agentctl.journal.runs import RunRow
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.tui import pending
from agentctl.tui.limits import Limits, limits_of_run
from agentctl.tui.pending import Request

RAISES = {"run_usd": " --add-usd USD", "max_steps": " --add-steps N", "tokens": " --add-tokens N"}
"""What a resume after this limit needs to come further."""
RESUMABLE = frozenset({"parked", "paused", "stopped", "crashed"})


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that `show` says."""

    body: JsonObject
    """The contract's result object, with what only a recorded run has."""
    status: str
    task: str
    policy: str
    message: str
    waiting: tuple[Request, ...]
    next: tuple[str, ...]
    """Commands that make sense now."""
    warn_at: float


def page(journal: Store, name: str, now: float) -> Page:
    """The page of a run."""
    row = journal.run(name)
    events = journal.events(row.run_id)
    state, totals = fold(events), Summary()
    for stamped in events:
        totals = summary.apply(totals, stamped.event)
    status = "crashed" if lease.crashed(row, now) else row.status
    waiting = tuple(pending.of(journal, row.run_id).waiting) if status in pending.OPEN else ()
    limits = limits_of_run(journal, row.run_id)
    started = events[0].event if events and isinstance(events[0].event, RunStarted) else None
    forked = forking.last_fork(events)
    under = _policy(started, forked)
    resume = _resume(row, status)
    body: JsonObject = {
        "run_id": row.run_id,
        "session_id": row.session_id,
        "status": status,
        "reason": row.reason,
        "exit_code": _exit_code(events),
        "answer": totals.answer or state.run.answer.strip(),
        "output": None,
        **summary.figures(totals),
        "budget": _gauges(limits, state, now),
        "duration_s": round((events[-1].ts if events else row.updated) - row.created, 3),
        "policy": under,
        "rehearsed": row.rehearsed,
        "resume": resume,
        "message": totals.message,
        "task": row.task,
        "user": row.user_id,
        "tenant": row.tenant_id,
        "earlier_runs": [each.run_id for each in started.earlier] if started else [],
        "started_at": timestamp(row.created),
        "untrusted": list(trust.sources(state.trust)),
        "private": list(state.trust.private),
        "forked_from": {"run_id": forked.parent, "seq": forked.at} if forked else None,
    }
    policy = str(under["name"]) if under else "-"
    warn_at = limits.policy.budget.warn_at if limits.policy else 0.75
    return Page(body, status, row.task, policy, totals.message, waiting, _next(row, status, waiting, resume), warn_at)


def _policy(started: RunStarted | None, forked: Forked | None) -> JsonObject | None:
    """What the run began under."""
    if started is None:
        return None
    if forked is None:
        return {"name": started.policy, "digest": started.policy_digest}
    named = Path(forked.policy).stem if forked.policy else started.policy
    return {"name": named, "digest": forked.policy_digest}


def _exit_code(events: list[Stamped]) -> int | None:
    last = events[-1].event if events else None
    return last.exit_code if isinstance(last, Completed) else None


def _gauges(limits: Limits, state: State, now: float) -> JsonObject:
    """Used and limit, as the run's policy file says today; without one only what was used."""
    rules = limits.policy.budget if limits.policy else budget.Rules()
    known = limits.policy is not None
    return {
        gauge.key: {"used": round(gauge.used, 6), "limit": gauge.limit if known else None}
        for gauge in budget.gauges(rules, state.budget, now)
    }


def _resume(row: RunRow, status: str) -> str | None:
    if not row.begun:
        return None
    retriable = status == "failed" and row.reason == "providers"
    if status not in RESUMABLE and not retriable:
        return None
    return f"agentctl resume {row.run_id}{RAISES.get(row.reason, '')}"


def _next(row: RunRow, status: str, waiting: tuple[Request, ...], resume: str | None) -> tuple[str, ...]:
    trace = f"agentctl trace {row.run_id}"
    if waiting:
        call = f" {waiting[0].call_id}" if len(waiting) > 1 else ""
        decide = f"agentctl approve {row.run_id}{call}"
        return decide, f"agentctl deny {row.run_id}{call} --why …", trace
    if status == "running":
        return f"agentctl events {row.run_id} -f", trace
    if status == "crashed" and not row.begun:
        return (f"agentctl cancel {row.run_id}",)
    return (resume, trace) if resume else (trace,)
