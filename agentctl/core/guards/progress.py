"""Different calls, the same answers: a run that learns nothing is told so, and then stopped."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from agentctl.core import sameness
from agentctl.core.bounds import Bound, Count, Share, table
from agentctl.core.events import Completed, Decided, LoopSeen, Stamped, ToolFinished, ToolStarted
from agentctl.records import dataclass, replace

MOST_RESULTS = 16
"""Results that are remembered: a window is no longer."""
LEAST_RESULTS = 3
"""Fewer results are no stall, whatever the policy says. C35"""
NOTE = (
    "The last {count} results of {tool} were the same, although you asked differently. Asking it again in other words "
    "will not help. Change your approach, or conclude with what you know."
)


@table
class Rules:
    """The policy's `[progress]`."""

    enabled: bool = True
    """False is printed at every start."""
    window: Annotated[int, Bound(gt=0, le=MOST_RESULTS)] = 5
    """Results that are compared. A36"""
    similarity: Share = 0.85
    """Strictly greater counts as the same. C34, G3"""
    max_stale: Count = 3
    """So many results alike are a stall. A36"""
    halt_on_stall: bool = True
    """False only reports it. C66"""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call that only reads came to."""

    tool: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class State:
    """The last results, newest last. Bound: MOST_RESULTS of sameness.MOST_CHARS, and the calls that are running."""

    results: tuple[Result, ...] = ()
    asking: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """The words of the running calls' arguments, by call id."""
    count: int = 0
    """Results so far."""
    seen_at: int = 0
    """`count` at the last stall that was reported."""
    told_at: int = 0
    """`count` when the model was last told of one."""


EMPTY = State()


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event.

    What counts is the final result of a call that ran, only reads, and waits for nothing. A call that changes
    something, and the end of a run that stopped for this, begin anew.
    """
    match stamped.event:
        case ToolStarted(call_id=call_id, effect=False, args=args, attempt=1):
            return replace(state, asking={**state.asking, call_id: sameness.words(args)})
        case ToolFinished(ran=True, final=True, effect=True) | Completed(reason="no_progress"):
            return State(asking=state.asking)
        case ToolFinished(final=True) as done:
            return _finish(state, done)
        case LoopSeen(kind="stall"):
            return replace(state, seen_at=state.count)
        case Decided(guard="progress", decision="say"):
            return replace(state, told_at=state.count)
        case _:
            return state


def _finish(state: State, done: ToolFinished) -> State:
    args = state.asking.get(done.call_id)
    asking = {call_id: words for call_id, words in state.asking.items() if call_id != done.call_id}
    if not done.ran or done.retry_safe or done.pollable:
        return state if args is None else replace(state, asking=asking)
    failed = done.status == "error"
    said = done.result.get("message" if failed else "data")
    words = sameness.news(said, args or frozenset(), failed=failed)
    words = next((known.words for known in state.results if known.words == words), words)  # the same set, once
    results = (*state.results, Result(done.tool, words))[-MOST_RESULTS:]
    return replace(state, results=results, asking=asking, count=state.count + 1)


def check(rules: Rules, state: State) -> LoopSeen | None:
    """The stall that the newest result is part of, unless it was spoken of and nothing new has come since.

    `halt`: the model was told, and goes on as before.
    """
    recent = state.results[-rules.window :]
    if not rules.enabled or len(recent) < LEAST_RESULTS or state.seen_at == state.count:
        return None
    alike = sum(_same(rules, one, recent[-1]) for one in recent)
    if alike < rules.max_stale:
        return None
    spoken = state.told_at if rules.halt_on_stall else state.seen_at
    heard = bool(spoken) and not _anything_new(rules, state, state.count - spoken)
    if heard and not rules.halt_on_stall:
        return None
    return LoopSeen("stall", recent[-1].tool, alike, rules.window, halt=heard)


def alike(rules: Rules, state: State) -> int:
    """How many of the last results are the same as the newest; 0: there is none. The gauge of a stall."""
    recent = state.results[-rules.window :]
    return sum(_same(rules, one, recent[-1]) for one in recent) if recent else 0


def _same(rules: Rules, one: Result, other: Result) -> bool:
    return one.tool == other.tool and sameness.similarity(one.words, other.words) > rules.similarity


def _anything_new(rules: Rules, state: State, count: int) -> bool:
    """Whether one of the last `count` results was like none before it."""
    results = state.results
    first = max(0, len(results) - count)
    return any(
        not any(_same(rules, before, results[at]) for before in results[:at]) for at in range(first, len(results))
    )


def note(stall: LoopSeen) -> str:
    """What the model is told."""
    return NOTE.format(count=stall.count, tool=stall.tool)


def sentence(stall: LoopSeen) -> str:
    """Why the run stops, for people. A39"""
    why = f"the last {stall.count} results of {stall.tool} were the same"
    return f"Could not complete: {why}. Please try a more specific query."
