"""What still fits: a run's messages are kept below the model's window, and what would not fit is not sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agentctl.core.bounds import Count, Name, Share, table
from agentctl.core.events import ContextTrimmed, ModelAsked, ModelFailed, ModelReplied, Stamped


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


LEAST_RATIO, MOST_RATIO = 0.4, 3.0
"""How far a provider's count may correct the estimate, so that one absurd figure does not blind the guard."""
HARDER = 0.5
"""Share of what was sent to trim down to, when the provider itself said that it does not fit."""


@dataclass(frozen=True, slots=True)
class State:
    """How the estimate compares with what providers report. Bound: constant."""

    ratio: float = 1.0
    """Reported over estimated tokens of the last prompt: every estimate is corrected by it."""
    asked: int = 0
    """The corrected estimate of the last request."""
    hardened: bool = False
    """The provider refused a prompt as too long and was trimmed for since its last reply."""
    refused: bool = False
    """The provider refused the last prompt as too long."""


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
        case ModelAsked(estimated_tokens=tokens):
            return replace(state, asked=tokens)
        case ModelReplied(usage=usage) if state.asked and usage.prompt:
            ratio = state.ratio * usage.prompt / state.asked
            bounded = min(max(ratio, LEAST_RATIO), MOST_RATIO)
            return State(ratio=bounded, asked=state.asked)
        case ModelFailed(kind="context"):
            return replace(state, refused=True)
        case ContextTrimmed():
            return replace(state, hardened=state.refused, refused=False)
        case _:
            return state


def estimate(state: State, raw_tokens: int) -> int:
    """The size of a request whose parts were estimated at `raw_tokens`."""
    return round(raw_tokens * state.ratio)


def limits(rules: Rules, window: int | None, most_output: int) -> tuple[int, int]:
    """Where to trim and where to refuse, for a model with such a window (None: unknown)."""
    if window is None:
        return rules.max_tokens, rules.hard_limit_tokens
    fits = max(1, window - min(most_output, window // 4))
    return min(rules.max_tokens, fits), min(rules.hard_limit_tokens, fits)


def cut(rules: Rules, fixed: int, units: tuple[Unit, ...], target: int, hard: int) -> Cut | None:
    """What to drop so that `fixed` (system, tools, goal) and the newest units come down to `target`.

    `keep_recent` messages stay as long as the hard limit allows; the newest unit always does. None: nothing can go.
    """
    tokens, messages, kept = fixed, 0, len(units)
    while kept:
        unit = units[kept - 1]
        grown = tokens + unit.tokens
        wanted = grown <= target or (messages < rules.keep_recent and grown <= hard)
        if messages and not wanted:
            break
        tokens, messages, kept = grown, messages + unit.messages, kept - 1
    if kept == 0:
        return None
    dropped = sum(unit.messages for unit in units[:kept])
    return Cut(units[kept].seq, dropped, tokens)


def message(tokens: int) -> str:
    """A29"""
    return f"Context too large: {tokens} tokens"
