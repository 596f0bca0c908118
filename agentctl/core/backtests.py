"""Many recorded runs decided again under one policy: what differs first in each, and what was never needed.

Theory. A run is judged up to its first difference, so each run counts once: what would have come after it nobody knows.
What was spent from there on is what a stop would have saved *at most*. Whether a rule was ever needed is asked of every
recorded call, since a call was made whatever came of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from agentctl.core import command_rules
from agentctl.core import events as e
from agentctl.core.backtest import Divergence, Kind
from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.messages import Json, is_object
from agentctl.core.policy import Policy
from agentctl.records import dataclass

KINDS: tuple[Kind, ...] = ("ask", "refuse", "stop", "allow", "other")
SAVES: frozenset[Kind] = frozenset({"refuse", "stop"})
"""Differences after which less is spent."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One run under the other policy."""

    run_id: str
    task: str
    policy: str
    """That it was begun under."""
    divergence: Divergence | None
    decisions: int = 0
    """Made again, and the same."""
    passed_over: int = 0
    unspent_micro: int = 0
    """What was spent after the difference, where there would have been a stop; nothing is claimed beyond: at most."""
    unread: int = 0
    """Events that can't be read; it is judged up to the first of them."""
    notes: tuple[str, ...] = ()
    """What it could be judged by alone, in words."""
    why_not: str = ""
    """Why it was not judged at all; empty: it was."""


@dataclass(slots=True)
class Totals:
    """The sums over all runs."""

    runs: int = 0
    judged: int = 0
    differ: int = 0
    decisions: int = 0
    passed_over: int = 0
    unread: int = 0
    unspent_micro: int = 0
    by_guard: dict[str, Counter[str]] = field(default_factory=dict[str, "Counter[str]"])
    """Guard, then kind: in how many runs it is the first to decide otherwise."""

    def add(self, judged: Judged) -> None:
        """Count one run."""
        self.runs += 1
        self.judged += not judged.why_not
        self.decisions += judged.decisions
        self.passed_over += judged.passed_over
        self.unread += judged.unread
        self.unspent_micro += judged.unspent_micro
        if judged.divergence is not None:
            self.differ += 1
            self.by_guard.setdefault(judged.divergence.guard, Counter())[judged.divergence.kind] += 1

    def of(self, kind: str) -> int:
        """In how many runs the first difference is of this kind."""
        return sum(kinds[kind] for kinds in self.by_guard.values())


def unspent(divergence: Divergence | None, events: Iterable[e.Stamped]) -> int:
    """Micro-dollars that were spent from the difference on, where it would have been a stop or a refusal."""
    if divergence is None or divergence.kind not in SAVES:
        return 0
    later = (at.event for at in events if at.seq >= divergence.seq)
    return sum(each.cost_micro for each in later if isinstance(each, e.ModelReplied | e.ModelFailed))


def calls(events: Iterable[e.Stamped]) -> Iterator[tuple[str, Json]]:
    """Every call that a model or a task's own step asked for: tool and arguments, scrubbed; a person's edits too."""
    for at in events:
        match at.event:
            case e.ModelReplied(calls=proposed) | e.StepsPlanned(calls=proposed):
                yield from ((call.tool, call.args) for call in proposed)
            case e.CallEdited(tool=tool, args=args):
                yield tool, args
            case _:
                pass


@dataclass(slots=True)
class Heard:
    """Which rules and tiers by name any recorded call was about. Bound: those of one policy."""

    calls: int = 0
    rules: Counter[int] = field(default_factory=Counter[int])
    tiers: Counter[str] = field(default_factory=Counter[str])

    def hear(self, policy: Policy, reader: risk.Reader, contract: Contract, args: Json) -> None:
        """Look at one call."""
        self.calls += 1
        given = args if is_object(args) else None
        command = contract.command(given) if contract.command is not None and given is not None else None
        ruling = command_rules.tier(policy.risk, contract, given, reader, command)
        self.rules.update(ruling.spoke)
        self.tiers.update(name for name in {contract.name, contract.wire} if name in policy.risk.tiers)


def never(heard: Heard, count: int, tiers: Mapping[str, object] | Sequence[str]) -> tuple[list[int], list[str]]:
    """The numbers of the rules, and the names of the tiers, that no call was about."""
    return [at for at in range(count) if not heard.rules[at]], [name for name in tiers if not heard.tiers[name]]
