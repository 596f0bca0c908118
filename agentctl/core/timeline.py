"""The trace: what happened in a run, one row for each thing that a person would name, in the contract's words.

A row is made when its outcome is known. What follows from it (a retry, an opened circuit) is put behind it with an
arrow; an intent without an outcome is a row of its own at the end. Money is added up in micro-dollars and rounded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from agentctl.core import events as e
from agentctl.core.guards import trust
from agentctl.core.messages import Json
from agentctl.core.people import who
from agentctl.core.remarks import Tone, remark, short, usd
from agentctl.records import dataclass, replace

TIMEOUT = "Timeout after"
NO_OUTCOME = ("no outcome", "under way")
CODES = {"INVALID_ARGS": "bad arguments", "UNKNOWN_TOOL": "unknown tool", "DENIED": "denied", "LIMIT": "limit"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the trace, and what stands below it."""

    name: str
    """`llm.completion`, `tool.get_order_status`, `approval.send_refund` …"""
    detail: str
    """What stands in the brackets."""
    tone: Tone
    seq: int
    """Of the event that the row was made from."""
    step: int
    ts: float
    then: tuple[str, ...] = ()
    """What followed from it: `retry #1`, `circuit open`."""
    below: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """What went in and what came out, scrubbed."""
    cost_micro: int = 0
    """What this alone cost: over all rows of a run they add up to its total."""
    of: tuple[int, ...] = ()
    """Seqs of what it tells of beside its own event: the intent, what was thought, the question to a person."""
    took_s: float = 0.0
    """Seconds that it took, or that were waited."""

    @property
    def text(self) -> str:
        """The line without its branch."""
        return " → ".join([f"{self.name} [{self.detail}]" if self.detail else self.name, *self.then])


@dataclass(slots=True)
class _Tracing:
    """The rows so far, and what is still open."""

    rows: list[Row] = field(default_factory=list[Row])
    model: str = ""
    """The provider and model of the last line that named one."""
    asked: e.Stamped | None = None
    started: dict[str, e.Stamped] = field(default_factory=dict[str, e.Stamped])
    waiting: dict[str, e.Stamped] = field(default_factory=dict[str, e.Stamped])
    last_of: dict[str, int] = field(default_factory=dict[str, int])
    """Index of the last row of a circuit's name, of a call and of the model."""
    args: dict[str, Json] = field(default_factory=dict[str, Json])
    tokens: int = 0
    cost_micro: int = 0
    thought: list[e.Stamped] = field(default_factory=list[e.Stamped])
    live: bool = False
    brought: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    """Whose words came in, by seq."""


class Trace:
    """A trace that grows with its run: each event is taken once."""

    def __init__(self) -> None:
        """Of a run that has not begun."""
        self._tracing, self._said = _Tracing(), set[str]()
        self._end: e.Stamped | None = None
        """Of a drive, as long as no other one follows."""

    def take(self, at: e.Stamped) -> None:
        """The next event."""
        if self._end is not None:
            _take(self._tracing, self._end, last=False)
            self._end = None
        self._tracing.brought[at.seq] = trust.enters(self._said, at)
        if isinstance(at.event, e.Completed):
            self._end = at
        else:
            _take(self._tracing, at, last=False)

    def copy(self) -> Trace:
        """Another one at the same event."""
        made, old = Trace(), self._tracing
        made._said, made._end = {*self._said}, self._end
        made._tracing = replace(
            old, rows=[*old.rows], started={**old.started}, waiting={**old.waiting}, last_of={**old.last_of},
            args={**old.args}, thought=[*old.thought], brought={**old.brought},
        )  # fmt: skip
        return made

    def rows(self, *, live: bool = False) -> tuple[Row, ...]:
        """The rows so far, in order. `live`: what has no outcome is under way, and not lost."""
        tracing = replace(self._tracing, rows=[*self._tracing.rows], live=live)
        if self._end is not None:
            _take(tracing, self._end, last=True)
        tracing.rows.extend(_open(tracing))
        return tuple(tracing.rows)


def rows(events: Iterable[e.Stamped], *, live: bool = False) -> tuple[Row, ...]:
    """The rows of a run."""
    trace = Trace()
    for stamped in events:
        trace.take(stamped)
    return trace.rows(live=live)


