"""`policy backtest`: the runs of a store decided again under another policy, run by run. Nothing is sent or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path

from agentctl.config import load, paths, rulings, task
from agentctl.config.load import LoadedPolicy
from agentctl.core import backtests, forking
from agentctl.core.backtest import first_divergence
from agentctl.core.backtests import Heard, Judged, Totals
from agentctl.core.events import RunStarted, Stamped
from agentctl.errors import AgentctlError, Defect, Forbidden
from agentctl.journal import doors, lenient, runs
from agentctl.journal.runs import RunRow
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import starting, stores
from agentctl.runner.judging import Setups, invalid
from agentctl.runner.order import Order

MOST_RUNS = 1_000_000
Far = Callable[[int, int], None]
"""Told how many of how many runs are read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs. Empty: all."""

    since: float = 0.0
    """Begun then or later, in seconds since the epoch."""
    runs: tuple[str, ...] = ()
    """These alone, whenever they were."""
    task: str = ""
    """A task's name, or its file."""
    user: str = ""
    rehearsed: bool = False
    """Rehearsals too."""


@dataclass(frozen=True, slots=True)
class Never:
    """A rule or a tier by name that no recorded call was about."""

    what: str
    """`risk.rules[3]`, or `risk.tiers.send_refund`."""
    tool: str
    tier: str
    why: str
    file: str
    line: int
    own: bool
    """It stands in a file of the user's own."""


@dataclass(slots=True)
class Outcome:
    """What it came to."""

    under: LoadedPolicy
    items: list[Judged] = field(default_factory=list[Judged])
    """The runs that differ, or could not be judged; the newest first."""
    totals: Totals = field(default_factory=Totals)
    heard: Heard = field(default_factory=Heard)
    notes: Counter[str] = field(default_factory=Counter[str])
    """What has to be said of runs that were judged, and of how many."""
    never: tuple[Never, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run as it can be read."""

    row: RunRow
    events: list[Stamped]
    """Up to the first that can't be read."""
    later: list[Stamped]
    """Those behind it."""
    unread: int
    order: Order | None
    """None: what it was started with is lost."""
    why_not: str = ""


def backtest(policy: str, asked: Asked, store: str | None, far: Far) -> Outcome:
    """Decide the runs again under a policy.

    Raises:
        Invalid: the policy or the store can't be used. Forbidden: there is no such run.
    """
    under = load.load_policy(policy)
    outcome = Outcome(under)
    setups = Setups(under, paths.store_url(store))
    for recorded in recorded_runs(asked, store, far):
        judged = judge(setups, recorded, outcome.heard)
        outcome.totals.add(judged)
        outcome.notes.update(judged.notes)
        if judged.divergence is not None or judged.why_not:
            outcome.items.append(judged)
    outcome.never = tuple(_never(under, outcome.heard))
    return outcome


def recorded_runs(asked: Asked, store: str | None, far: Far) -> Iterator[Recorded]:
    """The runs, each read when it is asked for."""
    folder = doors.blobs_of(paths.store_url(store))
    with stores.tables(store) as tx:
        rows = _rows(tx, asked)
        for number, row in enumerate(rows, 1):
            yield _recorded(tx, folder, row)
            far(number, len(rows))


def _rows(tx: Tx, asked: Asked) -> list[RunRow]:
    if asked.runs:
        found = (runs.find(tx, name) for name in asked.runs)
        return list({row.run_id: row for row in found}.values())
    name = asked.task
    if name and Path(name).is_file():
        name = task.load_task(Path(name)).task.name
    both = None if asked.rehearsed else False
    return runs.listing(tx, since=asked.since, user=asked.user, task=name, limit=MOST_RUNS, rehearsed=both)


def _recorded(tx: Tx, folder: Path | None, row: RunRow) -> Recorded:
    read = [each for each in lenient.events(tx, folder, row.run_id) if isinstance(each, Stamped) or not each.unknown]
    broken = next((at for at, each in enumerate(read) if not isinstance(each, Stamped)), len(read))
    whole = [each for each in read[:broken] if isinstance(each, Stamped)]
    later = [each for each in read[broken:] if isinstance(each, Stamped)]
    unread, order, why_not = len(read) - len(whole) - len(later), None, ""
    try:
        order = starting.order_of(row.run_id, runs.spec(tx, row.run_id))
    except Forbidden as error:
        why_not = error.message
    except AgentctlError:
        pass
    if not whole or not isinstance(whole[0].event, RunStarted):
        why_not = "it has recorded nothing" if not read else "its journal has no readable beginning"
    return Recorded(row, whole, later, unread, order, why_not)


def judge(setups: Setups, recorded: Recorded, heard: Heard | None = None) -> Judged:
    """Decide one run again, up to its first difference, and hold its calls against the rules."""
    row, events = recorded.row, recorded.events
    started = events[0].event if events else None
    policy = row.policy or (started.policy if isinstance(started, RunStarted) else "")
    about = row.run_id, row.task, policy
    if recorded.why_not:
        return Judged(*about, None, unread=recorded.unread, why_not=recorded.why_not)
    try:
        ready = setups.of(recorded.order, events)
    except Defect:
        raise
    except AgentctlError as error:
        return Judged(*about, None, unread=recorded.unread, why_not=f"it would not start: {invalid(error)}")
    setup, notes = ready.setup, ready.notes
    if heard is not None:
        for tool, args in backtests.calls([*events, *recorded.later]):
            heard.hear(setup.policy, setup.reader, setups.contract(setup, tool), args)
    first = forking.own_from(events)  # what a fork has copied was decided by its parent
    verdict = first_divergence(setup, events, first, effects=True, answers=ready.whole)
    if recorded.unread:
        notes = (*notes, "judged up to the first event that can't be read")
    unspent = backtests.unspent(verdict.divergence, [*events, *recorded.later])
    return Judged(
        *about, verdict.divergence, verdict.decisions, verdict.passed_over, unspent, recorded.unread, notes,
    )  # fmt: skip


def _never(under: LoadedPolicy, heard: Heard) -> Iterator[Never]:
    rules, tiers = under.policy.risk.rules, under.policy.risk.tiers
    silent, unused = backtests.never(heard, len(rules), list(tiers))
    for number in silent:
        file, line = rulings.place(under, number)
        rule, own = rules[number], ("risk", "rules", number) in under.explicit
        yield Never(f"risk.rules[{number}]", rule.tool, rule.tier, rule.why, file, line, own)
    for name in unused:
        file, line = under.origins.get(("risk", "tiers", name), ("", 0))
        own = ("risk", "tiers", name) in under.explicit
        yield Never(f"risk.tiers.{name}", name, tiers[name].word, "", file, line, own)
