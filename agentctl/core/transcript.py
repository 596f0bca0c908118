"""Which messages a request carries: by the seq of the event that holds them, so that the state stays small.

Rules.
1. What is sent is append-only: providers bind thinking and caches to the exact prefix. Only a trim, a resume with
   other tools or another system prompt, and a fork with another goal rewrite it; that moves `epoch`, and replies from
   before it are sent without their thinking (`bare_until`).
2. A reply with calls and all its answers are one unit; the answers enter together, in call order, when the last is
   there.
3. The goal is the first message and is never dropped. A summary of what was dropped stands behind it, in the same
   message.
4. What the session said before stands before the goal: a question and its answer are one unit. Their seqs are below
   zero, since no event of this run holds them: the first one holds them all.

Bound: what fits the context limit; a trim keeps it so.
"""

from __future__ import annotations

from typing import Literal

from agentctl.core.events import (
    ContextTrimmed,
    Decided,
    Forked,
    ModelReplied,
    Resumed,
    RunStarted,
    Stamped,
    StepsPlanned,
    ToolFinished,
)
from agentctl.records import dataclass, replace

GOAL_SEQ = 1
"""The goal stands in the first event of a run."""
ANSWERS_OVERHEAD = 8
"""Tokens that the wrapping of one message costs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message: `parts` are the seqs of the events that hold its blocks."""

    kind: Literal["goal", "reply", "answers", "note", "asked", "said"]
    seq: int
    """Of the first part: entries ascend by it."""
    parts: tuple[int, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class State:
    """See the module. `tokens` is the sum over `entries`."""

    entries: tuple[Entry, ...] = ()
    tokens: int = 0
    epoch: int = 0
    bare_until: int = 0
    """Replies up to this seq are sent without thinking."""
    pending: tuple[str, ...] = ()
    """Calls of the last reply, in order, whose answers have not all come."""
    answers: tuple[tuple[str, int, int], ...] = ()
    """Call id, seq and tokens of the answers that came."""
    summary_tokens: int = 0
    """Of the goal's message: what the summary of dropped messages takes, which is its second part."""

    @property
    def messages(self) -> tuple[Entry, ...]:
        """All but the goal."""
        return tuple(entry for entry in self.entries if entry.kind != "goal")

    def before(self, seq: int) -> tuple[Entry, ...]:
        """What a trim down to the message of that seq drops."""
        return tuple(entry for entry in self.messages if entry.seq < seq)


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    seq = stamped.seq
    match stamped.event:
        case RunStarted() as started:
            return _begin(state, started, seq)
        case ModelReplied(purpose="summary"):
            return state
        case ModelReplied(calls=calls, tokens=tokens) | StepsPlanned(calls=calls, tokens=tokens):
            added = _add(state, Entry("reply", seq, (seq,), tokens))
            return replace(added, pending=tuple(c.call_id for c in calls), answers=())
        case ToolFinished(final=True, call_id=call_id, tokens=tokens) if call_id in state.pending:
            return _answer(state, (call_id, seq, tokens))
        case Decided(text=text, tokens=tokens) if text:
            return _add(state, Entry("note", seq, (seq,), tokens))
        case Resumed(fixed_tokens=fixed) if fixed:
            return _rewritten(state, seq)
        case Forked(goal=goal, goal_tokens=tokens) if goal:
            return _other_goal(state, tokens, seq)
        case ContextTrimmed() as trimmed:
            return _trim(state, trimmed, seq)
        case _:
            return state


def places(exchanges: int) -> tuple[tuple[int, int], ...]:
    """The seqs of the question and the answer of so many exchanges of before, the oldest first."""
    return tuple((2 * at, 2 * at + 1) for at in range(-exchanges, 0))


def _begin(state: State, started: RunStarted, seq: int) -> State:
    for (asked, said), each in zip(places(len(started.earlier)), started.earlier, strict=True):
        state = _add(state, Entry("asked", asked, (asked,), each.asked_tokens))
        state = _add(state, Entry("said", said, (said,), each.answer_tokens))
    return _add(state, Entry("goal", seq, (seq,), started.goal_tokens))


def _add(state: State, entry: Entry) -> State:
    return replace(state, entries=(*state.entries, entry), tokens=state.tokens + entry.tokens)


def _answer(state: State, answer: tuple[str, int, int]) -> State:
    answers = (*state.answers, answer)
    if len(answers) < len(state.pending):
        return replace(state, answers=answers)
    by_call = {call_id: (seq, tokens) for call_id, seq, tokens in answers}
    parts = tuple(by_call[call_id][0] for call_id in state.pending)
    tokens = sum(tokens for _, tokens in by_call.values()) + ANSWERS_OVERHEAD
    entry = Entry("answers", min(parts), parts, tokens)
    return replace(_add(state, entry), pending=(), answers=())


def _trim(state: State, trimmed: ContextTrimmed, seq: int) -> State:
    kept = tuple(e for e in state.entries if e.kind == "goal" or e.seq >= trimmed.first_kept)
    summed = state.summary_tokens
    if trimmed.summary:
        grown, summed = trimmed.summary_tokens - state.summary_tokens, trimmed.summary_tokens
        kept = tuple(replace(e, parts=(e.seq, seq), tokens=e.tokens + grown) if e.kind == "goal" else e for e in kept)
    tokens = sum(entry.tokens for entry in kept)
    return _rewritten(replace(state, entries=kept, tokens=tokens, summary_tokens=summed), seq)


def _other_goal(state: State, tokens: int, seq: int) -> State:
    """The summary behind the goal stays."""
    tokens += state.summary_tokens
    entries = tuple(replace(e, tokens=tokens) if e.kind == "goal" else e for e in state.entries)
    return _rewritten(replace(state, entries=entries, tokens=sum(entry.tokens for entry in entries)), seq)


def _rewritten(state: State, seq: int) -> State:
    """What was sent before is no longer what is sent: thinking that was bound to it is dropped."""
    return replace(state, epoch=state.epoch + 1, bare_until=seq)


def units(state: State) -> tuple[tuple[Entry, ...], ...]:
    """The entries after the goal, in groups that only go together: a reply with its answers, or a note.

    A note belongs to the unit before it, so that no unit starts with the wrong side.
    """
    groups: list[list[Entry]] = []
    begins = True
    for entry in state.entries:
        if entry.kind == "goal":
            begins = True
            continue
        if begins or entry.kind in {"reply", "asked"}:
            groups.append([])
        begins = False
        groups[-1].append(entry)
    return tuple(tuple(group) for group in groups)
