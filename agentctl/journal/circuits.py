"""The circuits that all runs of a store share: one row per provider or tool, moved by the rules of the core.

Whoever asks does so in the transaction of what depends on the answer, so that a half open circuit lets exactly as many
probes through as its rules say, however many processes wait. A row is small and bounded; a circuit that was never
asked of has none.
"""

from __future__ import annotations

import json

from agentctl.core.guards import circuit
from agentctl.core.guards.circuit import Circuit, Phase, Probe, Rules, Tally, ToolRules
from agentctl.journal.tx import Tx
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """Whether one call may be made."""

    name: str
    rules: Rules | ToolRules
    owner: str
    """Who probes, should it be half open: unique to the call."""
    patience_s: float
    """For how long a probe's outcome is waited for."""


@dataclass(frozen=True, slots=True)
class Told:
    """Where a circuit stands."""

    phase: Phase
    """`half_open`: the asker is a probe of it."""
    until: float = 0.0
    """Open: when the next probe may go."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call went."""

    name: str
    rules: Rules | ToolRules
    owner: str
    ok: bool | None
    """None: nobody knows, it was cut short."""
    asked_at: float


@dataclass(frozen=True, slots=True)
class Row:
    """A circuit for people."""

    name: str
    circuit: Circuit
    updated: float


def told(tx: Tx, name: str, rules: Rules | ToolRules, now: float) -> Told:
    """Where it stands, without asking for anything."""
    return standing(rules, read(tx, name), now)


def take(tx: Tx, ask: Ask, now: float) -> Told:
    """Ask to make a call. Half open: the place of a probe is taken."""
    found = read(tx, ask.name)
    probe(tx, ask, found, now)
    return standing(ask.rules, found, now)


def probe(tx: Tx, ask: Ask, found: Circuit, now: float) -> bool:
    """Whether the call is a probe of the circuit that was read: its place is taken then."""
    probes = circuit.phase(ask.rules, found, now) == "half_open"
    if probes:
        _write(tx, ask.name, circuit.probed(ask.rules, found, ask.owner, now, ask.patience_s), now)
    return probes


def record(tx: Tx, outcome: Outcome, now: float) -> Told:
    """Count an outcome; where it stands after it."""
    found = read(tx, outcome.name)
    after = circuit.recorded(outcome.rules, found, outcome.owner, ok=outcome.ok, asked_at=outcome.asked_at, now=now)
    if after is not found:
        _write(tx, outcome.name, after, now)
    return standing(outcome.rules, after, now)


def reset(tx: Tx, name: str) -> bool:
    """Close it and forget what it saw. False: there is no such circuit."""
    return tx.execute("DELETE FROM circuits WHERE name = ?", (name,)).rowcount > 0


def listing(tx: Tx, *, prefix: str = "") -> list[Row]:
    """All of them by name."""
    rows = tx.execute("SELECT name, circuit, updated FROM circuits ORDER BY name").fetchall()
    return [Row(name, _loads(text), updated) for name, text, updated in rows if name.startswith(prefix)]


def read(tx: Tx, name: str) -> Circuit:
    """What is known of it."""
    row = tx.execute("SELECT circuit FROM circuits WHERE name = ?", (name,)).fetchone()
    return circuit.CLOSED if row is None else _loads(row[0])


def standing(rules: Rules | ToolRules, found: Circuit, now: float) -> Told:
    """Where a circuit that was read stands."""
    at = circuit.phase(rules, found, now)
    return Told(at, circuit.until(rules, found, now) if at == "open" else 0.0)


def _write(tx: Tx, name: str, at: Circuit, now: float) -> None:
    tallies = [[tally.start, tally.calls, tally.failures] for tally in at.tallies]
    probes = [[probe.owner, probe.at, probe.until] for probe in at.probes]
    text = json.dumps([at.failures, at.failed_at, at.opened_at, tallies, probes, at.rests_s], separators=(",", ":"))
    tx.execute(
        "INSERT INTO circuits(name, circuit, updated) VALUES(?, ?, ?)"
        " ON CONFLICT(name) DO UPDATE SET circuit = excluded.circuit, updated = excluded.updated",
        (name, text, now),
    )


def _loads(text: str) -> Circuit:
    failures, failed_at, opened_at, tallies, probes, *later = json.loads(text)
    return Circuit(
        failures,
        failed_at,
        opened_at,
        tuple(Tally(start, calls, bad) for start, calls, bad in tallies),
        tuple(Probe(owner, begun, end) for owner, begun, end in probes),
        *later,
    )
