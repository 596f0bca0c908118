"""A provider or a tool that keeps failing is left alone for a while, then probed gently.

    closed ── failures in a row, or their rate ──▶ open ── recovery_s ──▶ half open ── a probe answered ──▶ closed
                                                     ▲────────── the probe failed ──────┘

A `Circuit` is shared by all runs on a store: `journal/circuits.py` keeps it, and moves it in transactions by the
functions here. What a run was told of it is a fact of that run (`CircuitMoved`), and all that its `State` remembers.

Rules.
1. An open circuit is closed by the answer to one of its own probes and by nothing else: not by time, not by a success
   that was asked for before the outage.
2. Half open, at most `half_open_probes` are out at a time, however many ask. A probe that is not heard of again gives
   its place back after its patience.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from agentctl.core import envelope
from agentctl.core.bounds import Count, Seconds, Share, table
from agentctl.core.envelope import Envelope
from agentctl.core.events import CircuitMoved, Resumed, Stamped


@table
class ToolRules:
    """The policy's `[circuit.tools]`: the same keys, for tools."""

    failure_threshold: Count = 5
    failure_rate: Share = 0.5
    min_calls: Count = 10
    window_s: Seconds = 60.0
    recovery_s: Seconds = 60.0
    half_open_probes: Count = 1


@table
class Rules:
    """The policy's `[circuit]`."""

    enabled: bool = True
    """False is printed at every start."""
    failure_threshold: Count = 5
    """Failures in a row that open it. A58"""
    failure_rate: Share = 0.5
    """Or this share of failures, of at least `min_calls` within `window_s`. E05"""
    min_calls: Count = 10
    """Calls below which no rate is judged."""
    window_s: Seconds = 60.0
    """The rolling window, in seconds."""
    recovery_s: Seconds = 60.0
    """Seconds until an open circuit lets a probe through. A59"""
    half_open_probes: Count = 1
    """Probes at a time while half open. E10"""
    tools: ToolRules = field(default_factory=ToolRules)
    """The same keys for tools."""


Phase = Literal["closed", "open", "half_open"]
SLICES = 12
"""The rolling window is counted in so many slices."""
FAULTS = frozenset({"overloaded", "server", "timeout", "connection", "truncated", "malformed"})
"""Failures that speak of a provider's health; 429 and other 4xx do not."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The calls of one slice of the window."""

    start: float
    calls: int
    failures: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """What all runs together know of one provider or tool. Times are seconds since the epoch."""

    failures: int = 0
    """In a row."""
    failed_at: float = 0.0
    opened_at: float = 0.0
    """0: it is closed."""
    tallies: tuple[Tally, ...] = ()
    """Bound: SLICES + 1."""
    probes: tuple[tuple[str, float], ...] = ()
    """Who probes, and until when that is waited for. Bound: half_open_probes."""


CLOSED = Circuit()


def phase(rules: Rules | ToolRules, circuit: Circuit, now: float) -> Phase:
    """Where it stands. Half open: one more probe may go."""
    if not circuit.opened_at:
        return "closed"
    if now < circuit.opened_at + rules.recovery_s:
        return "open"
    return "half_open" if len(_living(circuit, now)) < rules.half_open_probes else "open"


def until(rules: Rules | ToolRules, circuit: Circuit, now: float) -> float:
    """When an open circuit may let the next probe through."""
    rested = circuit.opened_at + rules.recovery_s
    return rested if now < rested else min((end for _, end in _living(circuit, now)), default=now)


def probed(circuit: Circuit, owner: str, now: float, patience_s: float) -> Circuit:
    """It is half open, and `owner` probes it."""
    return replace(circuit, probes=(*_living(circuit, now), (owner, now + patience_s)))


def recorded(
    rules: Rules | ToolRules, circuit: Circuit, owner: str, *, ok: bool, asked_at: float, now: float
) -> Circuit:
    """After the outcome of a call that `owner` made at `asked_at`."""
    if circuit.opened_at:
        if owner not in {name for name, _ in circuit.probes}:
            return circuit
        others = tuple(probe for probe in circuit.probes if probe[0] != owner)
        return CLOSED if ok else replace(circuit, failed_at=now, opened_at=now, probes=others)
    tallies = _counted(circuit.tallies, rules.window_s, now, ok=ok)
    if ok:
        fresh = asked_at >= circuit.failed_at
        return replace(circuit, failures=0 if fresh else circuit.failures, tallies=tallies)
    failures = circuit.failures + 1
    opens = failures >= rules.failure_threshold or _too_often(rules, tallies)
    return Circuit(failures, now, now if opens else 0.0, tallies)


def _living(circuit: Circuit, now: float) -> tuple[tuple[str, float], ...]:
    return tuple(probe for probe in circuit.probes if probe[1] > now)


def _counted(tallies: tuple[Tally, ...], window_s: float, now: float, *, ok: bool) -> tuple[Tally, ...]:
    recent = tuple(tally for tally in tallies if tally.start > now - window_s)
    failed = 0 if ok else 1
    if recent and now < recent[-1].start + window_s / SLICES:
        last = recent[-1]
        return (*recent[:-1], Tally(last.start, last.calls + 1, last.failures + failed))
    return (*recent[-SLICES:], Tally(now, 1, failed))


def _too_often(rules: Rules | ToolRules, tallies: tuple[Tally, ...]) -> bool:
    calls = sum(tally.calls for tally in tallies)
    return calls >= rules.min_calls and sum(tally.failures for tally in tallies) >= rules.failure_rate * calls


def faulty(kind: str, status: int | None) -> bool:
    """Whether a failed model call counts."""
    return kind in FAULTS and not (status is not None and 400 <= status < 500)


# --- What a run was told --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """Which circuits are open as far as this run was told: a provider's name, or `tool:NAME`, and until when.

    Bound: the policy's providers and the task's tools.
    """

    open: dict[str, float]


EMPTY = State({})


def tool_name(tool: str) -> str:
    """What a tool's circuit is called."""
    return f"tool:{tool}"


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case CircuitMoved(name=name, to="open", until=end):
            return State({**state.open, name: end})
        case CircuitMoved(name=name, to="closed") if name in state.open:
            return State({known: end for known, end in state.open.items() if known != name})
        case Resumed():
            return EMPTY
        case _:
            return state


def check(rules: Rules, state: State, name: str, now: float) -> float:
    """Seconds for which a circuit stays open as far as this run knows; 0: it may be asked."""
    return max(0.0, state.open.get(name, 0.0) - now) if rules.enabled else 0.0


def unhealthy() -> Envelope:
    """The answer of a tool that is left alone. E08"""
    return envelope.transient("upstream is unhealthy")
