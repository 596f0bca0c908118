"""What somebody should hear of: measurements in, findings out. No clock, no store.

Rules. A limit that is met is not crossed: only what is above it fires (`min_hit_ratio`: what is below it). A limit
that stands for a multiple is worked out of a baseline, the last 7 days; without enough of a baseline nothing fires. C75

    tool_error_rate         share of a tool's calls that failed within window_s, of at least MIN_CALLS
    burn_by_midday          share of a budget that is spent before half of its window is over
    slow_vs_median          seconds of a run, against the median of its task's completed runs, of at least MIN_RUNS
    cost_vs_median          its dollars, likewise
    injections_vs_baseline  suspected injections within window_s, against what so long a time has seen on average
    run_failed              runs of a task that failed or crashed for one reason
    parked                  seconds that a call has waited for a person, against approval.timeout_s
    min_hit_ratio           share of input read from the cache in the first 100 requests with a prefix
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from agentctl.core import hits
from agentctl.core.policy import Alerts
from agentctl.records import dataclass

Rule = Literal[
    "tool_error_rate", "burn_by_midday", "slow_vs_median", "cost_vs_median", "injections_vs_baseline",
    "run_failed", "parked", "min_hit_ratio",
]  # fmt: skip
MIN_CALLS: Final = 5
"""Calls of a tool within the window, below which its error rate says nothing."""
MIN_RUNS: Final = 5
"""Completed runs of a task within 7 days, below which their median says nothing."""
FLOOR: Final = 1.0
"""Suspected injections per window that count as usual where fewer, or none, were seen."""
BASELINE_S: Final = 7 * 86_400
RECENT_S: Final = 3_600
"""How long ago a run may have ended that is still looked at; a longer window_s counts instead."""
WHOLE_STORE: Final = "store"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a limit was worked out of."""

    value: float
    """In the unit of the limit."""
    count: int
    """Runs or injections that it is of."""
    factor: float
    """The policy's own value, that it is multiplied by."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is crossed."""

    rule: Rule
    subject: str
    """Whose it is: a tool, a budget, a run, a task with the reason, a prefix, the store."""
    value: float
    """A share, seconds, USD or a count, as the rule says."""
    limit: float
    baseline: Baseline | None = None
    run_id: str = ""
    """A run to look at; empty: none."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a tool within the window."""

    tool: str
    made: int
    failed: int
    run_id: str
    """Whose call failed last."""


@dataclass(frozen=True, slots=True)
class Burn:
    """A budget with a window, as it stands."""

    key: str
    """`user_daily_usd:ada`."""
    spent: float
    limit: float
    """Both in one unit."""
    gone: float
    """Share of its window that is over."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is driven, or whose last drive has ended a short time ago."""

    run_id: str
    task: str
    seconds: float
    """Of its last drive."""
    usd: float
    reason: str = ""
    """Why it failed; empty: it did not."""
    waits_s: float = 0.0
    """How long it has waited for a person; 0: it waits for none."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What the completed runs of a task took within 7 days, sorted once: many runs are held against it."""

    runs: Mapping[str, tuple[float, float]]
    """Seconds and USD, by run."""
    seconds: Sequence[float]
    usd: Sequence[float]

    @classmethod
    def of(cls, runs: Mapping[str, tuple[float, float]]) -> Usual:
        """Sort them."""
        return cls(runs, sorted(took for took, _ in runs.values()), sorted(usd for _, usd in runs.values()))


NOTHING_USUAL: Final = Usual({}, (), ())


def errors(rules: Alerts, calls: Iterable[Calls]) -> list[Finding]:
    """Tools that fail too often. D106"""
    enough = (each for each in calls if each.made >= MIN_CALLS)
    found = (
        Finding("tool_error_rate", each.tool, each.failed / each.made, rules.tool_error_rate, None, each.run_id)
        for each in enough
    )
    return _above(found)


