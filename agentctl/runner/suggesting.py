"""`policy suggest`: limits and narrow rules that recorded runs bear out, and what those would have done to the runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import field
from functools import partial
from pathlib import Path

from agentctl.config import amending, load, paths, task
from agentctl.config.load import LoadedPolicy
from agentctl.core import forking
from agentctl.core.backtests import Totals
from agentctl.core.events import RunStarted
from agentctl.core.guards.risk import WORDS, Rule
from agentctl.core.policy import Policy
from agentctl.core.suggest import limits as by_limits
from agentctl.core.suggest.limits import Kept, Limit
from agentctl.core.suggest.measure import Run, Shared, measure
from agentctl.core.suggest.rules import Ask, Proposal, proposals
from agentctl.errors import AgentctlError, Defect
from agentctl.records import dataclass, replace
from agentctl.runner.asks import Asks, allows
from agentctl.runner.backtesting import Asked, Far, Recorded, judge, recorded_runs
from agentctl.runner.judging import Setups
from agentctl.runner.order import Order

NEW = "suggested.toml"
"""What a diff makes where the policy is a shipped one, which nobody edits."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """A rule, and what it would have done to the recorded asks."""

    proposal: Proposal
    saved: int
    """Asks that would not have been made, each of which a person approved."""
    of: int
    """Recorded asks of the tool."""

    @property
    def comment(self) -> str:
        """Where it comes from, and its backtest, on one line."""
        told = f"would have saved {self.saved:,} of {self.of:,} asks, and let nothing run that was denied"
        return f"{self.proposal.comment}; {told}"


@dataclass(slots=True)
class Suggestion:
    """What could be said, and why the rest could not."""

    under: LoadedPolicy
    runs: int = 0
    """Begun under this policy."""
    others: Counter[str] = field(default_factory=Counter[str])
    """Runs of other policies, by name: they say nothing of this one."""
    limits: list[Limit] = field(default_factory=list[Limit])
    rules: list[Narrow] = field(default_factory=list[Narrow])
    kept: list[Kept] = field(default_factory=list[Kept])
    diff: str = ""
    totals: Totals | None = None
    """Of the runs decided again with all of it; None: there is nothing."""
    _files: dict[tuple[Path, str | None], str] = field(default_factory=dict[tuple[Path, "str | None"], str])

    def elsewhere(self, order: Order | None) -> str:
        """The other file that an order's policy stands in, although it is called alike; empty: none is known."""
        if order is None:
            return ""
        key = order.task, order.policy
        if key not in self._files:
            try:
                loaded = load.policy_of(task.load_task(order.task), order.policy)
                alike = loaded.name == self.under.name and not loaded.path.samefile(self.under.path)
                self._files[key] = str(loaded.path) if alike else ""
            except (AgentctlError, OSError):  # gone since: its name has to do
                self._files[key] = ""
        return self._files[key]


def suggest(policy: str | None, asked: Asked, store: str | None, far: Far) -> Suggestion:
    """Look through the runs, and work it out.

    Raises:
        Invalid: the policy or the store can't be used.
    """
    under = _policy(policy, asked)
    found, shared, runs, asks = Suggestion(under), Shared(), list[Run](), list[Ask]()
    setups = Setups(under, paths.store_url(store))
    for recorded in recorded_runs(asked, store, far):
        if _ours(found, recorded):
            _look(setups, recorded, runs, asks, shared)
    found.runs = len(runs)
    found.limits, kept = by_limits.limits(under.policy, runs, shared)
    made, also = proposals(asks, WORDS[under.policy.risk.auto_approve], strict=_strict(under.policy))
    found.kept = [*kept, *also]
    for proposal in made:
        _tried(found, proposal, asks)
    _written(found)
    if found.limits or found.rules:
        found.totals = _backtest(found, asked, store, far)
    return found


def _policy(policy: str | None, asked: Asked) -> LoadedPolicy:
    if policy is None and asked.task and Path(asked.task).is_file():
        return load.policy_of(task.load_task(Path(asked.task)))
    return load.load_policy(policy or load.STANDARD)


def _strict(policy: Policy) -> bool:
    return policy.args.enabled and policy.args.strict


