"""What happened to a run besides its calls, as the events of its span.

Names, numbers and agentctl's own words; what a person, a tool or a server wrote is told with content alone.
"""

from __future__ import annotations

from agentctl.core import events as e
from agentctl.telemetry.span import Attributes
from agentctl.telemetry.words import first

Told = tuple[str, Attributes, dict[str, str]]
"""Name, attributes, and those with content."""


def told(event: e.Event) -> Told | None:
    """What an event is on the span of its run; None: nothing."""
    match event:
        case e.Retried() as retried:
            return "agentctl.retry", {"attempt": retried.attempt, "delay_s": retried.delay_s, **_call(retried)}, {}
        case e.Waited() as waited:
            waiting: Attributes = {"seconds": waited.seconds, "refused": waited.refused, "provider": waited.provider}
            return "agentctl.wait", waiting, {"reason": waited.reason}
        case e.FellBack() as fell:
            whom: Attributes = {"from": fell.from_, "to": fell.to, "why": first(fell.reason)}
            return "agentctl.fallback", whom, {"reason": fell.reason}
        case e.ProviderOut() as out:
            return "agentctl.provider_out", {"provider": out.provider, "why": first(out.reason)}, {"reason": out.reason}
        case e.CircuitMoved() as moved:
            return "agentctl.circuit", {"name": moved.name, "from": moved.from_, "to": moved.to}, {}
        case e.Degraded() as lesser:
            return "agentctl.degraded", {"provider": lesser.provider}, {"notice": lesser.notice}
        case e.ContextTrimmed() as trim:
            left: Attributes = {"tokens": trim.tokens, "limit": trim.limit, "dropped": trim.dropped}
            return "agentctl.context_trimmed", left, {"summary": trim.summary}
        case e.Alerted() as alert:
            crossed: Attributes = {"rule": alert.rule, "value": alert.value, "limit": alert.limit}
            return "agentctl.alert", crossed, {"subject": alert.subject}
        case e.CacheSeen() as cache if cache.miss_reason:
            return "agentctl.cache_missed", {"hit_ratio": cache.hit_ratio}, {"reason": cache.miss_reason}
        case _:
            return _people(event) or _guards(event)


def _people(event: e.Event) -> Told | None:
    match event:
        case e.ApprovalRequested() as asked:
            what: Attributes = {"tool.name": asked.tool, "tier": asked.tier, "rule": asked.rule, **_call(asked)}
            return "agentctl.approval_requested", what, {}
        case e.ApprovalDecided() as decided:
            said: Attributes = {"decision": decided.decision, "by": decided.by, "waited_s": decided.waited_s}
            return "agentctl.approval_decided", {**said, **_call(decided)}, {"why": decided.why}
        case e.CallEdited() as edited:
            return "agentctl.call_edited", {"tool.name": edited.tool, "by": edited.by, **_call(edited)}, {}
        case e.CallSettled() as settled:
            word = {True: "happened", False: "did not happen", None: "unknown"}[settled.happened]
            found: Attributes = {"tool.name": settled.tool, "outcome": word, "by": settled.by}
            return "agentctl.call_settled", {**found, **_call(settled)}, {"why": settled.why}
        case e.HandedOff() as handed:
            return "agentctl.handoff", _call(handed), {"reason": handed.reason, "contact": handed.contact}
        case _:
            return None


def _guards(event: e.Event) -> Told | None:
    match event:
        case e.LoopSeen() as loop:
            seen: Attributes = {"kind": loop.kind, "tool.name": loop.tool, "count": loop.count, "halt": loop.halt}
            return "agentctl.loop", seen, {}
        case e.InjectionSuspected() as found:
            return "agentctl.injection_suspected", {"source": found.tool, "kind": found.kind, **_call(found)}, {}
        case e.BudgetCounted() as spent:
            gauge: Attributes = {"key": spent.key, "used": spent.used, "limit": spent.limit, "state": spent.state}
            return "agentctl.budget", gauge, {}
        case e.Decided() as decided:
            spoke: Attributes = {"seam": decided.seam, "guard": decided.guard, "decision": decided.decision}
            return "agentctl.decision", spoke, {"reason": decided.reason, "message": decided.message}
        case e.Checked() as checked:
            return "agentctl.check", {"passed": checked.passed, "code": checked.code}, {"output": checked.output}
        case e.Failed() as failed:
            return "agentctl.failed", {"code": failed.code}, {"message": failed.message}
        case _:
            return None


def _call(
    event: e.Retried
    | e.ApprovalRequested
    | e.ApprovalDecided
    | e.CallEdited
    | e.CallSettled
    | e.HandedOff
    | e.InjectionSuspected,
) -> Attributes:
    return {"agentctl.call.id": event.call_id} if event.call_id else {}