def header(events: Sequence[e.Stamped]) -> str:
    """`Trace: r_a3f7b2 · order-triage · customer-facing`."""
    first = next((s for s in events if isinstance(s.event, e.RunStarted)), None)
    if first is None or not isinstance(first.event, e.RunStarted):
        return "Trace: nothing recorded yet"
    rehearsed = " · rehearsed" if first.event.rehearsed else ""
    return f"Trace: {first.run_id} · {first.event.task} · {first.event.policy}{rehearsed}"


def tree(rows: Sequence[Row], *, inputs: bool = False) -> Iterator[tuple[str, Row | None]]:
    """Each line with its branches, and the row that it shows (None: what stands below one)."""
    for number, row in enumerate(rows, 1):
        end = number == len(rows)
        yield f"{'└' if end else '├'}── {row.text}", row
        below = (*row.below, *(row.inputs if inputs else ()))
        for count, text in enumerate(below, 1):
            yield f"{' ' if end else '│'}   {'└' if count == len(below) else '├'}── {text}", None


def _take(tracing: _Tracing, at: e.Stamped, *, last: bool) -> None:
    match at.event:
        case e.Retried() as retried:
            _retry(tracing, at, retried)
        case e.ToolStarted(call_id=call_id, args=args):
            tracing.started[call_id] = at
            tracing.args[call_id] = args
        case e.ToolFinished() as finished:
            _finish(tracing, at, finished)
        case e.ApprovalRequested() as asked:
            tracing.waiting[asked.call_id] = at
            tracing.args[asked.call_id] = asked.args
        case e.ApprovalDecided() as decided:
            _decision(tracing, at, decided)
        case e.CallEdited() | e.CallSettled() as said:
            _said(tracing, at, said)
        case e.CircuitMoved() as moved if moved.from_ != moved.to:
            _circuit(tracing, at, moved)
        case e.Completed() as completed:
            _completion(tracing, at, completed, last=last)
        case e.Forked():
            _fork(tracing, at)
        case _:
            _take_model(tracing, at)


def _said(tracing: _Tracing, at: e.Stamped, said: e.CallEdited | e.CallSettled) -> None:
    asked = tracing.waiting.pop(said.call_id, None)
    if isinstance(said, e.CallSettled):
        _note(tracing, at, f"doubt.{said.tool}", said.words, "warn", asked)
        return
    tracing.args[said.call_id] = said.args
    _note(tracing, at, f"edited.{said.tool}", f"arguments changed by {said.by}", "warn", asked)


def _take_model(tracing: _Tracing, at: e.Stamped) -> None:
    match at.event:
        case e.ModelAsked():
            tracing.asked = at
        case e.ModelReplied() as reply:
            _reply(tracing, at, reply)
        case e.ModelFailed() as failed:
            _failure(tracing, at, failed)
        case e.Thought():
            tracing.thought.append(at)
        case _:
            note = remark(at.event)
            if note is not None:
                _note(tracing, at, *note)


def _add(tracing: _Tracing, row: Row, *keys: str) -> None:
    for key in keys:
        tracing.last_of[key] = len(tracing.rows)
    tracing.rows.append(row)


def _reply(tracing: _Tracing, at: e.Stamped, reply: e.ModelReplied) -> None:
    tokens = reply.usage.prompt + reply.usage.output
    tracing.tokens += tokens
    tracing.cost_micro += reply.cost_micro
    detail = f"{reply.duration_ms:,}ms, {tokens:,} tokens, {usd(reply.cost_micro)}"
    then = {"refusal": ("refused",), "max_tokens": ("cut at the output limit",)}.get(reply.stop_reason, ())
    said = [f"out: {short(reply.text)}"] if reply.text else []
    calls = [f"call {call.call_id}: {call.tool} {short(call.args)}" for call in reply.calls]
    thought = [f"thought: {each.event.text}" for each in tracing.thought if isinstance(each.event, e.Thought)]
    row = Row(
        f"llm.{_purpose(reply.purpose)}",
        detail,
        "warn" if then else "plain",
        at.seq,
        at.step,
        at.ts,
        then=then,
        below=_model(tracing, reply.provider, reply.model),
        inputs=(*_sent(tracing), *thought, *said, *calls),
        cost_micro=reply.cost_micro,
        of=_seqs(tracing.asked, *tracing.thought),
        took_s=reply.duration_ms / 1000,
    )
    tracing.asked, tracing.thought = None, []
    _add(tracing, row, "model", reply.identity)


