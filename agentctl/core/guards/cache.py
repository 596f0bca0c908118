"""The prompt prefix that a provider remembers: how often it did, and why it did not."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.core.bounds import Share, table
from agentctl.core.events import ContextTrimmed, Forked, ModelAsked, ModelReplied, Purpose, Resumed, RunStarted, Stamped
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[cache]`."""

    enabled: bool = True
    """False is printed at every start."""
    ttl: Literal["5m", "1h"] = "5m"
    """How long a written prefix lives."""
    min_hit_ratio: Share = 0.5
    """Share of input read from the cache; below it over the first 100 requests: an alert. C73"""


CLEARLY_LESS = 0.9
"""Share of what should be in the cache below which a read is a miss: providers count and round as they like."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a provider's cache should hold of the run, and what happened since that may have spoilt it."""

    held: int
    """Tokens that the last request to it read and wrote."""
    asked: float
    """When that request began, in seconds since the epoch: lifetimes count from there."""
    purpose: Purpose
    since: str = ""
    """What rewrote the prefix since."""
    other: str = ""
    """The provider that answered last in between."""


@dataclass(frozen=True, slots=True)
class State:
    """By provider identity. Bound: the policy's providers."""

    known: dict[str, Known] = field(default_factory=dict[str, Known])
    asked: float = 0.0
    """When the last request began."""


EMPTY = State()


def latest(state: State) -> tuple[str, Known] | None:
    """The provider asked last and what its cache should still hold, if anything does."""
    identity, known = max(state.known.items(), key=lambda each: each[1].asked, default=("", None))
    return None if known is None or known.since or not known.held else (identity, known)


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ModelAsked():
            return replace(state, asked=stamped.ts)
        case ModelReplied(purpose="summary"):
            return state
        case ModelReplied(identity=identity, usage=usage, purpose=purpose, provider=provider):
            held = usage.cache_read + usage.cache_write + usage.cache_write_1h
            others = {name: replace(known, other=provider) for name, known in state.known.items()}
            return replace(state, known={**others, identity: Known(held, state.asked, purpose)})
        case ContextTrimmed():
            return _spoilt(state, "the history was trimmed")
        case Resumed(fixed_tokens=fixed) if fixed:
            return _spoilt(state, "the run was resumed with another system prompt or other tools")
        case Forked(goal=goal) if goal:
            return _spoilt(state, "the run was forked with another goal")
        case _:
            return state


def _spoilt(state: State, why: str) -> State:
    return replace(state, known={name: replace(known, since=why) for name, known in state.known.items()})


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a request beside the events."""

    read: int
    prompt: int
    """Tokens, those read included."""
    purpose: Purpose
    lifetime_s: float
    """Of what the last request wrote or read, in seconds."""
    least: int
    """The smallest prefix that the provider caches, in tokens."""
    diagnosis: str = ""
    """The provider's own word, such as `tools_changed`."""
    changed: str = ""
    """`first differing byte 1,204: tools: add`, where it differs from the last request to this provider."""


def missed(state: State, identity: str, read: int) -> bool:
    """Whether a reply read clearly less than the last request to that provider had put there. A53"""
    known = state.known.get(identity)
    return known is not None and read < known.held * CLEARLY_LESS


def why(state: State, identity: str, request: Request) -> str:
    """Why it was missed, in words for a person: the provider's, then our own. `state` is that before the reply."""
    told = f"{request.diagnosis.replace('_', ' ')}, says the provider" if request.diagnosis else ""
    return "; ".join(filter(None, (told, _own(state, identity, request)))) or "the provider does not say why"


def _own(state: State, identity: str, request: Request) -> str:
    known = state.known.get(identity)
    if known is None:
        return request.changed
    elapsed = state.asked - known.asked
    if known.since:
        return known.since
    if elapsed > request.lifetime_s:
        return f"the TTL ran out: {elapsed:,.0f}s since the last request, {request.lifetime_s:,.0f}s are kept"
    if request.prompt < request.least:
        return f"about {request.prompt:,} tokens: the provider caches nothing below {request.least:,}"
    if request.changed:
        return request.changed
    if known.other:
        return f"another provider answered meanwhile ({known.other})"
    if "landing" in {request.purpose, known.purpose} and request.purpose != known.purpose:
        return "a last answer forbids the tools, which are part of what messages are cached by"
    return ""


def rewritten(before: RunStarted, now: RunStarted) -> str:
    """What of the prefix one run has changed of another: `system`, `tools: add, search`; empty: nothing. A53"""
    if before.prefix == now.prefix:
        return ""
    if not (before.prefix_tools and now.prefix_tools):
        return "system or tools"
    found = ["system"] if before.prefix_system != now.prefix_system else []
    if before.prefix_tools != now.prefix_tools:
        names = sorted(name for name in {*before.tools, *now.tools} if before.tools.get(name) != now.tools.get(name))
        found.append(f"tools: {', '.join(names)}" if names else "tools")
    return "; ".join(found)
