"""Which provider answers: by role, priority and health."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agentctl.core.bounds import Count, Name, Natural, Share, table
from agentctl.core.events import FellBack, ModelAsked, ModelReplied, ProviderOut, Resumed, Stamped


@table
class When:
    """What a routing rule looks at; all that is set must hold."""

    goal_max_chars: Count | None = None
    """The goal is at most this long."""
    tools: Natural | None = None
    """The task has exactly so many tools."""
    vars: dict[str, str | int | float | bool] = field(default_factory=dict[str, str | int | float | bool])
    """These variables have these values."""


@table
class Rule:
    """One entry of `route.rules`."""

    provider: Name
    when: When


@table
class Rules:
    """The policy's `[route]`."""

    enabled: bool = True
    """False is printed at every start."""
    cheaper_above: Share = 1.0
    """Share of run_usd above which the cheapest answering provider is used; 1.0: never. D18"""
    rules: tuple[Rule, ...] = ()
    """The first one that fits decides."""


@dataclass(frozen=True, slots=True)
class State:
    """Who is out and who answered last. Bound: the policy's providers."""

    out: dict[str, float | None]
    """Provider to the moment until which it rests; None: for the rest of the run."""
    current: str = ""
    asked: str = ""


EMPTY = State({})


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case ModelAsked(provider=provider):
            return replace(state, asked=provider)
        case ModelReplied(provider=provider, purpose="answer" | "landing"):
            return replace(state, current=provider)
        case ProviderOut(provider=provider, until=until):
            return replace(state, out={**state.out, provider: until})
        case Resumed():
            return replace(state, out={})
        case FellBack(to=provider):
            return replace(state, asked=provider)
        case _:
            return state


def available(state: State, provider: str, now: float) -> bool:
    """Whether a provider may be asked as far as this run knows."""
    if provider not in state.out:
        return True
    until = state.out[provider]
    return until is not None and now >= until


def order(providers: tuple[tuple[str, int, tuple[str, ...]], ...], role: str) -> tuple[str, ...]:
    """Names of (name, priority, roles) in the order in which they are tried for a role. A84

    A role that nobody has falls to the answering providers.
    """
    ranked = sorted(providers, key=lambda provider: provider[1])
    named = tuple(name for name, _, roles in ranked if role in roles)
    return named or tuple(name for name, _, roles in ranked if "answer" in roles)
