"""Who is open: every circuit of a store, as the rules of a policy see it now."""

from __future__ import annotations

from typing import Literal

from agentctl.core.guards import circuit
from agentctl.core.guards.circuit import Phase, Rules, ToolRules
from agentctl.errors import Forbidden
from agentctl.journal import circuits
from agentctl.journal.circuits import Row
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import scopes

Kind = Literal["provider", "tool"]
WORST_FIRST: tuple[Phase, ...] = ("open", "half_open", "closed")


@dataclass(frozen=True, slots=True)
class Line:
    """One circuit. Times are seconds since the epoch."""

    name: str
    kind: Kind
    state: Phase
    failures: int
    """In a row."""
    opened_at: float | None
    """None: it is closed."""
    retry_at: float | None
    """When the next probe may go; None: at once, or it is closed."""
    rehearsed: bool


def lines(tx: Tx, rules: Rules | None, now: float, *, rehearsed: bool) -> list[Line]:
    """The worst first, then by name. Without rules each rests for as long as whoever opened it leaves it alone."""
    found = [_line(row, rules, now) for row in circuits.listing(tx)]
    kept = [line for line in found if rehearsed or not line.rehearsed]
    return sorted(kept, key=lambda line: (WORST_FIRST.index(line.state), line.name))


def named(tx: Tx, text: str) -> str:
    """The circuit of this name, else the only one whose name holds the text; those of rehearsals come last.

    Raises:
        Forbidden: there is none, or there are several.
    """
    names = [row.name for row in circuits.listing(tx)]
    if text in names:
        return text
    real = [name for name in names if not _is_rehearsed(name)]
    found = [name for name in real if text in name] or [name for name in names if text in name]
    if len(found) == 1:
        return found[0]
    if found:
        raise Forbidden(f"several circuits have {text!r} in their name: {', '.join(found)}", hint="Write more of it.")
    there = ", ".join(real) or "none"
    raise Forbidden(f"no circuit has {text!r} in its name; there is: {there}", hint="agentctl circuits")


def _is_rehearsed(name: str) -> bool:
    return name.startswith(scopes.REHEARSAL)


def _line(row: Row, rules: Rules | None, now: float) -> Line:
    rehearsed = _is_rehearsed(row.name)
    bare = row.name.split(":", 2)[2] if rehearsed else row.name
    kind: Kind = "tool" if bare.startswith("tool:") else "provider"
    at = row.circuit
    under: Rules | ToolRules = (rules or Rules()).tools if kind == "tool" else (rules or Rules())
    if rules is None:
        under = circuit.as_opened(under, at)
    state, until = circuit.phase(under, at, now), None
    if state == "open":
        until = circuit.until(under, at, now)
        if now >= at.opened_at + under.recovery_s:
            state = "half_open"  # its probes are out: for whoever asks now it is as good as open
    return Line(row.name, kind, state, at.failures, at.opened_at or None, until, rehearsed)
