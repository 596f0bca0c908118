"""Incidents in words: one line for a table, title and body for a message. For people, and in the unit of the rule."""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.core.incidents import Incident

MOST = 20
"""Incidents that one message tells in full."""
LONGEST = 120
SECONDS = ("slow_vs_median", "parked")
SHARES = ("tool_error_rate", "burn_by_midday", "min_hit_ratio")
NAMES = {
    "tool_error_rate": "a tool fails too often",
    "burn_by_midday": "a budget is spent too early",
    "slow_vs_median": "a run takes much longer than its task does",
    "cost_vs_median": "a run costs much more than its task does",
    "injections_vs_baseline": "more suspected injections than usual",
    "run_failed": "a run failed",
    "parked": "a call waits for a person",
    "min_hit_ratio": "the prompt cache is hardly read",
}


def amount(rule: str, value: float) -> str:
    """`42.0%`, `1,204s`, `$0.0184`, `7`."""
    if rule in SHARES:
        return f"{value:.1%}"
    if rule in SECONDS:
        return f"{value:,.1f}s" if value < 100 else f"{value:,.0f}s"
    return f"${value:,.4f}" if rule == "cost_vs_median" else f"{value:,.6g}"


def whence(incident: Incident) -> str:
    """What the limit comes of: `5 times 12.0s, 42 runs`; empty: it stands in the policy."""
    base = incident.baseline
    if base is None:
        return ""
    of = f"suspected in 7 days: {base.count:,}" if incident.rule == "injections_vs_baseline" else f"{base.count:,} runs"
    return f"{base.factor:g} times {amount(incident.rule, base.value)}, {of}"


def command(incident: Incident) -> str:
    """The next command of who has read it."""
    match incident.rule:
        case "parked":
            return f"agentctl approvals {incident.run_id}"
        case "burn_by_midday":
            return "agentctl budget"
        case "min_hit_ratio":
            return "agentctl cache stats"
        case _:
            return f"agentctl trace {incident.run_id}" if incident.run_id else "agentctl alerts"


def title(incidents: Sequence[Incident]) -> str:
    """One short line."""
    first = incidents[0]
    kind = "rehearsal: " if first.rehearsed else ""
    if len(incidents) == 1:
        return f"agentctl: {kind}{NAMES[first.rule]}: {first.subject}"[:LONGEST]
    rules = ", ".join(sorted({each.rule for each in incidents}))
    return f"agentctl: {kind}{len(incidents)} alerts: {rules}"[:LONGEST]


def body(incidents: Sequence[Incident]) -> str:
    """Each with its value, its limit and the next command."""
    parts = ["\n".join(_told(each)) for each in incidents[:MOST]]
    if len(incidents) > MOST:
        parts.append(f"and {len(incidents) - MOST} more: agentctl alerts")
    return "\n\n".join(parts)


def _told(incident: Incident) -> list[str]:
    rule, sign = incident.rule, "<" if incident.rule == "min_hit_ratio" else ">"
    base = f" ({whence(incident)})" if incident.baseline else ""
    lines = [
        f"{rule}: {incident.subject}",
        f"value: {amount(rule, incident.value)} {sign} limit: {amount(rule, incident.limit)}{base}",
    ]
    if incident.run_id:
        lines.append(f"run: {incident.run_id}")
    return [*lines, f"next: {command(incident)}"]
