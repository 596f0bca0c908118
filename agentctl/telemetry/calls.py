"""A span that is open, and what model calls and tool calls carry.

`tool.args` is told with content alone: arguments are the model's words, of whatever it has read. Without it a span has
their size and the journal's keyed digest, by which equal calls are found and nothing else. D55
"""

from __future__ import annotations

import json
import re
from dataclasses import field
from typing import Literal, TypeAlias

from agentctl.core import events as e
from agentctl.records import dataclass
from agentctl.telemetry import words
from agentctl.telemetry.span import Attributes, Happening, Link, Span, Value, span_id

name_of_error = re.compile(r"[A-Z][A-Z_]{0,39}")
name_of_model = re.compile(r"[\w.:/@+-]{1,128}", re.ASCII)

Kind: TypeAlias = Literal["internal", "client"]
Status: TypeAlias = Literal["unset", "ok", "error"]


@dataclass(slots=True)
class Open:
    """A span that waits for its end."""

    name: str
    kind: Kind
    trace_id: int
    run_id: str
    seq: int
    parent: int | None
    start: float
    attributes: Attributes = field(default_factory=dict[str, Value])
    forked: bool = False
    """A drive that a fork began and nobody has gone on with."""

    @property
    def id(self) -> int:
        """Its id."""
        return span_id(self.run_id, self.seq)

    def closed(
        self,
        end: float,
        more: Attributes,
        status: Status = "unset",
        text: str = "",
        happenings: tuple[Happening, ...] = (),
        dropped: int = 0,
        links: tuple[Link, ...] = (),
    ) -> Span:
        """The span as it ended; a clock that was set back makes it short, not negative."""
        about, ended = self.attributes | more, max(self.start, end)
        where = self.trace_id, self.id, self.parent
        return Span(self.name, self.kind, *where, self.start, ended, about, happenings, dropped, status, text, links)

    def failed(self, end: float, kind: str, text: str, more: Attributes | None = None, *, named: str = "") -> Span:
        """The span of a call that failed, with its exception as an event. D56"""
        message = text or f"{named or kind}".replace("_", " ")
        about: Attributes = {"exception.type": named or kind, "exception.message": message}
        raised = Happening("exception", max(self.start, end), about)
        return self.closed(end, {**(more or {}), "error.type": kind}, "error", message, (raised,))


def asked(event: e.ModelAsked, task: str, *, rehearsed: bool) -> Attributes:
    """What is known of a model call when it begins. In a rehearsal nobody's server is asked."""
    about: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": words.sdk(event.identity),
        "gen_ai.agent.name": task,
        "gen_ai.request.model": event.model,
        "gen_ai.request.max_tokens": event.max_output_tokens,
        "agentctl.label": words.LABELS[event.purpose],
        "agentctl.provider": event.provider,
        "agentctl.purpose": event.purpose,
        "agentctl.attempt": event.attempt,
        "agentctl.estimated_tokens": event.estimated_tokens,
        "agentctl.reserved_usd": event.reserved_micro / 1e6,
    }
    probe: Attributes = {"agentctl.probe": True} if event.probe else {}
    return about | probe | ({} if rehearsed else words.server(event.identity))


def replied(event: e.ModelReplied) -> Attributes:
    """What came of it."""
    return {
        **model(event),
        "gen_ai.response.finish_reasons": (words.FINISH.get(event.stop_reason, event.stop_reason),),
        **words.usage(event),
        "agentctl.cost_usd": event.cost_micro / 1e6,
    }


def model(event: e.ModelReplied) -> Attributes:
    """Which model it says that it is, where that is a name: a server may say anything there."""
    return {"gen_ai.response.model": event.model} if name_of_model.fullmatch(event.model) else {}


def failed(event: e.ModelFailed) -> Attributes:
    """What did not."""
    about: Attributes = {"agentctl.cost_usd": event.cost_micro / 1e6}
    if event.status is not None:
        about["http.response.status_code"] = event.status
    if event.retry_after_s is not None:
        about["agentctl.retry_after_s"] = event.retry_after_s
    return about


def started(event: e.ToolStarted, task: str, wire: str) -> Attributes:
    """What is known of a tool call when it begins. `wire`: the model's id of it."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.agent.name": task,
        "gen_ai.tool.name": event.tool,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": wire,
        "tool.name": event.tool,
        "tool.args.size": len(json.dumps(event.args, ensure_ascii=False).encode(errors="replace")),
        "agentctl.label": f"tool.{event.tool}",
        "agentctl.call.id": event.call_id,
        "agentctl.tier": event.tier,
        "agentctl.attempt": event.attempt,
        "agentctl.effect": event.effect,
        "agentctl.timeout_s": event.timeout_s,
        **({"agentctl.probe": True} if event.probe else {}),
    }


def finished(event: e.ToolFinished) -> Attributes:
    """What came of an attempt."""
    about: Attributes = {
        "tool.status": event.status,
        "tool.retry_safe": event.retry_safe,
        "agentctl.result_tokens": event.tokens,
    }
    if event.key:
        about["tool.args.digest"] = event.key
    return about | code(event)


def answered(event: e.ToolFinished) -> Attributes:
    """A call that was answered without an attempt."""
    about: Attributes = {
        "tool.name": event.tool,
        "agentctl.call.id": event.call_id,
        "tool.status": event.status,
        "tool.retry_safe": event.retry_safe,
        "ran": event.ran,
    }
    if event.shared_with:
        about["shared_with"] = event.shared_with
    return about | code(event)


def code(event: e.ToolFinished) -> Attributes:
    """The code of an error, where it is a name: a tool may say anything there."""
    return {"agentctl.code": event.code} if event.code and name_of_error.fullmatch(event.code) else {}
