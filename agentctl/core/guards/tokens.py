"""What a run may use in all: input and output tokens together. Cache reads cost money, not tokens."""

from __future__ import annotations

from typing import Literal

from agentctl.core.bounds import Count, Share, table
from agentctl.core.events import ContextTrimmed, Forked, ModelFailed, ModelReplied, Resumed, Stamped
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[tokens]`."""

    enabled: bool = True
    """False is printed at every start."""
    total: Count = 500_000
    """Input and output tokens of the run; cache reads do not count. E15"""
    warn_at: Share = 0.75
    """Crossing this share (strictly) compresses older turns once. D37"""


@dataclass(frozen=True, slots=True)
class State:
    """What the run has used. Bound: constant."""

    used: int = 0
    raised: int = 0
    compressed_to: int = 0
    """Tokens of the request after the last trim; 0: there was none."""
    compressed_at: int = 0
    """`used` at the last trim."""
    cached: int = 0
    """Of the last prompt: what the cache answered for. A trim costs the cache."""
    identity: str = ""
    """Whose cache."""


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ModelReplied(usage=usage, purpose="summary"):
            return replace(state, used=state.used + usage.counted)
        case ModelReplied(usage=usage, identity=identity):
            return replace(state, used=state.used + usage.counted, cached=usage.cache_read, identity=identity)
        case ModelFailed(tokens=tokens):
            return replace(state, used=state.used + tokens)
        case ContextTrimmed(tokens=tokens):
            return replace(state, compressed_to=tokens, compressed_at=state.used, cached=0)
        case Resumed(add_tokens=tokens):
            return replace(state, raised=state.raised + tokens)
        case Forked():
            return replace(state, used=0, raised=0, compressed_at=0)
        case _:
            return state


def total(rules: Rules, state: State) -> int:
    """The limit, raises included."""
    return rules.total + state.raised


def level(rules: Rules, state: State) -> Literal["OK", "WARNING", "EXCEEDED"]:
    """WARNING strictly above `warn_at`, EXCEEDED strictly above the total. D37, D38"""
    ratio = state.used / total(rules, state)
    if ratio > 1.0:
        return "EXCEEDED"
    return "WARNING" if ratio > rules.warn_at else "OK"


def compress(rules: Rules, state: State, request_tokens: int) -> bool:
    """Whether older turns are to be compressed now: once at the warning, again when the request has doubled since."""
    if not rules.enabled or level(rules, state) != "WARNING":
        return False
    crossed = state.compressed_at <= total(rules, state) * rules.warn_at
    return crossed or request_tokens >= 2 * state.compressed_to


def left(rules: Rules, state: State, share_kept: float) -> int:
    """Tokens that may still be used while `share_kept` of the total is kept back."""
    if not rules.enabled:
        return 1 << 53
    return int(total(rules, state) * (1 - share_kept)) - state.used


def uncached(state: State, identity: str, request_tokens: int) -> int:
    """What of the next request no cache is expected to answer for."""
    return max(0, request_tokens - state.cached) if identity == state.identity else request_tokens


def message(rules: Rules, state: State) -> str:
    """D39"""
    return f"Token budget exceeded: {state.used}/{total(rules, state)}"
