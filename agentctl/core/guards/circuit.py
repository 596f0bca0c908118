"""A provider or a tool that keeps failing is left alone for a while, then probed gently."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from agentctl.core.bounds import Count, Seconds, Share, table
from agentctl.core.events import ModelAsked, ModelFailed, ModelReplied, Stamped, ToolFinished, ToolStarted


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
MOST_OUTCOMES = 100
"""Outcomes that a rate is judged by."""
FAULTS = frozenset({"overloaded", "server", "timeout", "connection", "truncated", "malformed"})
"""Failures that speak of a provider's health; 429 and other 4xx do not."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of one provider or tool.

    closed ── failures in a row, or their rate ──▶ open ── recovery_s ──▶ half open ── a probe answered ──▶ closed
                                                     ▲────────── the probe failed ──────┘

    The phase is computed from this and the rules; nothing but outcomes is stored. A success that was asked for before
    the last failure closes nothing.
    """

    failures: int = 0
    """In a row."""
    outcomes: tuple[tuple[float, bool], ...] = ()
    """When and whether it answered. Bound: MOST_OUTCOMES."""
    failed_at: float = 0.0
    asked_at: float = 0.0
    probing: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Circuits by name: a provider's identity, or `tool:NAME`. Bound: the policy's providers and the task's tools."""

    circuits: dict[str, Circuit]


EMPTY = State({})
CLOSED = Circuit()


def tool_name(tool: str) -> str:
    """What a tool's circuit is called."""
    return f"tool:{tool}"


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    ts = stamped.ts
    match stamped.event:
        case ModelAsked(identity=name, probe=probe):
            return _ask(state, name, ts, probe=probe)
        case ModelReplied(identity=name):
            return _record(state, name, ts, ok=True)
        case ModelFailed(identity=name, kind=kind, status=status) if faulty(kind, status):
            return _record(state, name, ts, ok=False)
        case ToolStarted(tool=tool, probe=probe):
            return _ask(state, tool_name(tool), ts, probe=probe)
        case ToolFinished(tool=tool, ran=True, error_type=error):
            if error == "permanent":
                return state
            return _record(state, tool_name(tool), ts, ok=error is None)
        case _:
            return state


def faulty(kind: str, status: int | None) -> bool:
    """Whether a failed model call counts."""
    return kind in FAULTS and not (status is not None and 400 <= status < 500)


def _ask(state: State, name: str, ts: float, *, probe: bool) -> State:
    circuit = state.circuits.get(name, CLOSED)
    if circuit is CLOSED and not probe:
        return state
    return _put(state, name, replace(circuit, asked_at=ts, probing=probe))


def _record(state: State, name: str, ts: float, *, ok: bool) -> State:
    circuit = state.circuits.get(name, CLOSED)
    if ok and circuit is CLOSED:
        return _put(state, name, replace(circuit, outcomes=((ts, True),)))
    if ok and circuit.probing and circuit.asked_at >= circuit.failed_at:
        return _put(state, name, CLOSED)
    outcomes = (*circuit.outcomes, (ts, ok))[-MOST_OUTCOMES:]
    if not ok:
        failures = circuit.failures + 1
        changed = Circuit(failures, outcomes, failed_at=ts, asked_at=circuit.asked_at)
        return _put(state, name, changed)
    if circuit.asked_at < circuit.failed_at:
        return _put(state, name, replace(circuit, outcomes=outcomes))
    return _put(state, name, replace(circuit, failures=0, outcomes=outcomes, probing=False))


def _put(state: State, name: str, circuit: Circuit) -> State:
    return State({**state.circuits, name: circuit})


def phase(rules: Rules | ToolRules, circuit: Circuit, now: float) -> Phase:
    """Where it stands: opened by failures in a row or by their rate, whichever came first."""
    recent = [ok for ts, ok in circuit.outcomes if ts > circuit.failed_at - rules.window_s]
    rate = recent.count(False) / len(recent) if len(recent) >= rules.min_calls else 0.0
    if circuit.failures < rules.failure_threshold and rate < rules.failure_rate:
        return "closed"
    if circuit.failed_at == 0.0 or (circuit.failures == 0 and now - circuit.failed_at >= rules.window_s):
        return "closed"
    return "open" if now < circuit.failed_at + rules.recovery_s else "half_open"


def check(rules: Rules | ToolRules, state: State, name: str, now: float) -> Phase:
    """The phase of a circuit by name."""
    circuit = state.circuits.get(name)
    return "closed" if circuit is None else phase(rules, circuit, now)


def until(rules: Rules | ToolRules, state: State, name: str) -> float:
    """When an open circuit lets a probe through, in seconds since the epoch."""
    circuit = state.circuits.get(name, CLOSED)
    return circuit.failed_at + rules.recovery_s
