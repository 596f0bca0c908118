"""What many runs came to: a fold over the events of each, in any order of the runs, in parts that can be added up.

Attribution. What a reply cost is shared equally among the calls that it asked for, and counts for their tools; replies
that asked for none, and calls of models that failed, count for NO_TOOL: the sum is what all runs cost. Money and
tokens of a day are those spent on it, in UTC. Time per step is added up over its calls, those side by side too.

Bound: MOST_NAMES names of each kind, the numbers of `Spread`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from datetime import date
from functools import lru_cache
from typing import Final

from agentctl.core import events as e
from agentctl.core.events import Stamped
from agentctl.core.expectation import COUNTED
from agentctl.core.spread import Spread
from agentctl.core.tallies import Judge, Sums, Tool, merge, named
from agentctl.records import dataclass

NO_TOOL: Final = "(none)"
SCRIPT: Final = "the script"
"""Who answers where a rehearsal's script does: nobody waited."""
REVIEWER: Final = "reviewer "
"""How programs that answer begin their names; no person's has a space."""
DIMENSIONS: Final = ("run", "user", "tenant", "provider", "tool", "day", "task", "session")
PARTS: Final = ("model", "tools", "people", "providers")
"""What the time of a step goes to: models, tools, waits for people, waits for providers."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The run that events are of."""

    run_id: str
    session: str
    user: str
    tenant: str
    task: str
    policy: str
    rehearsed: bool
    status: str
    reason: str
    created: float
    seconds: float
    """From its begin to its last event."""
    cost_micro: int
    steps: int
    whole: bool = True
    """False: a fork, which did the end of a task alone."""


@dataclass(slots=True)
class Stats:
    """The sums. Empty: no runs."""

    runs: int = 0
    total: Sums = field(default_factory=Sums)
    by: dict[str, dict[str, Sums]] = field(default_factory=lambda: {name: {} for name in DIMENSIONS if name != "tool"})
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    judges: dict[str, Judge] = field(default_factory=dict[str, Judge])
    asked: int = 0
    """Approvals that were asked for, answered or not."""
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Runs by status and reason."""
    events: Counter[str] = field(default_factory=Counter[str])
    """What else happened: retries, fallbacks, loops, limits …"""
    parts: dict[str, Spread] = field(default_factory=lambda: {name: Spread() for name in PARTS})
    """Milliseconds of each step, by what they went to."""
    cost_micro: Spread = field(default_factory=Spread)
    """Of each run that is over and did its work, as `expectation` counts them; so are the next two."""
    steps: Spread = field(default_factory=Spread)
    ms: Spread = field(default_factory=Spread)
    unreadable: int = 0
    """Events that are left out because they can't be read."""

    def merge(self, other: Stats) -> None:
        """Add another part: of other runs."""
        self.runs += other.runs
        self.asked += other.asked
        self.unreadable += other.unreadable
        self.total.merge(other.total)
        for name, table in self.by.items():
            merge(table, other.by[name], Sums)
        merge(self.tools, other.tools, Tool)
        merge(self.judges, other.judges, Judge)
        self.outcomes.update(other.outcomes)
        self.events.update(other.events)
        for name, spread in self.parts.items():
            spread.merge(other.parts[name])
        for name in ("cost_micro", "steps", "ms"):
            getattr(self, name).merge(getattr(other, name))

    def add(self, ran: Ran, events: Iterable[Stamped]) -> None:
        """Fold one run: its events in their order."""
        self.runs += 1
        self.outcomes[ran.status, ran.reason] += 1
        if ran.status in COUNTED and ran.whole:
            self.cost_micro.add(ran.cost_micro)
            self.steps.add(ran.steps)
            self.ms.add(round(ran.seconds * 1000))
        one = _Run(self)
        for stamped in events:
            one.add(stamped)
        one.close(ran)