def burning(rules: Alerts, budgets: Iterable[Burn]) -> list[Finding]:
    """Budgets that are spent too early. D107"""
    early = (each for each in budgets if each.gone < 1 / 2 and each.limit > 0)
    return _above(Finding("burn_by_midday", each.key, each.spent / each.limit, rules.burn_by_midday) for each in early)


def unusual(rules: Alerts, run: Ran, usual: Usual) -> list[Finding]:
    """A run that takes much longer, or costs much more, than its task's runs do. D108 D110"""
    seconds, usd = usual.runs.get(run.run_id, (None, None))
    slow, dear = rules.slow_vs_median, rules.cost_vs_median
    return [
        *_against(slow, "slow_vs_median", run, round(run.seconds, 3), _Others(usual.seconds, seconds)),
        *_against(dear, "cost_vs_median", run, run.usd, _Others(usual.usd, usd)),
    ]


def _against(factor: float, rule: Rule, run: Ran, value: float, others: _Others) -> list[Finding]:
    if others.count < MIN_RUNS or (middle := others.median()) <= 0:
        return []
    baseline = Baseline(round(middle, 6), others.count, factor)
    return _above([Finding(rule, run.run_id, value, round(factor * middle, 6), baseline, run.run_id)])


@dataclass(frozen=True, slots=True)
class _Others:
    """Sorted values without one of them: a run is not held against itself."""

    ordered: Sequence[float]
    own: float | None

    @property
    def count(self) -> int:
        return len(self.ordered) - (self.own is not None)

    def median(self) -> float:
        half = self.count // 2
        return self._at(half) if self.count % 2 else (self._at(half - 1) + self._at(half)) / 2

    def _at(self, number: int) -> float:
        own = len(self.ordered) if self.own is None else bisect_left(self.ordered, self.own)
        return self.ordered[number + (number >= own)]


def injections(rules: Alerts, seen: int, before: int, before_s: float, run_id: str = "") -> list[Finding]:
    """More suspected injections within the window than usual; `before`: in the `before_s` seconds ahead of it. D109"""
    windows = max(1.0, before_s / rules.window_s)
    usual = max(FLOOR, round(before / windows, 6))
    baseline = Baseline(usual, before, rules.injections_vs_baseline)
    limit = round(rules.injections_vs_baseline * usual, 6)
    return _above([Finding("injections_vs_baseline", WHOLE_STORE, float(seen), limit, baseline, run_id)])


def failures(runs: Iterable[Ran]) -> list[Finding]:
    """Tasks with runs that failed, by reason: an outage is one finding, however many runs it ends. B58"""
    failed: dict[str, list[str]] = {}
    for run in runs:
        if run.reason:
            failed.setdefault(f"{run.task}: {run.reason}", []).append(run.run_id)
    return [Finding("run_failed", subject, float(len(ids)), 0.0, None, ids[0]) for subject, ids in failed.items()]


def parked(runs: Iterable[Ran], timeout_s: float) -> list[Finding]:
    """Runs that wait for a person for longer than a prompt stands."""
    return _above(
        Finding("parked", run.run_id, round(run.waits_s, 3), timeout_s, None, run.run_id) for run in runs
    )  # fmt: skip


def cold(lines: Iterable[hits.Line], least: float) -> list[Finding]:
    """Prefixes that are read from the cache too rarely: the verdict of `cache stats`. A53"""
    found: list[Finding] = []
    for line in lines:
        prompt = line.first_usage.prompt
        ratio = line.first_usage.cache_read / prompt if prompt else 0.0
        if line.first >= hits.FIRST and ratio < least:
            subject = f"{line.key.task} at {line.key.provider} ({line.key.model})"
            found.append(Finding("min_hit_ratio", subject, round(ratio, 4), least))
    return found


def _above(found: Iterable[Finding]) -> list[Finding]:
    return [each for each in found if each.value > each.limit]