def _seqs(*before: e.Stamped | None) -> tuple[int, ...]:
    return tuple(each.seq for each in before if each is not None)


def _purpose(purpose: e.Purpose) -> str:
    return "completion" if purpose == "answer" else purpose


def _model(tracing: _Tracing, provider: str, model: str) -> tuple[str, ...]:
    name = f"{provider}.{model}"
    named, tracing.model = tracing.model, name
    return () if name == named else (name,)


def _sent(tracing: _Tracing) -> list[str]:
    if tracing.asked is None or not isinstance(tracing.asked.event, e.ModelAsked):
        return []
    asked = tracing.asked.event
    return [f"in: {asked.estimated_tokens:,} tokens estimated, {usd(asked.reserved_micro)} reserved"]


def _failure(tracing: _Tracing, at: e.Stamped, failed: e.ModelFailed) -> None:
    tracing.cost_micro += failed.cost_micro
    model = ""
    if tracing.asked is not None and isinstance(tracing.asked.event, e.ModelAsked):
        model = tracing.asked.event.model
    what = f"{failed.status} {failed.kind}" if failed.status else failed.kind
    cost = f", {usd(failed.cost_micro)}" if failed.cost_micro else ""
    row = Row(
        f"llm.{_purpose(failed.purpose)}",
        f"{failed.duration_ms:,}ms, {what.replace('_', ' ')}{cost}",
        "bad",
        at.seq,
        at.step,
        at.ts,
        below=_model(tracing, failed.provider, model),
        inputs=(*_sent(tracing), f"error: {short(failed.message)}"),
        cost_micro=failed.cost_micro,
        of=_seqs(tracing.asked, *tracing.thought),
        took_s=failed.duration_ms / 1000,
    )
    tracing.asked = None
    _add(tracing, row, "model", failed.identity)


def _retry(tracing: _Tracing, at: e.Stamped, retried: e.Retried) -> None:
    text = f"retry #{retried.attempt}"
    if not retried.call_id:
        text += f" in {retried.delay_s:.1f}s"
    if not _then(tracing, retried.call_id or "model", text):
        _note(tracing, at, text, "", "warn")


def _then(tracing: _Tracing, key: str, text: str) -> bool:
    """Put something behind the row that it followed from."""
    index = tracing.last_of.get(key)
    if index is None:
        return False
    row = tracing.rows[index]
    tracing.rows[index] = replace(row, then=(*row.then, text))
    return True


def _note(tracing: _Tracing, at: e.Stamped, name: str, detail: str, tone: Tone, asked: e.Stamped | None = None) -> None:
    tracing.rows.append(Row(name, detail, tone, at.seq, at.step, at.ts, of=_seqs(asked), took_s=_took(at.event)))


def _took(event: e.Event) -> float:
    match event:
        case e.Waited(seconds=seconds, refused=False) | e.ApprovalDecided(waited_s=seconds):
            return seconds
        case e.Checked(duration_ms=ms):
            return ms / 1000
        case _:
            return 0.0


def _finish(tracing: _Tracing, at: e.Stamped, finished: e.ToolFinished) -> None:
    begun = tracing.started.pop(finished.call_id, None)
    args = tracing.args.get(finished.call_id)
    went_in = () if args is None else (f"in: {short(args)}",)
    row = Row(
        f"tool.{finished.tool}",
        _outcome(finished),
        "good" if finished.status == "success" else "bad" if finished.final else "warn",
        at.seq,
        at.step,
        at.ts,
        below=tracing.brought.get(at.seq, ()),
        inputs=(*went_in, f"out: {short(finished.result)}"),
        of=_seqs(begun),
        took_s=finished.duration_ms / 1000,
    )
    ran = (f"tool:{finished.tool}",) if finished.ran else ()
    _add(tracing, row, finished.call_id, *ran)


