"""The figures as rows of the table. C88"""

from __future__ import annotations

from agentctl.core.messages import Json, JsonObject
from agentctl.runner.drills.figures.peak import CLIENTS, Peak
from agentctl.runner.drills.figures.recovery import Recovered
from agentctl.runner.drills.figures.row import NONE, Row, absent
from agentctl.runner.drills.figures.sight import Sight
from agentctl.runner.drills.figures.stability import Stable
from agentctl.runner.drills.figures.tolerance import Tolerance

RECOVERY, PEAK, STABILITY, OUTAGE, SIGHT = (
    "Error recovery rate",
    "Cost variance at peak",
    "Context stability",
    "Outage tolerance",
    "Observability",
)
LIFTED = "; limits of money, steps, tokens and time lifted in both columns"
NOBODY_ELSE = "; the policy has no second provider that answers: no guard helps"
FALLS_BACK = "fallback has no switch: {0} that fails is followed by the next provider in both columns"


def recovery_row(naive: list[Recovered], resilient: list[Recovered]) -> Row:
    """Shares of runs that recovered."""
    bad, good = (_share(each) for each in (naive, resilient))
    runs = sum(each.runs for each in resilient)
    note = f"{runs} runs: " + ", ".join(f"{each.runs} x {each.name}" for each in resilient)
    lost = [f"{each.runs - each.recovered} x {each.name} ({each.reasons})" for each in resilient if each.reasons]
    note += LIFTED + (f"; resilient lost {', '.join(lost)}" if lost else "")
    cells = (f"{bad:.0%}", f"{good:.0%}", _percent(good - bad))
    return Row(RECOVERY, *cells, bad, good, "share", note, {"naive": _kinds(naive), "resilient": _kinds(resilient)})


def _share(found: list[Recovered]) -> float:
    return sum(each.recovered for each in found) / sum(each.runs for each in found)


def _kinds(found: list[Recovered]) -> JsonObject:
    return {each.name: {"runs": each.runs, "recovered": each.recovered} for each in found}


def peak_row(naive: Peak, resilient: Peak) -> Row:
    """How many times as much a minute costs."""
    bad, good = round(naive.ratio, 2), round(resilient.ratio, 2)
    note = f"dollars a minute over a calm time, {CLIENTS} clients, every one meets a fault{LIFTED}"
    if naive.unanswered or resilient.unanswered:
        note += f"; without an answer stayed {naive.unanswered} and {resilient.unanswered}, whose money is not spent"
    details: JsonObject = {name: _peak(each) for name, each in (("naive", naive), ("resilient", resilient))}
    return Row(PEAK, f"{bad:.2f}x", f"{good:.2f}x", _percent(good / bad - 1), bad, good, "times", note, details)


def _peak(found: Peak) -> JsonObject:
    return {
        "calm_usd_per_minute": round(found.calm_usd, 4),
        "peak_usd_per_minute": round(found.peak_usd, 4),
        "answered": found.answered,
        "clients": CLIENTS,
        "runs": found.runs,
    }


def stability_row(naive: Stable | None, resilient: Stable | None) -> Row:
    """Turns until the first refusal."""
    if naive is None or resilient is None:
        return absent(STABILITY, "turns", "no tool of the task can be called again and again with other arguments")
    cells = (_turns(naive), _turns(resilient), f"{resilient.turns - naive.turns:+d} turns")
    note = f"largest request: {naive.largest:,} and {resilient.largest:,} tokens{LIFTED}"
    details: JsonObject = {name: _stable(each) for name, each in (("naive", naive), ("resilient", resilient))}
    return Row(STABILITY, *cells, naive.turns, resilient.turns, "turns", note, details)


def _turns(found: Stable) -> str:
    if found.why:
        return f"{found.turns} turns, then {found.why}"
    return f"{found.turns} turns, none refused"


def _stable(found: Stable) -> JsonObject:
    return {"turns": found.turns, "of": found.of, "largest_tokens": found.largest, "ended_by": found.why}


def outage_row(naive: Tolerance, resilient: Tolerance, single: float | None) -> Row:
    """Who failed, and how much longer the others waited."""
    fewer = resilient.failed_share - naive.failed_share
    delta = f"{_percent(fewer)} failed"
    if naive.slower is not None and resilient.slower is not None:
        delta += f", {round(resilient.slower, 1) - round(naive.slower, 1):+.1f}x latency"
    note = f"{naive.clients} clients, the first provider silent{LIFTED}"
    for name, each in (("naive", naive), ("resilient", resilient)):
        note += f"; {name} failed for {each.reasons}" if each.failed else ""
    if naive.own_s is not None:
        note += f"; {FALLS_BACK.format('a call')}"
        note += "" if single is None else f"; with the first provider alone {single:.0%} of the naive fail"
    elif not naive.fallbacks:
        note += NOBODY_ELSE
    details: JsonObject = {name: _tolerance(each) for name, each in (("naive", naive), ("resilient", resilient))}
    details["naive_single_provider_failed"] = single
    shares = naive.failed_share, resilient.failed_share
    return Row(
        OUTAGE, _tolerated(naive), _tolerated(resilient), delta, *shares, "share of clients failed", note, details
    )


def _tolerated(found: Tolerance) -> str:
    later = "" if found.slower is None else f", {found.slower + 1.0:.1f}x latency"
    return f"{found.failed_share:.0%} failed{later}"


def _percent(value: float) -> str:
    """With its sign; there is no -0 %."""
    return f"{round(value, 2) + 0.0:+.0%}"


def _tolerance(found: Tolerance) -> JsonObject:
    slower: Json = None if found.slower is None else round(found.slower + 1.0, 1)
    return {"clients": found.clients, "failed": found.failed, "reasons": found.reasons, "latency_over_fallback": slower}


def sight_row(naive: list[Sight], resilient: list[Sight]) -> Row:
    """Incidents that an event names."""
    bad, good = (sum(each.named for each in found) for found in (naive, resilient))
    of = sum(each.injected for each in resilient)
    missing = [each.kind for each in naive if each.named < each.injected]
    note = f"of {of} incidents; without an event in the naive column: {', '.join(missing) or NONE}"
    cells = (f"{bad} of {of} named", f"{good} of {of} named", f"{good - bad:+d}")
    details: JsonObject = {"naive": _sights(naive), "resilient": _sights(resilient)}
    return Row(SIGHT, *cells, bad, good, "incidents", note, details)


def _sights(found: list[Sight]) -> JsonObject:
    return {each.kind: {"injected": each.injected, "named": each.named} for each in found}
