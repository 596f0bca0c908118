"""A provider or a tool that keeps failing is left alone for a while, then probed gently.

    closed ── failures in a row, or their rate ──▶ open ── recovery_s ──▶ half open ── a probe answered ──▶ closed
                                                     ▲────────── the probe failed ──────┘

A `Circuit` is shared by all runs on a store: `journal/circuits.py` keeps it, and moves it in transactions by the
functions here. What a run was told of it is a fact of that run (`CircuitMoved`), and all that its `State` remembers.

Rules.
1. An open circuit is closed by the answer to one of its own probes and by nothing else: not by time, not by a success
   that was asked for before the outage.
2. Half open, at most `half_open_probes` are out at a time, however many ask. A probe that is not heard of again gives
   its place back after its patience; should it be answered after all, that closes the circuit as well.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.core import clock, envelope
from agentctl.core.bounds import Count, Seconds, Share, table
from agentctl.core.envelope import Envelope
from agentctl.core.events import CircuitMoved, Resumed, Stamped
from agentctl.records import dataclass, replace


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
    """The rolling window, in seconds; at most 600 are looked back at."""
    recovery_s: Seconds = 60.0
    """Seconds until an open circuit lets a probe through. A59"""
    half_open_probes: Count = 1
    """Probes at a time while half open. E10"""
    tools: ToolRules = field(default_factory=ToolRules)
    """The same keys for tools."""


Phase = Literal["closed", "open", "half_open"]
GRAIN_S = 5.0
"""Calls are counted in slices so long."""
LONGEST_S = 600.0
"""A longer window than this is not looked back at."""
MOST_PROBES = 16
"""Probes whose answers still close a circuit, since it opened."""
FAULTS = frozenset({"overloaded", "server", "timeout", "connection", "truncated", "malformed"})
"""Failures that speak of a provider's health; 429 and other 4xx do not."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The calls of one slice of time."""

    start: float
    calls: int
    failures: int


@dataclass(frozen=True, slots=True)
class Probe:
    """A call that tests an open circuit."""

    owner: str
    at: float
    until: float
    """For how long its place is kept."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What all runs together know of one provider or tool. Times are seconds since the epoch."""

    failures: int = 0
    """In a row."""
    failed_at: float = 0.0
    opened_at: float = 0.0
    """0: it is closed."""
    tallies: tuple[Tally, ...] = ()
    """Bound: LONGEST_S / GRAIN_S, and one."""
    probes: tuple[Probe, ...] = ()
    """Bound: MOST_PROBES, or half_open_probes where that is more."""
    rests_s: float = 0.0
    """For how long whoever opened it leaves it alone, in seconds; 0: it is closed, or nobody wrote it down."""


CLOSED = Circuit()


def phase(rules: Rules | ToolRules, circuit: Circuit, now: float) -> Phase:
    """Where it stands. Half open: one more probe may go."""
    if not circuit.opened_at:
        return "closed"
    if clock.past(circuit.opened_at, now) and now < circuit.opened_at + rules.recovery_s:
        return "open"
    return "half_open" if len(_out(circuit, now)) < rules.half_open_probes else "open"


def until(rules: Rules | ToolRules, circuit: Circuit, now: float) -> float:
    """When an open circuit may let the next probe through."""
    rested = circuit.opened_at + rules.recovery_s
    if clock.past(circuit.opened_at, now) and now < rested:
        return rested
    return min((probe.until for probe in _out(circuit, now)), default=now)


def as_opened(rules: Rules | ToolRules, circuit: Circuit) -> Rules | ToolRules:
    """The rules with the rest of whoever opened it: what a person is told, whose policy has another one."""
    return replace(rules, recovery_s=circuit.rests_s) if circuit.rests_s else rules


def probed(rules: Rules | ToolRules, circuit: Circuit, owner: str, now: float, patience_s: float) -> Circuit:
    """It is half open, and `owner` probes it."""
    most = max(MOST_PROBES, rules.half_open_probes)
    return replace(circuit, probes=(*circuit.probes, Probe(owner, now, now + patience_s))[-most:])


def recorded(
    rules: Rules | ToolRules, circuit: Circuit, owner: str, *, ok: bool | None, asked_at: float, now: float
) -> Circuit:
    """After the outcome of a call that `owner` made at `asked_at`; None: it was cut short, and nobody knows."""
    if circuit.opened_at:
        if owner not in {probe.owner for probe in circuit.probes}:
            return circuit
        others = tuple(probe for probe in circuit.probes if probe.owner != owner)
        if ok is None:
            return replace(circuit, probes=others)
        if ok:
            return CLOSED
        return replace(circuit, failed_at=now, opened_at=now, probes=others, rests_s=rules.recovery_s)
    if ok is None:
        return circuit
    tallies = _counted(circuit.tallies, now, ok=ok)
    if ok:
        fresh = asked_at >= circuit.failed_at or not clock.past(circuit.failed_at, now)
        return replace(circuit, failures=0 if fresh else circuit.failures, tallies=tallies)
    failures = circuit.failures + 1
    opens = failures >= rules.failure_threshold or _too_often(rules, tallies, now)
    return Circuit(failures, now, now if opens else 0.0, tallies, rests_s=rules.recovery_s if opens else 0.0)


def _out(circuit: Circuit, now: float) -> tuple[Probe, ...]:
    """The probes that are still waited for."""
    return tuple(probe for probe in circuit.probes if clock.past(probe.at, now) and now < probe.until)


def _counted(tallies: tuple[Tally, ...], now: float, *, ok: bool) -> tuple[Tally, ...]:
    """One more call, on a grid that is the same for all policies."""
    start, failed = now // GRAIN_S * GRAIN_S, 0 if ok else 1
    recent = tuple(tally for tally in tallies if now - LONGEST_S < tally.start <= now)
    if recent and recent[-1].start == start:
        last = recent[-1]
        return (*recent[:-1], Tally(start, last.calls + 1, last.failures + failed))
    return (*recent, Tally(start, 1, failed))


def _too_often(rules: Rules | ToolRules, tallies: tuple[Tally, ...], now: float) -> bool:
    within = [tally for tally in tallies if tally.start + GRAIN_S > now - rules.window_s]
    calls = sum(tally.calls for tally in within)
    return calls >= rules.min_calls and sum(tally.failures for tally in within) >= rules.failure_rate * calls


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
    told: dict[str, float] = field(default_factory=dict[str, float])
    """When it was told of each: what it was told by a clock that has been set back since, it asks again."""


EMPTY = State({})


def tool_name(tool: str) -> str:
    """What a tool's circuit is called."""
    return f"tool:{tool}"


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case CircuitMoved(name=name, to="open", until=end):
            return State({**state.open, name: end}, {**state.told, name: stamped.ts})
        case CircuitMoved(name=name, to="closed") if name in state.open:
            return State(_without(state.open, name), _without(state.told, name))
        case Resumed():
            return EMPTY
        case _:
            return state


def _without(moments: dict[str, float], name: str) -> dict[str, float]:
    return {known: moment for known, moment in moments.items() if known != name}


def check(rules: Rules, state: State, name: str, now: float) -> float:
    """Seconds for which a circuit stays open as far as this run knows; 0: it may be asked."""
    believed = rules.enabled and clock.past(state.told.get(name, now), now)
    return max(0.0, state.open.get(name, 0.0) - now) if believed else 0.0


def unhealthy() -> Envelope:
    """The answer of a tool that is left alone. E08"""
    return envelope.transient("upstream is unhealthy")
