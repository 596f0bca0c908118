"""What recorded runs are decided by under another policy: their tasks as the files are now, and that policy.

Runs of one task share a setup. Where a task's file is gone, what the journal holds has to do: its models and limits are
judged, and no call of a tool whose contract nobody knows any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path

from agentctl.config import load, rulings, task
from agentctl.config.load import LoadedPolicy
from agentctl.core.contract import Contract
from agentctl.core.events import RunStarted, Stamped
from agentctl.core.policy import Policy
from agentctl.core.setup import Setup
from agentctl.core.tiers import Tier
from agentctl.errors import AgentctlError, Invalid
from agentctl.models.prices import context_window, find_price
from agentctl.records import dataclass
from agentctl.runner import plan, recall
from agentctl.runner.order import Order
from agentctl.tools import offhand

MOST_SETUPS = 64
"""Tasks that are kept at hand."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A setup, and what has to be said of it."""

    setup: Setup
    then: frozenset[str] | None = None
    """The providers that the run's own policy named; None: it has changed since, or is gone."""
    notes: tuple[str, ...] = ()
    whole: bool = True
    """The task was there to be read."""


@dataclass(slots=True)
class Setups:
    """The setups under one policy, each made once. Bound: MOST_SETUPS."""

    under: LoadedPolicy
    store: str
    """The store's URL: no program of a task may see it."""
    changed: Callable[[Policy], Policy] = plan.unchanged
    """A change that is tried out on it."""
    _made: dict[tuple[object, ...], Ready] = field(default_factory=dict[tuple[object, ...], Ready])
    _offhand: dict[str, Contract] = field(default_factory=dict[str, Contract])

    def of(self, order: Order | None, events: Sequence[Stamped]) -> Ready:
        """The setup of one run. Invalid, Usage: nothing can be started so under this policy."""
        found = self._found(order, events)
        setup, notes = found.setup, [*found.notes]
        started = next((at.event for at in events if isinstance(at.event, RunStarted)), None)
        if started is not None and setup.contracts:
            other = sorted(
                name for name, digest in started.tools.items()
                if name in setup.contracts and setup.contracts[name].digest != digest
            )  # fmt: skip
            if other:
                gone = {setup.contracts[name].wire for name in other} | set(other)
                kept = {name: each for name, each in setup.contracts.items() if name not in gone}
                setup = dataclasses.replace(setup, contracts=kept)
                notes.append(f"changed since, and not judged: {', '.join(other)}")
        rehearsed = started is not None and started.rehearsed
        setup = dataclasses.replace(setup, ready=_ready(setup, found.then, events, rehearsed=rehearsed))
        return dataclasses.replace(found, setup=setup, notes=tuple(notes))

    def contract(self, setup: Setup, tool: str) -> Contract:
        """A tool's contract, for rules and tiers alone: of one that nobody knows any more, what its name says."""
        if tool in setup.contracts:
            return setup.contracts[tool]
        if tool not in self._offhand:
            if len(self._offhand) >= MOST_SETUPS:
                self._offhand.clear()
            self._offhand[tool] = offhand.contract(tool, self.under.policy)
        return self._offhand[tool]

    def _found(self, order: Order | None, events: Sequence[Stamped]) -> Ready:
        digest = next((at.event.policy_digest for at in events if isinstance(at.event, RunStarted)), "")
        key = () if order is None else (
            order.task, order.policy, order.max_usd, order.auto_approve, bool(order.user), bool(order.tenant), digest,
        )  # fmt: skip
        if key not in self._made:
            if len(self._made) >= MOST_SETUPS:
                self._made.clear()
            self._made[key] = self._made_of(order, digest)
        return self._made[key]

    def _made_of(self, order: Order | None, digest: str) -> Ready:
        if order is None:
            return Ready(self._bare(), notes=("what it was started with is lost: calls are not judged",), whole=False)
        try:
            loaded = task.load_task(order.task)
        except AgentctlError as error:
            why = "is gone" if not Path(order.task).exists() else f"can't be read ({error.message.splitlines()[0]})"
            return Ready(self._bare(), notes=(f"its task {order.task} {why}: calls are not judged",), whole=False)
        # What a flag lowered stays lowered, unless this policy allows less by now.
        raised = order.auto_approve and Tier.of(order.auto_approve) > self.under.policy.risk.auto_approve
        asked = dataclasses.replace(
            order, policy=str(self.under.path.absolute()), rehearse=False, script=None,
            auto_approve=None if raised else order.auto_approve,
        )  # fmt: skip
        planned = plan.make(asked, only_lower=False, sends=False, store=self.store)
        setup = dataclasses.replace(planned.setup, policy=self.changed(planned.policy))
        return Ready(setup, _then(loaded, order, digest))

    def _bare(self) -> Setup:
        """Without a task: models and limits."""
        policy = self.under.policy
        providers = policy.providers
        return Setup(
            self.changed(policy),
            {},
            {each.name: find_price(each, policy.budget) for each in providers},
            {each.name: context_window(each) for each in providers},
            frozenset(each.name for each in providers),
            reader=rulings.reader(self.under),
        )


def _then(loaded: task.LoadedTask, order: Order, digest: str) -> frozenset[str] | None:
    try:
        policy = load.policy_of(loaded, order.policy).policy
        lowest = policy.budget.run_usd if order.max_usd is None else min(order.max_usd, policy.budget.run_usd)
        lowered = load.lower(policy, max_usd=lowest, auto_approve=order.auto_approve or "")
    except AgentctlError:
        return None
    return frozenset(each.name for each in policy.providers) if load.digest(lowered) == digest else None


def _ready(setup: Setup, then: frozenset[str] | None, events: Sequence[Stamped], *, rehearsed: bool) -> frozenset[str]:
    """Who could answer: in a rehearsal all; else whoever the run met, and who is new. Who had a key is in no event."""
    met = recall.met(events)
    new = setup.ready - then if then is not None else frozenset[str]()
    found = (setup.ready & met) | new
    return setup.ready if rehearsed or not found else found


def invalid(error: AgentctlError) -> str:
    """Why nothing can be started so, on one line."""
    problems = [str(each) for each in error.problems] if isinstance(error, Invalid) else []
    return "; ".join(error.message.splitlines()) if not problems else "; ".join(problems)