def _outcome(finished: e.ToolFinished) -> str:
    if finished.shared_with:
        return f"same call as {finished.shared_with}, {finished.status}"
    if not finished.ran:
        message = str(finished.result.get("message", ""))
        return f"not run, {CODES.get(finished.code or '', '') or short(message, 60) or 'refused'}"
    if finished.status == "success":
        return f"{finished.duration_ms:,}ms, success"
    if str(finished.result.get("message", "")).startswith(TIMEOUT):
        return "timeout"
    kind = (finished.error_type or "unknown").replace("_", " ")
    return f"{finished.duration_ms:,}ms, {kind} error"


def _decision(tracing: _Tracing, at: e.Stamped, decided: e.ApprovalDecided) -> None:
    asked = tracing.waiting.pop(decided.call_id, None)
    name, tier = "", ""
    if asked is not None and isinstance(asked.event, e.ApprovalRequested):
        name, tier = asked.event.tool, f", {asked.event.tier}"
    word = {"approve": "approved", "deny": "denied", "stop": "stopped"}[decided.decision]
    why = f": {short(decided.why, 80)}" if decided.why else ""
    detail = f"{word} {who(decided, decided.at or at.ts)}{tier}{why}"
    tone: Tone = "good" if decided.decision == "approve" else "warn"
    _note(tracing, at, f"approval.{name or decided.call_id}", detail, tone, asked)


def _circuit(tracing: _Tracing, at: e.Stamped, moved: e.CircuitMoved) -> None:
    to = moved.to.replace("_", "-")
    if moved.to == "open" and _then(tracing, moved.name, "circuit open"):
        return
    tone: Tone = "good" if moved.to == "closed" else "warn"
    _note(tracing, at, f"circuit.{moved.name}", f"{moved.from_.replace('_', '-')} → {to}", tone)


def _fork(tracing: _Tracing, at: e.Stamped) -> None:
    """What stands above was copied: it cost this run nothing."""
    tracing.rows = [replace(row, cost_micro=0) for row in tracing.rows]
    tracing.tokens = tracing.cost_micro = 0
    tracing.waiting = {}
    note = remark(at.event)
    if note is not None:
        _note(tracing, at, *note)


def _completion(tracing: _Tracing, at: e.Stamped, completed: e.Completed, *, last: bool) -> None:
    if not last:
        _note(tracing, at, f"run.{completed.status}", completed.reason, "warn")
        return
    tracing.rows.extend(_open(tracing))
    tracing.started, tracing.waiting, tracing.asked = {}, {}, None
    detail = f"{tracing.tokens:,} tokens total, {usd(tracing.cost_micro)} total"
    done = completed.status == "completed"
    then = () if done else (completed.status, *([completed.reason] if completed.reason else []))
    tone: Tone = "good" if done else "bad" if completed.status == "failed" else "warn"
    answer = (f"answer: {short(completed.answer)}",) if completed.answer else ()
    row = Row("response.final", detail, tone, at.seq, at.step, at.ts, then=(": ".join(then),) if then else ())
    tracing.rows.append(replace(row, inputs=answer))


def _open(tracing: _Tracing) -> Iterable[Row]:
    """What was begun and has no outcome."""
    found: list[Row] = []
    for at in (tracing.asked, *tracing.started.values(), *tracing.waiting.values()):
        match at:
            case e.Stamped(event=e.ModelAsked(provider=provider, model=model, purpose=purpose)):
                below = _model(tracing, provider, model)
                name, detail = f"llm.{_purpose(purpose)}", NO_OUTCOME[tracing.live]
            case e.Stamped(event=e.ToolStarted(tool=tool)):
                name, detail, below = f"tool.{tool}", NO_OUTCOME[tracing.live], ()
            case e.Stamped(event=e.ApprovalRequested(tool=tool, tier=tier, rule=rule)):
                name, detail, below = f"approval.{tool}", f"waits for a person, {tier} by {rule}", ()
            case _:
                continue
        tone: Tone = "plain" if detail == NO_OUTCOME[True] else "warn"
        found.append(Row(name, detail, tone, at.seq, at.step, at.ts, below=below))
    return sorted(found, key=lambda row: row.seq)
