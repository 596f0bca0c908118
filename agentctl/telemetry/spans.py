"""The fold from a run's events to its spans.

Rules.
1. One trace is one run. Each drive of it (from `RunStarted`, `Resumed` or `Forked` to `Completed`) is a span
   `invoke_agent`, linked to the drive before it; each model call is a span `chat` below it, each attempt of a tool call
   a span `execute_tool`. What else happened are events of the drive's span.
2. A span is told when the event comes that closes it. A driver that died has told none of its open ones: they are
   closed, as of its last event, when the next one takes over.
3. What a fork copied is its parent's and is told in the parent's trace; the fork's first span links to it.
4. Tokens and dollars stand on model calls alone: a backend adds up what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from agentctl.core import events as e
from agentctl.core.messages import JsonObject
from agentctl.records import dataclass
from agentctl.telemetry import calls, content, happenings, measures
from agentctl.telemetry.calls import Open
from agentctl.telemetry.span import Attributes, Happening, Link, Measure, Span, span_id, trace_id
from agentctl.telemetry.words import UNKNOWN, sdk

MOST_HAPPENINGS = 512
ENDED_WELL = frozenset({"completed"})
WAITING = frozenset({"parked", "paused", "cancelled"})
"""Ends that are no error."""


@dataclass(slots=True)
class Tracing:
    """One run so far. Bound: what is open, and the calls of one reply."""

    content: bool = False
    """Whether what was said is told."""
    task: str = ""
    policy: str = ""
    digest: str = ""
    started: e.RunStarted | None = None
    drive: Open | None = None
    happened: list[Happening] = field(default_factory=list[Happening])
    dropped: int = 0
    asked: dict[str, Open] = field(default_factory=dict[str, Open])
    """Model calls in flight, by purpose."""
    tools: dict[str, Open] = field(default_factory=dict[str, Open])
    wires: dict[str, str] = field(default_factory=dict[str, str])
    """What the model calls a call."""
    links: tuple[Link, ...] = ()
    ended: int = 0
    """The seq that opened the last drive."""
    calls_made: int = 0
    last: float = 0.0
    new: list[JsonObject] = field(default_factory=list[JsonObject])
    """Messages that no request has carried yet."""
    thoughts: list[str] = field(default_factory=list[str])

    def take(self, at: e.Stamped) -> tuple[list[Span], list[Measure]]:
        """Fold one event: the spans that it closes, and what it measures."""
        closed, measured = self._take(at)
        self.last = max(self.last, at.ts)
        if self.started is not None and self.started.rehearsed:
            measured = [Measure(m.name, m.value, {**m.attributes, "agentctl.rehearsed": True}) for m in measured]
        return closed, measured

    def unfinished(self) -> list[Span]:
        """What is open still, as if it ended with the last event."""
        flag: Attributes = {"agentctl.unfinished": True}
        left = [each.closed(self.last, flag) for each in (*self.asked.values(), *self.tools.values())]
        return left if self.drive is None else [*left, self._over(self.drive, self.last, flag, "unset")]

    def _take(self, at: e.Stamped) -> tuple[list[Span], list[Measure]]:
        event = at.event
        match event:
            case e.RunStarted():
                self.started = event
                self._begin(at)
                self._said(content.user(event.goal))
            case e.Forked():
                self._forked(at, event)
            case e.Resumed():
                return self._resumed(at), []
            case e.Completed():
                return self._completed(at, event), measures.of(event)
            case e.ModelAsked():
                self._asks(at, event)
            case e.ModelReplied() | e.ModelFailed():
                return self._answered(at, event)
            case e.ToolStarted():
                self._starts(at, event)
            case e.ToolFinished():
                return self._finished(at, event)
            case _:
                self._beside(at)
                return [], measures.of(event)
        return [], []

    # --- drives ---

    def _begin(self, at: e.Stamped) -> None:
        started, event = self.started, at.event
        if isinstance(event, e.RunStarted):
            self.task, self.policy, self.digest = event.task, event.policy, event.policy_digest
        if isinstance(event, e.Forked | e.Resumed):  # under a policy of its own, named by its file
            self.policy = event.policy.rpartition("/")[2].removesuffix(".toml") or self.policy
            self.digest = event.policy_digest or self.digest
        about: Attributes = {"gen_ai.operation.name": "invoke_agent", **self._common(at)}
        name = "invoke_agent"
        if started is not None:
            name = f"invoke_agent {self.task}"
            about |= {
                "gen_ai.agent.name": self.task,
                "session.id": at.session_id,
                "user.id": started.user,
                "agentctl.policy.name": self.policy,
                "agentctl.policy.digest": self.digest,
            }
            if started.tenant:
                about["agentctl.tenant"] = started.tenant
            if self.content and started.system:
                about["gen_ai.system_instructions"] = content.system(started.system)
        self.drive = Open(name, "internal", trace_id(at.run_id), at.run_id, at.seq, None, at.ts, about)
        self.drive.forked = isinstance(event, e.Forked)
        self.ended, self.calls_made = at.seq, 0
        self.happened, self.dropped = [], 0

    def _forked(self, at: e.Stamped, forked: e.Forked) -> None:
        self.asked, self.tools, self.new = {}, {}, []
        before = span_id(forked.parent, self.ended or 1)
        link = Link(trace_id(forked.parent), before, {"agentctl.link": "forked", "agentctl.forked_at": forked.at})
        self.links = (link,)
        self._begin(at)
        if forked.goal:
            self._said(content.user(forked.goal))

    def _resumed(self, at: e.Stamped) -> list[Span]:
        drive = self.drive
        if drive is not None and drive.forked and not self.calls_made:  # the drive that the fork began
            drive.forked = False
            return []
        left = self._lost()
        if drive is not None:  # its driver died
            left.append(self._over(drive, self.last, {"error.type": "crashed"}, "error", "its driver died"))
        if self.ended:
            before = span_id(at.run_id, self.ended)
            self.links = (Link(trace_id(at.run_id), before, {"agentctl.link": "resumed"}),)
        self._begin(at)
        return left

    def _completed(self, at: e.Stamped, end: e.Completed) -> list[Span]:
        left = self._lost()
        more: Attributes = {
            "agentctl.status": end.status,
            "agentctl.reason": end.reason,
            "agentctl.exit_code": end.exit_code,
            "agentctl.steps": at.step,
            "agentctl.run.cost_usd": end.cost_micro / 1e6,
        }
        if self.content and end.answer:
            answer = {"role": "assistant", "parts": [{"type": "text", "content": content.cut(end.answer)}]}
            more["gen_ai.output.messages"] = content.text([answer])
        drive, self.drive = self.drive, None
        if drive is None:
            return left
        if end.status in ENDED_WELL | WAITING:
            return [*left, self._over(drive, at.ts, more, "ok" if end.status in ENDED_WELL else "unset")]
        more["error.type"] = end.reason or end.status
        return [*left, self._over(drive, at.ts, more, "error", f"{end.status}: {end.reason}")]

    def _over(self, drive: Open, end: float, more: Attributes, status: calls.Status, words: str = "") -> Span:
        return drive.closed(end, more, status, words, tuple(self.happened), self.dropped, self.links)

    def _lost(self) -> list[Span]:
        """Calls whose outcome nobody saw."""
        left = [*self.asked.values(), *self.tools.values()]
        self.asked, self.tools = {}, {}
        return [each.failed(self.last, UNKNOWN, "nobody saw the outcome") for each in left]

    # --- calls ---

    def _asks(self, at: e.Stamped, asked: e.ModelAsked) -> None:
        rehearsed = self.started is not None and self.started.rehearsed
        about = self._common(at) | calls.asked(asked, self.task, rehearsed=rehearsed)
        if self.drive is not None:
            self.drive.attributes.setdefault("gen_ai.provider.name", sdk(asked.identity))
        if self.content and asked.purpose != "summary":
            about |= content.asked(self.new)
            self.new = []
        self.asked[asked.purpose] = self._open(at, f"chat {asked.model}", "client", about)

    def _answered(self, at: e.Stamped, event: e.ModelReplied | e.ModelFailed) -> tuple[list[Span], list[Measure]]:
        thoughts, self.thoughts = self.thoughts, []
        if isinstance(event, e.ModelReplied) and event.purpose != "summary":
            self.wires |= {call.call_id: call.wire_id for call in event.calls}
        opened = self.asked.pop(event.purpose, None)
        if opened is None:
            return [], []
        measured = measures.of_call(opened.attributes, event)
        if isinstance(event, e.ModelFailed):
            end = self.last if event.kind == UNKNOWN else at.ts  # told by the next driver, long after
            words = event.message if self.content else ""
            return [opened.failed(end, event.kind, words, calls.failed(event))], measured
        more = calls.replied(event)
        if self.content:
            more |= content.replied(event, thoughts)
        return [opened.closed(at.ts, more)], measured

    def _starts(self, at: e.Stamped, started: e.ToolStarted) -> None:
        wire = self.wires.get(started.call_id, started.call_id)
        about = self._common(at) | calls.started(started, self.task, wire)
        if self.content:
            about |= {"tool.args": content.text(started.args), "gen_ai.tool.call.arguments": content.text(started.args)}
        self.tools[started.call_id] = self._open(at, f"execute_tool {started.tool}", "internal", about)

    def _finished(self, at: e.Stamped, done: e.ToolFinished) -> tuple[list[Span], list[Measure]]:
        wire = self.wires.get(done.call_id, done.call_id)
        if done.final:
            self._said(content.answered(wire, done))
            self.wires.pop(done.call_id, None)
        opened = self.tools.pop(done.call_id, None)
        if opened is None:
            self._happened(at, "agentctl.call_answered", calls.answered(done))
            return [], []
        more = calls.finished(done)
        if self.content:
            more["gen_ai.tool.call.result"] = content.text(done.result)
        if done.status == "success":
            return [opened.closed(at.ts, more)], measures.of_tool(opened.attributes | more, done)
        kind = done.error_type or "unknown"
        words = content.cut(str(done.result.get("message", ""))) if self.content else ""
        span = opened.failed(at.ts, kind, words, more, named=str(more.get("agentctl.code", kind)))
        return [span], measures.of_tool(span.attributes, done)

    # --- the rest ---

    def _beside(self, at: e.Stamped) -> None:
        event = at.event
        if isinstance(event, e.Thought) and self.content:
            self.thoughts.append(event.text)
        if isinstance(event, e.StepsPlanned):
            self.wires |= {call.call_id: call.wire_id for call in event.calls}
        if isinstance(event, e.Decided) and event.text:
            self._said(content.user(event.text))
        told = happenings.told(event)
        if told is not None:
            name, attributes, more = told
            words = {key: content.cut(value) for key, value in more.items() if value} if self.content else {}
            self._happened(at, name, attributes | words)

    def _happened(self, at: e.Stamped, name: str, attributes: Attributes) -> None:
        known = self.started.tools if self.started is not None else {}
        if not self.content and attributes.get("tool.name") not in known:  # the model's own word for what there is not
            attributes = {key: value for key, value in attributes.items() if key != "tool.name"}
        if len(self.happened) < MOST_HAPPENINGS:
            self.happened.append(Happening(name, at.ts, {**attributes, "agentctl.seq": at.seq}))
        else:
            self.dropped += 1

    def _said(self, message: JsonObject) -> None:
        if self.content:
            self.new.append(message)

    def _open(self, at: e.Stamped, name: str, kind: calls.Kind, about: Attributes) -> Open:
        self.calls_made += 1
        parent = None if self.drive is None else self.drive.id
        return Open(name, kind, trace_id(at.run_id), at.run_id, at.seq, parent, at.ts, about)

    def _common(self, at: e.Stamped) -> Attributes:
        rehearsed = self.started is not None and self.started.rehearsed
        return {
            "gen_ai.conversation.id": at.session_id,
            "agentctl.run.id": at.run_id,
            "agentctl.seq": at.seq,
            "agentctl.step": at.step,
            **({"agentctl.rehearsed": True} if rehearsed else {}),
        }


def spans(events: Sequence[e.Stamped], *, content: bool = False) -> tuple[Span, ...]:
    """The spans of a recorded run, without what a fork copied; what is still open ends with the last event."""
    tracing, found = Tracing(content), list[Span]()
    for stamped in events:
        if isinstance(stamped.event, e.Forked):
            found.clear()
        found += tracing.take(stamped)[0]
    return (*found, *tracing.unfinished())
