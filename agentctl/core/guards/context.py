"""What still fits: a run's messages are kept below the model's window, and what would not fit is not sent."""

from __future__ import annotations

from typing import Literal

from agentctl.core.bounds import Count, Name, Share, table
from agentctl.core.events import (
    ContextTrimmed,
    Decided,
    Forked,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    Resumed,
    RunStarted,
    Stamped,
    StepsPlanned,
    ToolFinished,
)
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[context]`."""

    enabled: bool = True
    """False is printed at every start."""
    max_tokens: Count = 75_000
    """Tokens of a request from which the history is trimmed. A23, C64"""
    trim_to: Share = 0.6
    """Share of max_tokens to trim down to."""
    hard_limit_tokens: Count = 90_000
    """Tokens above which nothing is sent. A28"""
    strategy: Literal["oldest", "summary"] = "oldest"
    """What a trim does with older turns. A25, C65"""
    keep_recent: Count = 10
    """Messages at the end that a trim leaves alone. B04"""
    counter: Name = "calibrated"
    """`calibrated`, or `python:module:function` taking text and giving tokens. A24"""


HARDER = 0.5
"""Share of what was sent to trim down to, when the provider itself said that it does not fit."""
DENSEST = 2.3
"""How many times the estimate of a text can be too low: base64, rare scripts and symbols, against 3.2 bytes a token."""
OTHER_TOKENIZER = 1.5
"""How many times more tokens another provider may see in what one has counted."""
SUMMARY_TOKENS = 512
"""Output tokens that one summary may take. B07"""
SUMMARIES = 0.1
"""Share of what a trim leaves that all summaries of a run take together, at the most; the oldest lines go first. D17"""
LEAST_SUMMARY = 32
"""Tokens under which no summary says anything."""


@dataclass(frozen=True, slots=True)
class State:
    """The size of the next request: what a provider has counted, and estimates of what came since. Bound: constant."""

    counted: int = 0
    """Prompt and output of the last reply, as reported; after a trim, what is thought to be left of it."""
    bound: int = 0
    """`counted`, or more: what it surely is not above."""
    fresh: int = 0
    """Estimates of everything that nobody has counted yet."""
    identity: str = ""
    """Who counted."""
    asked: int = 0
    """The estimate of the last request."""
    hardened: bool = False
    """A prompt was refused as too long, and was trimmed for, since the last whole reply."""
    refused: bool = False
    """The last prompt was refused as too long."""
    covers: int = 0
    """The seq of the oldest message that the summary in hand leaves out: its trim drops exactly what it was made of."""
    summary: int = 0
    """Seq of the reply that is the summary in hand; 0: there is none."""
    summary_tokens: int = 0
    unsummed: bool = False
    """A summary was asked for and is not to be had: the next trim does without."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Messages that only go together: how many, how large, and where they begin."""

    seq: int
    messages: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A trim: everything between the goal and `first_kept` goes."""

    first_kept: int
    dropped: int
    tokens: int
    """Estimate of the request afterwards."""


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case RunStarted(fixed_tokens=fixed, goal_tokens=goal, earlier=earlier):
            return State(fresh=fixed + goal + sum(each.asked_tokens + each.answer_tokens for each in earlier))
        case ModelAsked(purpose="summary") | ModelReplied(purpose="summary") | ModelFailed(purpose="summary"):
            return _summed(state, stamped)
        case Decided(guard="context", decision="no_summary"):
            return replace(state, unsummed=True)
        case Resumed(fixed_tokens=tokens) | Forked(goal_tokens=tokens):  # nobody has counted what it replaces alone
            return replace(state, fresh=state.fresh + tokens, unsummed=False)
        case ToolFinished(final=True, tokens=tokens) | Decided(tokens=tokens) | StepsPlanned(tokens=tokens):
            return replace(state, fresh=state.fresh + tokens)
        case ModelAsked(estimated_tokens=tokens):
            return replace(state, asked=tokens)
        case ModelReplied() as reply:
            return _counted(state, reply)
        case ModelFailed(kind="context"):
            return replace(state, refused=True)
        case ContextTrimmed() as trimmed:
            return _trimmed(state, trimmed)
        case _:
            return state


def _summed(state: State, stamped: Stamped) -> State:
    match stamped.event:
        case ModelAsked(upto=upto):
            return replace(state, covers=upto)
        case ModelReplied(text=text, tokens=tokens) if text.strip():
            return replace(state, summary=stamped.seq, summary_tokens=tokens)
        case _:
            return replace(state, unsummed=True)


def _trimmed(state: State, trimmed: ContextTrimmed) -> State:
    bound = _bound(state) + int(trimmed.summary_tokens * DENSEST)
    left = trimmed.tokens
    return State(left, max(left, bound), 0, state.identity, state.asked, hardened=state.refused)


def _counted(state: State, reply: ModelReplied) -> State:
    size = (reply.usage.prompt or state.counted + state.fresh) + reply.usage.output
    full = reply.stop_reason == "context_exceeded"
    return State(size, size, 0, reply.identity, state.asked, hardened=full and state.hardened, refused=full)


def _bound(state: State) -> int:
    return state.bound + int(state.fresh * DENSEST) + 1


def estimate(state: State) -> int:
    """The size of the next request, as it probably is."""
    return state.counted + state.fresh


def worst(state: State, identity: str) -> int:
    """The size of the next request to this provider, as it surely is not above: what a reservation takes."""
    other = OTHER_TOKENIZER if state.identity not in {"", identity} else 1.0
    return int(_bound(state) * other)


def limits(rules: Rules, window: int | None, most_output: int) -> tuple[int, int]:
    """Where to trim and where to refuse, for a model with such a window (None: unknown)."""
    if window is None:
        return rules.max_tokens, rules.hard_limit_tokens
    fits = max(1, window - min(most_output, window // 4))
    return min(rules.max_tokens, fits), min(rules.hard_limit_tokens, fits)


def cut(rules: Rules, fixed: int, units: tuple[Unit, ...], target: int, limit: int) -> Cut | None:
    """What to drop so that `fixed` (system, tools, goal) and the newest units come down to `target`.

    `keep_recent` messages stay as long as they fit below `limit`; the newest unit always does. None: nothing can go.
    """
    tokens, messages, kept = fixed, 0, len(units)
    while kept:
        unit = units[kept - 1]
        grown = tokens + unit.tokens
        wanted = grown <= target or (messages < rules.keep_recent and grown < limit)
        if messages and not wanted:
            break
        tokens, messages, kept = grown, messages + unit.messages, kept - 1
    if kept == 0:
        return None
    dropped = sum(unit.messages for unit in units[:kept])
    return Cut(units[kept].seq, dropped, tokens)


def summaries(rules: Rules, limit: int) -> int:
    """Tokens that all summaries may take in a request that is trimmed at `limit`."""
    return int(limit * rules.trim_to * SUMMARIES)


def summarises(rules: Rules, state: State, messages: int, limit: int) -> bool:
    """Whether a trim of so many messages, the goal not counted, is to be summarised. B05"""
    wanted = rules.strategy == "summary" and not (state.summary or state.unsummed)
    return wanted and messages > rules.keep_recent and summaries(rules, limit) >= LEAST_SUMMARY


def message(tokens: int) -> str:
    """A29"""
    return f"Context too large: {tokens} tokens"
