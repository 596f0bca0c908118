"""A run step by step: what each event says, for who goes through them one by one, and where the run stood then.

A frame is made from its event and from the fold up to it, and from nothing else: what was sent with a request is what
the transcript held by then. An event that can't be read has a frame of one line, and is no part of the fold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import field, fields

from agentctl.core import events as e
from agentctl.core.guards import budget, tokens
from agentctl.core.messages import Json
from agentctl.core.people import who
from agentctl.core.policy import Policy
from agentctl.core.remarks import Tone, remark, short, usd
from agentctl.core.state import State, apply
from agentctl.records import dataclass

UNTRUE = (TypeError, ValueError, AttributeError, KeyError)
"""What an event that somebody has changed may lead to."""


@dataclass(frozen=True, slots=True)
class Unread:
    """An event that is there and can't be read, or that is not there."""

    seq: int
    ts: float
    """Seconds since the epoch; 0: nobody knows."""
    why: str
    unknown: bool = False
    """It is of a kind that a later version may know; nothing of today's depends on it."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """How close a limit was. `limit` is None where no policy says it."""

    key: str
    used: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Frame:
    """One step of a replay. Title and lines are scrubbed, and not yet fit for a terminal."""

    seq: int
    step: int
    ts: float
    event: str
    """The class of the event; empty: it could not be read."""
    title: str
    tone: Tone
    lines: tuple[str, ...]
    gauges: tuple[Gauge, ...]


@dataclass(slots=True)
class _Telling:
    """What the last request held, and what calls are about."""

    sent: frozenset[int] = frozenset()
    epoch: int = 0
    texts: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    """What each message says, by the seq of its event."""
    tools: dict[str, str] = field(default_factory=dict[str, str])
    """Of the calls that were asked about."""


def frames(events: Iterable[e.Stamped | Unread], policy: Policy | None = None) -> Iterator[Frame]:
    """The frames, in order; limits are those of `policy`."""
    state, telling = State(), _Telling()
    for at in events:
        if isinstance(at, Unread):
            yield Frame(at.seq, state.run.step, at.ts, "", at.why, "bad", (), gauges(state, policy))
            continue
        before = state
        try:
            state = apply(before, at)
            title, tone, lines = _told(telling, before, at.event)
        except UNTRUE as error:
            why = f"can't be read: it has values of the wrong kind ({type(error).__name__})"
            yield Frame(at.seq, at.step, at.ts, "", why, "bad", (), gauges(before, policy))
            state = before
            continue
        telling.texts[at.seq] = _message(at.event)
        if isinstance(at.event, e.Forked) and at.event.goal:
            telling.texts[1] = (f"goal: {at.event.goal}",)
        yield Frame(at.seq, at.step, at.ts, type(at.event).__name__, title, tone, tuple(lines), gauges(state, policy))


def gauges(state: State, policy: Policy | None) -> tuple[Gauge, ...]:
    """Money, tokens, context and steps at that moment."""
    spent = state.budget.spent_micro / 1e6
    if policy is None:
        limits: tuple[float | None, ...] = (None, None, None, None)
    else:
        limits = (
            policy.budget.max_steps + state.budget.raised_steps,
            budget.cap_micro(policy.budget, state.budget) / 1e6,
            tokens.total(policy.tokens, state.tokens),
            policy.context.max_tokens,
        )
    used = (state.budget.steps, spent, state.tokens.used, state.prompt_tokens)
    keys = ("max_steps", "run_usd", "tokens", "context")
    return tuple(Gauge(*each) for each in zip(keys, used, limits, strict=True))


def _told(telling: _Telling, before: State, event: e.Event) -> tuple[str, Tone, list[str]]:
    match event:
        case e.RunStarted() as started:
            title = f"run.started [{started.task} under {started.policy}, for {started.user}]"
            tools = f"tools: {', '.join(sorted(started.tools))}" if started.tools else "no tools"
            return title, "plain", [f"goal: {started.goal}", f"system: {started.system}", tools, *_named(started)]
        case e.ModelAsked() as asked:
            return _asked(telling, before, asked)
        case e.ModelReplied() as reply:
            return _replied(reply)
        case e.ModelFailed() as failed:
            what = f"{failed.status} {failed.kind}" if failed.status else failed.kind
            return f"llm.failed [{failed.provider}, {what}, {failed.duration_ms:,}ms]", "bad", [failed.message]
        case e.Thought(text=text):
            return "llm.thinking", "quiet", [text]
        case e.ApprovalDecided() as said:
            return _approval(telling.tools.get(said.call_id, said.call_id), said)
        case _:
            return _told_of_tools(telling, event)


def _asked(telling: _Telling, before: State, asked: e.ModelAsked) -> tuple[str, Tone, list[str]]:
    again = f", attempt {asked.attempt}" if asked.attempt > 1 else ""
    title = f"llm.asked [{asked.provider}.{asked.model}, {asked.purpose}{again}]"
    size = f"{asked.estimated_tokens:,} tokens estimated, at most {asked.max_output_tokens:,} back"
    lines = [f"{size}, {usd(asked.reserved_micro)} reserved"]
    if asked.purpose == "summary":
        return title, "plain", [*lines, "sent: what the next trim drops, to be summed up"]
    entries = before.transcript.entries
    known = telling.sent if telling.epoch == before.transcript.epoch else frozenset[int]()
    if telling.sent and not known:
        lines.append("the history was rewritten: it is sent anew, thinking from before left out")
    new = [entry for entry in entries if entry.seq not in known]
    lines.append(
        f"sent: {len(entries):,} messages, {len(new):,} of them new" if known else f"sent: {len(entries):,} messages"
    )
    for entry in new:
        for part in entry.parts:
            lines += (f"  {line}" for line in telling.texts.get(part, ("(it can't be read)",)))
    telling.sent, telling.epoch = frozenset(entry.seq for entry in entries), before.transcript.epoch
    return title, "plain", lines


def _message(event: e.Event) -> tuple[str, ...]:
    """What an event says in the conversation."""
    match event:
        case e.RunStarted(goal=goal):
            return (f"goal: {goal}",)
        case e.ModelReplied() | e.StepsPlanned():
            text = event.text if isinstance(event, e.ModelReplied) else ""
            calls = (f"its call {call.call_id}: {call.tool}" for call in event.calls)
            return (*((f"its reply: {short(text, 80)}",) if text else ()), *calls)
        case e.ToolFinished() as done:
            return (f"result of {done.call_id} {done.tool}: {short(done.result)}",)
        case e.ContextTrimmed(summary=summary):
            return (f"summary: {summary}",) if summary else ()
        case e.Decided(text=text):
            return (f"note: {text}",)
        case _:
            return ()


def _replied(reply: e.ModelReplied) -> tuple[str, Tone, list[str]]:
    usage = reply.usage
    title = f"llm.replied [{reply.provider}.{reply.model}, {reply.duration_ms:,}ms, {usd(reply.cost_micro)}]"
    read = f", {usage.cache_read:,} of them from the cache" if usage.cache_read else ""
    lines = [f"{usage.prompt:,} tokens in{read}, {usage.output:,} out, stopped by {reply.stop_reason}"]
    if reply.withheld:
        lines.append(f"withheld: {reply.withheld}")
    lines += [line for line in (reply.text, reply.refusal) if line]
    for call in reply.calls:
        lines += [f"call {call.call_id}: {call.tool}", *_shown(call.args)]
    return title, "warn" if reply.withheld or reply.refusal else "good", lines


def _told_of_tools(telling: _Telling, event: e.Event) -> tuple[str, Tone, list[str]]:
    match event:
        case e.ToolStarted() as begun:
            title = f"tool.{begun.tool} [started, {begun.tier}, attempt {begun.attempt}]"
            effect = "it may change something" if begun.effect else "it only reads"
            copied = [f"copied from {each.source}: {short(each.text)}" for each in begun.copied]
            return title, "plain", [f"{begun.call_id}, {effect}", *_shown(begun.args), *copied]
        case e.ToolFinished() as done:
            return _finished(done)
        case e.ApprovalRequested() as asked:
            telling.tools[asked.call_id] = asked.tool
            title = f"approval.{asked.tool} [asked, {asked.tier} by {asked.rule}]"
            parts = [f"part {text!r}: {why}" for text, why in asked.parts]
            copied = [f"copied from {each.source}: {short(each.text)}" for each in asked.copied]
            words = [f"untrusted: {', '.join(asked.untrusted)}"] if asked.untrusted else []
            texts = [text for text in (asked.change, asked.edited) if text]
            return title, "warn", [asked.call_id, *_shown(asked.args), *parts, *copied, *words, *texts]
        case e.CallEdited() as edited:
            return f"edited.{edited.tool} [arguments changed by {edited.by}]", "warn", _shown(edited.args)
        case _:
            return _told_of_rest(event)


def _approval(tool: str, said: e.ApprovalDecided) -> tuple[str, Tone, list[str]]:
    word = {"approve": "approved", "deny": "denied", "stop": "stopped"}[said.decision]
    why = [f"why: {said.why}"] if said.why else []
    remembered = ["remembered for this exact call in this run"] if said.remember else []
    tone: Tone = "good" if said.decision == "approve" else "warn"
    return f"approval.{tool} [{word} {who(said)}]", tone, [said.call_id, *why, *remembered]


def _finished(done: e.ToolFinished) -> tuple[str, Tone, list[str]]:
    how = done.status if done.ran else f"not run, {done.status}"
    kind = f", {done.error_type}" if done.error_type else ""
    again = "" if done.final else ", it is tried again"
    title = f"tool.{done.tool} [{how}{kind}, {done.duration_ms:,}ms{again}]"
    shared = [f"the result of {done.shared_with}"] if done.shared_with else []
    labels = [f"labels: {', '.join(done.labels)}"] if done.labels else []
    tone: Tone = "good" if done.status == "success" else "bad" if done.final else "warn"
    return title, tone, [done.call_id, *shared, *_shown(done.result), *labels]


def _told_of_rest(event: e.Event) -> tuple[str, Tone, list[str]]:
    match event:
        case e.Decided() as decided:
            said = [line for line in (decided.message, decided.text and f"told: {decided.text}") if line]
            title = f"{decided.guard} [decided {decided.decision}, {decided.seam.replace('_', ' ')}]"
            return title, "warn", [f"because: {decided.reason}", *said]
        case e.Completed() as end:
            tone: Tone = "good" if end.status == "completed" else "warn"
            said = [line for line in (end.message, end.answer) if line]
            return f"run.{end.status} [{end.reason}, exit {end.exit_code}, {usd(end.cost_micro)}]", tone, said
        case e.Retried() as again:
            return f"retry #{again.attempt} [in {again.delay_s:.1f}s, {again.call_id or 'the model'}]", "warn", []
        case e.ContextTrimmed() as trimmed:
            name, detail, tone = remark(trimmed) or ("context.trim", "", "warn")
            return f"{name} [{detail}]", tone, [trimmed.summary] if trimmed.summary else []
        case _:
            found = remark(event)
            named = _fields(event)
            return (f"{found[0]} [{found[1]}]", found[2], named) if found else (type(event).__name__, "quiet", named)


def _fields(event: e.Event) -> list[str]:
    """What else an event says, field by field; what stands at nothing is left out."""
    values = ((each.name.rstrip("_"), getattr(event, each.name)) for each in fields(event))
    return [f"{name}: {_text(value)}" for name, value in values if value not in ("", 0, 0.0, None, (), {}, False)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _named(started: e.RunStarted) -> list[str]:
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in started.variables.items()]


def _shown(value: Json) -> list[str]:
    """JSON as one reads it."""
    return (
        value.splitlines() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2).splitlines()
    )
