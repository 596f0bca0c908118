"""What an event adds to the metrics: the conventions' instruments, and agentctl's own for money and people."""

from __future__ import annotations

from typing import Literal

from agentctl.core import events as e
from agentctl.records import dataclass
from agentctl.telemetry import calls
from agentctl.telemetry.span import Attributes, Measure
from agentctl.telemetry.words import UNKNOWN

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))
WAITS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """How a measure is kept; `bounds` are a histogram's."""

    kind: Literal["histogram", "counter"]
    unit: str
    about: str
    bounds: tuple[float, ...] = ()


INSTRUMENTS = {
    "gen_ai.client.operation.duration": Instrument("histogram", "s", "Duration of a model call", SECONDS),
    "gen_ai.client.token.usage": Instrument("histogram", "{token}", "Tokens of a model call", TOKENS),
    "gen_ai.execute_tool.duration": Instrument("histogram", "s", "Duration of one attempt of a tool call", SECONDS),
    "agentctl.cost.usd": Instrument("counter", "{USD}", "What model calls cost"),
    "agentctl.retries": Instrument("counter", "{retry}", "Calls made again"),
    "agentctl.waits": Instrument("counter", "s", "Time in which a run waited for its pace"),
    "agentctl.fallbacks": Instrument("counter", "{fallback}", "Another provider answered from then on"),
    "agentctl.circuits.opened": Instrument("counter", "{circuit}", "Circuits that opened"),
    "agentctl.approvals": Instrument("counter", "{decision}", "Decisions about calls"),
    "agentctl.approval.wait": Instrument("histogram", "s", "How long a call waited for a decision", WAITS),
    "agentctl.loops": Instrument("counter", "{loop}", "Loops that were seen"),
    "agentctl.injections": Instrument("counter", "{injection}", "Suspected injections"),
    "agentctl.drives": Instrument("counter", "{drive}", "Drives of runs that ended"),
}


def of_call(attributes: Attributes, event: e.ModelReplied | e.ModelFailed) -> list[Measure]:
    """The outcome of a model call; `attributes` are its span's."""
    keys = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port")
    about = {key: attributes[key] for key in keys if key in attributes}
    found: list[Measure] = []
    if event.cost_micro:
        found.append(Measure("agentctl.cost.usd", event.cost_micro / 1e6, about))
    if isinstance(event, e.ModelReplied):
        about = {**about, **calls.model(event)}
        for kind, tokens in (("input", event.usage.prompt), ("output", event.usage.output)):
            found.append(Measure("gen_ai.client.token.usage", tokens, {**about, "gen_ai.token.type": kind}))
    else:
        about = {**about, "error.type": event.kind}
        if event.kind == UNKNOWN:  # nobody saw how long it took
            return found
    return [*found, Measure("gen_ai.client.operation.duration", event.duration_ms / 1000, about)]


def of_tool(attributes: Attributes, event: e.ToolFinished) -> list[Measure]:
    """The outcome of one attempt of a tool call."""
    keys = ("gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.type", "error.type")
    about = {key: attributes[key] for key in keys if key in attributes}
    return [Measure("gen_ai.execute_tool.duration", event.duration_ms / 1000, about)]


def of(event: e.Event) -> list[Measure]:
    """What any other event adds."""
    match event:
        case e.Retried(call_id=call_id):
            return [Measure("agentctl.retries", 1, {"of": "tool" if call_id else "model"})]
        case e.Waited(refused=False, seconds=seconds):
            return [Measure("agentctl.waits", seconds)]
        case e.FellBack(from_=before, to=to):
            return [Measure("agentctl.fallbacks", 1, {"from": before, "to": to})]
        case e.CircuitMoved(name=name, from_=before, to="open") if before != "open":
            return [Measure("agentctl.circuits.opened", 1, {"name": name})]
        case e.ApprovalDecided(decision=decision, waited_s=waited):
            about: Attributes = {"decision": decision}
            return [Measure("agentctl.approvals", 1, about), Measure("agentctl.approval.wait", waited, about)]
        case e.LoopSeen(kind=kind):
            return [Measure("agentctl.loops", 1, {"kind": kind})]
        case e.InjectionSuspected(kind=kind):
            return [Measure("agentctl.injections", 1, {"kind": kind})]
        case e.Completed(status=status, reason=reason):
            return [Measure("agentctl.drives", 1, {"status": status, "reason": reason})]
        case _:
            return []
