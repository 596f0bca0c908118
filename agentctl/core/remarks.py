"""What single events say in the trace: a name, what stands in its brackets, and its tone."""

from __future__ import annotations

import json
from typing import Literal

from agentctl.core import events as e
from agentctl.core.messages import Json

Tone = Literal["plain", "good", "warn", "bad", "quiet"]


def remark(event: e.Event) -> tuple[str, str, Tone] | None:
    """The row of an event that stands for itself; None: it has none."""
    return _about_model(event) or _about_run(event) or _about_rest(event)


def _about_model(event: e.Event) -> tuple[str, str, Tone] | None:
    match event:
        case e.Waited(reason=reason, seconds=seconds, refused=refused):
            return "wait", f"{seconds:,.1f}s, {reason}{', too long' if refused else ''}", "warn" if refused else "quiet"
        case e.FellBack() as fell:
            return "fallback", f"{fell.from_} → {fell.to or 'nobody'}, {short(fell.reason, 80)}", "warn"
        case e.ProviderOut(provider=provider, reason=reason):
            return "provider.out", f"{provider}, {short(reason, 80)}", "bad"
        case e.ContextTrimmed(dropped=dropped, tokens=tokens, summary=summary):
            how = "summarised" if summary else "dropped"
            return "context.trim", f"{dropped:,} messages {how}, {tokens:,} tokens left", "warn"
        case e.Decided(decision="no_summary", reason=reason):
            return "context.summary", f"none: {short(reason, 80)}", "warn"
        case e.CacheSeen(hit_ratio=ratio, miss_reason=why) if why:
            return "cache.miss", f"hit ratio {ratio:.1%}, {why}", "warn"
        case e.Degraded(provider=provider, notice=notice):
            return "degraded", f"{provider}, {short(notice, 80)}", "warn"
        case _:
            return None


def _about_run(event: e.Event) -> tuple[str, str, Tone] | None:
    match event:
        case e.Checked(passed=True, duration_ms=ms):
            return "check", f"{ms:,}ms, passed", "good"
        case e.Checked(code=code, duration_ms=ms):
            return "check", f"{ms:,}ms, failed (exit {code})", "bad"
        case e.BudgetCounted() as counted:
            return f"budget.{counted.key}", f"{counted.state}, {counted.used:g} of {counted.limit:g}", "warn"
        case e.Decided(decision="land") as landing:
            return "landing", f"{landing.reason}, {short(landing.message, 100)}", "warn"
        case e.InjectionSuspected(tool=tool, kind=kind):
            return f"injection.{tool}", f"suspected, {kind.replace('_', ' ')}", "warn"
        case e.Decided(guard="route", reason=reason):
            return "route", short(reason, 100), "quiet"
        case e.Decided(decision="say") as said:
            return "nudge", f"{said.guard}, {said.reason}", "quiet"
        case e.Resumed() as resumed:
            return "run.resumed", _raised(resumed), "plain"
        case e.Failed(code=code, message=message):
            return "error", f"{code}, {short(message, 100)}", "bad"
        case _:
            return None


def _about_rest(event: e.Event) -> tuple[str, str, Tone] | None:
    match event:
        case e.RunStarted(untrusted=sources) if sources:
            return "run.variables", f"untrusted from {', '.join(sources)}", "quiet"
        case e.LoopSeen(kind="cycle") as loop:
            return f"loop.{loop.tool}", f"cycle of {loop.window} calls, round {loop.count}", "warn"
        case e.LoopSeen(kind="stall") as loop:
            return f"loop.{loop.tool}", f"stall, {loop.count} of the last {loop.window} results are the same", "warn"
        case e.LoopSeen() as loop:
            return f"loop.{loop.tool}", f"{loop.kind}, {loop.count} times within {loop.window}", "warn"
        case e.Decided(guard="approval", decision="remembered", reason=tool):
            return f"approval.{tool}", "remembered: the very same call was approved for this run", "quiet"
        case e.Decided(guard="approval", decision="misfit", reason=reason):
            return "approval", f"not taken: {short(reason, 100)}", "warn"
        case e.Forked() as forked:
            goal = f", goal: {short(forked.goal, 80)}" if forked.goal else ""
            return "run.forked", f"from {forked.parent} at {forked.at}, by {forked.by}{goal}", "plain"
        case e.Alerted() as alert:
            usual = f", usual {alert.baseline:,.6g}" if alert.baseline else ""
            said = f"{short(alert.subject, 80)}, {alert.value:,.6g} where {alert.limit:,.6g} is the limit{usual}"
            return f"alert.{alert.rule}", said, "warn"
        case e.HandedOff(reason=reason, contact=contact):
            return "handoff", f"{short(contact, 80)}, {short(reason, 100)}", "warn"
        case _:
            return None


def _raised(resumed: e.Resumed) -> str:
    parts = [f"by {resumed.by}"]
    if resumed.add_micro:
        parts.append(f"+${resumed.add_micro / 1e6:.2f}")
    if resumed.add_steps:
        parts.append(f"+{resumed.add_steps:,} steps")
    if resumed.add_tokens:
        parts.append(f"+{resumed.add_tokens:,} tokens")
    return ", ".join(parts)


def usd(micro: int) -> str:
    """Four decimals. D58"""
    return f"${micro / 1e6:,.4f}"


def short(value: Json, most: int = 400) -> str:
    """On one line, head and tail where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    return f"{text[: most * 3 // 4]}… ({len(text):,} characters) …{text[-most // 8 :]}"