def _ours(found: Suggestion, recorded: Recorded) -> bool:
    """Whether a run was begun under this policy, and can be read."""
    started = recorded.events[0].event if recorded.events else None
    if recorded.why_not or recorded.unread or not isinstance(started, RunStarted):
        return False
    if started.policy != found.under.name:
        found.others[started.policy] += 1
        return False
    other = found.elsewhere(recorded.order)
    if other:
        found.others[other] += 1
    return not other


def _whole(recorded: Recorded) -> bool:
    """Whether it did its task from the beginning: a fork began in the middle."""
    return forking.own_from(recorded.events) == 1


def _look(setups: Setups, recorded: Recorded, runs: list[Run], asks: list[Ask], shared: Shared) -> None:
    try:
        ready = setups.of(recorded.order, recorded.events)
    except Defect:
        raise
    except AgentctlError:
        return
    heard = Asks(ready.setup, recorded.row.run_id, partial(setups.contract, ready.setup))
    row, whole = recorded.row, _whole(recorded)
    into = shared if whole else Shared()
    run = measure(ready.setup, recorded.events, row.status, row.reason, into, heard.heed)
    runs += [run] if whole else []
    asks += [each for each in heard.said() if whole or each.denied]  # what a fork has copied would count twice


def _tried(found: Suggestion, proposal: Proposal, asks: list[Ask]) -> None:
    """Hold a rule against every ask of its tool."""
    ours = [ask for ask in asks if ask.tool == proposal.rule.tool]
    policy = _with(found.under.policy, [proposal.rule])
    let = [ask for ask in ours if allows(found.under, policy, ask)]
    if any(ask.denied for ask in let):
        found.kept.append(Kept(proposal.rule.tool, "a rule would let run what was denied"))
        return
    saved = sum(ask.decision == "approve" for ask in let)
    if not saved:
        found.kept.append(Kept(proposal.rule.tool, "a rule would have saved nothing: something else asks"))
        return
    found.rules.append(Narrow(proposal, saved, len(ours)))


def _with(policy: Policy, rules: list[Rule]) -> Policy:
    return replace(policy, risk=replace(policy.risk, rules=(*policy.risk.rules, *rules)))


def _written(found: Suggestion) -> None:
    """As a diff; what can't be placed in the file is told instead."""
    under = found.under
    shipped = paths.is_shipped(under.path)
    before = "" if shipped else under.path.read_bytes().decode()  # with the ends of lines that it has
    text = f'version = 1\nextends = "{under.name}"\n' if shipped else before
    for limit in list(found.limits):
        table, _, key = limit.key.partition(".")
        figure = by_limits.typed(under.policy, limit.key, limit.value)
        made = amending.amended(text, amending.Change(table, key, figure, limit.comment))
        if made is None:
            found.limits.remove(limit)
            found.kept.append(Kept(limit.key, f"write {by_limits.number(limit.value)} by hand ({limit.comment})"))
        text = made or text
    for narrow in list(found.rules):
        made = amending.with_rule(text, narrow.proposal.rule, narrow.comment)
        if made is None:
            found.rules.remove(narrow)
            found.kept.append(
                Kept(narrow.proposal.rule.tool, f"write by hand: {json.dumps(narrow.proposal.rule.args)}")
            )
        text = made or text
    if found.limits or found.rules:
        name = _named(under.path)
        found.diff = amending.diff(before, text, "/dev/null" if shipped else name, NEW if shipped else name)


def _named(path: Path) -> str:
    """From here, as `patch -p0` wants it, where it is below."""
    here, there = Path.cwd().resolve(), path.resolve()
    return str(there.relative_to(here)) if there.is_relative_to(here) else str(there)


def _backtest(found: Suggestion, asked: Asked, store: str | None, far: Far) -> Totals:
    """The same runs with all of it."""
    totals = Totals()
    changed: Callable[[Policy], Policy] = partial(_changed, found)
    setups = Setups(found.under, paths.store_url(store), changed)
    for recorded in recorded_runs(asked, store, far):
        if _ours(Suggestion(found.under), recorded) and _whole(recorded):
            totals.add(judge(setups, recorded))
    return totals


def _changed(found: Suggestion, policy: Policy) -> Policy:
    return _with(by_limits.changed(policy, found.limits), [narrow.proposal.rule for narrow in found.rules])
