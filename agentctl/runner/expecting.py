"""What a run is expected to take, from the store: before it begins, in `--explain`, and as a gate."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agentctl.config import load
from agentctl.config.task import load_task
from agentctl.core import expectation
from agentctl.core.expectation import DAYS, Expectation
from agentctl.errors import GateFailed, StoreMissing, Usage
from agentctl.journal.past import past
from agentctl.journal.tx import Tx
from agentctl.runner import stores

if TYPE_CHECKING:
    from agentctl.core.messages import JsonObject
    from agentctl.journal.store import Store
    from agentctl.runner.order import Order
    from agentctl.runner.plan import Plan

DAY_S = 86_400


def read(tx: Tx, task: str, policy: str, now: float, *, rehearsed: bool) -> Expectation:
    """The expectation of a task under a policy; rehearsals are held against rehearsals."""
    runs = past(tx, task, policy, now - DAYS * DAY_S, rehearsed=rehearsed)
    return expectation.of(task, policy, runs, rehearsed=rehearsed)


def asked(tasks: Iterable[tuple[str, str]], store: str | None, *, rehearsed: bool) -> list[Expectation]:
    """One for each task and policy. A store that is not there has no history."""
    named, now = list(tasks), time.time()
    try:
        with stores.tables(store) as tx:
            return [read(tx, task, policy, now, rehearsed=rehearsed) for task, policy in named]
    except StoreMissing:
        return [expectation.of(task, policy, (), rehearsed=rehearsed) for task, policy in named]


def line(journal: Store, planned: Plan, order: Order) -> str:
    """What a run that is about to begin will probably take; empty: too few runs tell."""
    names = planned.task.task.name, planned.policy.name
    now = journal.clock()
    expected = journal.read(lambda tx: read(tx, *names, now, rehearsed=order.rehearse))
    return f"expected: {' · '.join(expectation.parts(expected))}" if expected.runs >= expectation.FEW else ""


def explained(planned: Plan, order: Order, store: str | None) -> JsonObject:
    """The same for `--explain`: a table of figures, and how much of history there is."""
    names = planned.task.task.name, planned.policy.name
    (expected,) = asked([names], store, rehearsed=order.rehearse)
    told = [*expectation.items(expected)] if expected.runs >= expectation.FEW else []
    said = f"{expected.runs} in the last {DAYS} days"
    if expected.runs < expectation.FEW:
        said += ": too few to say what it will take"
    return {"earlier_runs": said, "expected": told}


def require(orders: Sequence[Order], most_usd: float, store: str | None) -> None:
    """Refuse to go on unless the p95 of what each task costs is under `most_usd`, in USD. Nothing is sent.

    Raises:
        GateFailed: it is not, or too few runs tell. Usage: no amount. Invalid: a task or policy.
    """
    if not (math.isfinite(most_usd) and most_usd > 0):
        raise Usage(f"--require-p95-under: expected an amount above 0, got {most_usd:g}")
    names: dict[tuple[str, str], None] = {}
    for order in orders:
        loaded = load_task(order.task)
        names[loaded.task.name, load.policy_of(loaded, order.policy).policy.name] = None
    for expected in asked(names, store, rehearsed=orders[0].rehearse):
        why, way_out = expectation.refusal(expected, most_usd)
        if why:
            raise GateFailed(f"--require-p95-under: {why}", hint=way_out)