class _Run:
    """The fold of one run into the sums of all."""

    def __init__(self, stats: Stats) -> None:
        self.stats = stats
        self.mine = Sums(runs=1)
        self.within: dict[tuple[str, str], Sums] = {}
        """Its sums by day and by provider."""
        self.times: dict[int, list[int]] = {}
        """By step: milliseconds, as PARTS."""

    def close(self, ran: Ran) -> None:
        """Add its sums to those of all."""
        names = (("run", ran.run_id), ("user", ran.user), ("tenant", ran.tenant), ("task", ran.task))
        self.stats.total.merge(self.mine)
        for kind, name in (*names, ("session", ran.session)):
            named(self.stats.by[kind], name, Sums).merge(self.mine)
        for (kind, name), sums in self.within.items():
            named(self.stats.by[kind], name, Sums).merge(sums)
        for step in self.times.values():
            for name, ms in zip(PARTS, step, strict=True):
                self.stats.parts[name].add(ms)

    def add(self, stamped: Stamped) -> None:
        match stamped.event:
            case e.ModelReplied() as reply:
                self._replied(stamped, reply)
            case e.ModelFailed() as failed:
                self._failed(stamped, failed)
            case e.ToolFinished() as done:
                self._finished(stamped.step, done)
            case e.ApprovalRequested():
                self.stats.asked += 1
            case e.ApprovalDecided() as decided:
                self._decided(stamped.step, decided)
            case event:
                part, seconds = _pause(event)
                if seconds:
                    self._took(stamped.step, part, round(seconds * 1000))
                if what := _happened(event):
                    self.stats.events[what] += 1

    def _replied(self, stamped: Stamped, reply: e.ModelReplied) -> None:
        step = reply.purpose == "answer"
        for sums in self._all(stamped.ts, reply.provider):
            sums.steps += step
            sums.calls += 1
            sums.cost_micro += reply.cost_micro
            sums.use(reply.usage)
        self._took(stamped.step, 0, reply.duration_ms)
        asked = [call.tool for call in reply.calls] or [NO_TOOL]
        share, rest = divmod(reply.cost_micro, len(asked))
        for number, name in enumerate(asked):
            named(self.stats.tools, name, Tool).cost_micro += share + (number < rest)

    def _failed(self, stamped: Stamped, failed: e.ModelFailed) -> None:
        for sums in self._all(stamped.ts, failed.provider):
            sums.cost_micro += failed.cost_micro
        if failed.cost_micro:
            named(self.stats.tools, NO_TOOL, Tool).cost_micro += failed.cost_micro
        self._took(stamped.step, 0, failed.duration_ms)
        self.stats.events["model calls that failed"] += 1

    def _decided(self, step: int, decided: e.ApprovalDecided) -> None:
        judge = named(self.stats.judges, decided.by, Judge)
        judge.asked += 1
        judge.yes += decided.decision == "approve"
        ms = round(decided.waited_s * 1000)
        if decided.by != SCRIPT:
            judge.waited_ms.add(ms)
        if is_person(decided.by):
            self._took(step, 2, ms)

    def _finished(self, step: int, done: e.ToolFinished) -> None:
        if done.shared_with:
            return
        tool = named(self.stats.tools, done.tool, Tool)
        if not done.ran:
            tool.refused += 1
            tool.errors[done.code or done.error_type or "refused"] += 1
            return
        failed = done.status == "error"
        tool.attempts += 1
        tool.calls += done.final
        tool.failures += done.final and failed
        tool.ms.add(done.duration_ms)
        if failed:
            tool.errors[done.error_type or "unknown"] += 1
        self._took(step, 1, done.duration_ms)

    def _took(self, step: int, part: int, ms: int) -> None:
        self.times.setdefault(step, [0, 0, 0, 0])[part] += ms

    def _all(self, ts: float, provider: str) -> tuple[Sums, Sums, Sums]:
        """All sums of this run that a model call counts for."""
        return self.mine, self._within("day", day(ts)), self._within("provider", provider)

    def _within(self, kind: str, name: str) -> Sums:
        found = self.within.get((kind, name))
        if found is None:
            found = self.within[kind, name] = Sums(runs=1)
        return found


def is_person(name: str) -> bool:
    """Whether somebody answered, and no script, program or policy."""
    return name not in {SCRIPT, "policy"} and not name.startswith(REVIEWER)


def _pause(event: e.Event) -> tuple[int, float]:
    """Which of PARTS waits for so many seconds."""
    match event:
        case e.Waited(refused=False, seconds=seconds, provider=provider):
            return (3 if provider else 1), seconds
        case e.Retried(delay_s=seconds, call_id=call_id):
            return (1 if call_id else 3), seconds
        case _:
            return 0, 0.0


def _happened(event: e.Event) -> str:
    match event:
        case e.Waited(refused=False, provider=provider) if provider:
            return "waits for a full minute"
        case e.Retried(call_id=call_id):
            return "tool retries" if call_id else "model retries"
        case e.CircuitMoved(from_=before, to="open") if before != "open":
            return "circuits opened"
        case e.BudgetCounted(state="warning"):
            return "limits that came close"
        case e.Decided(decision="land"):
            return "limits reached"
        case _:
            return _WORDS.get(type(event), "")


_WORDS: Final[dict[type, str]] = {
    e.FellBack: "fallbacks",
    e.LoopSeen: "loops",
    e.ContextTrimmed: "context trims",
    e.InjectionSuspected: "suspected injections",
    e.HandedOff: "handed over to a person",
}


KINDS: Final = (
    e.ModelReplied, e.ModelFailed, e.ToolFinished, e.ApprovalRequested, e.ApprovalDecided, e.Waited, e.Retried,
    e.FellBack, e.LoopSeen, e.CircuitMoved, e.ContextTrimmed, e.BudgetCounted, e.Decided, e.InjectionSuspected,
    e.HandedOff,
)  # fmt: skip
"""What the fold looks at; whoever reads may leave out everything else."""


_EPOCH: Final = date(1970, 1, 1).toordinal()


def day(ts: float) -> str:
    """`2026-01-31`, in UTC."""
    return _day(int(ts // 86_400))


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    return date.fromordinal(_EPOCH + number).isoformat()
