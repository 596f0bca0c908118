"""Which provider answers: by role, priority and health."""

from __future__ import annotations

from dataclasses import field

from agentctl.core import clock
from agentctl.core.bounds import Count, Name, Natural, Share, table
from agentctl.core.events import FellBack, Forked, ModelAsked, ModelReplied, ProviderOut, Resumed, RunStarted, Stamped
from agentctl.core.messages import Json
from agentctl.records import dataclass, replace


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
    goal_chars: int = 0
    tools: int = 0
    variables: dict[str, Json] = field(default_factory=dict[str, Json])
    """As the journal shows them: a secret one equals nothing. Bound: the task's."""
    since: dict[str, float] = field(default_factory=dict[str, float])
    """When it was told so: what a clock said that has been set back since is not believed."""


EMPTY = State({})


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case RunStarted() as started:
            return replace(state, goal_chars=len(started.goal), tools=len(started.tools), variables=started.variables)
        case ModelAsked(provider=provider, purpose="answer" | "landing"):
            return replace(state, asked=provider)
        case ModelReplied(provider=provider, purpose="answer" | "landing"):
            return replace(state, current=provider)
        case ProviderOut(provider=provider, until=until):
            since = {**state.since, provider: stamped.ts}
            return replace(state, out={**state.out, provider: until}, since=since)
        case Resumed():
            return replace(state, out={}, since={})
        case Forked(goal=goal) if goal:
            return replace(state, goal_chars=len(goal))
        case FellBack(to=provider):
            return replace(state, asked=provider)
        case _:
            return state


def available(state: State, provider: str, now: float) -> bool:
    """Whether a provider may be asked as far as this run knows."""
    if provider not in state.out:
        return True
    until = state.out[provider]
    return until is not None and (now >= until or not clock.past(state.since.get(provider, now), now))


def order(providers: tuple[tuple[str, int, tuple[str, ...]], ...], role: str) -> tuple[str, ...]:
    """Names of (name, priority, roles) in the order in which they are tried for a role. A84

    A role that nobody has falls to the answering providers.
    """
    ranked = sorted(providers, key=lambda provider: provider[1])
    named = tuple(name for name, _, roles in ranked if role in roles)
    return named or tuple(name for name, _, roles in ranked if "answer" in roles)


def preferred(rules: Rules, state: State) -> tuple[str, str]:
    """The provider that the first fitting rule names, and which rule that is; empty: none fits."""
    if rules.enabled:
        for number, rule in enumerate(rules.rules, 1):
            if _fits(rule.when, state):
                return rule.provider, f"route rule {number}"
    return "", ""


def _fits(when: When, state: State) -> bool:
    if when.goal_max_chars is not None and state.goal_chars > when.goal_max_chars:
        return False
    if when.tools is not None and state.tools != when.tools:
        return False
    return all(name in state.variables and state.variables[name] == value for name, value in when.vars.items())


def saves(rules: Rules, spent_micro: int, cap_micro: int) -> bool:
    """Whether so much of the run's money is spent that the cheapest provider is to answer. D18"""
    return rules.enabled and rules.cheaper_above < 1.0 and spent_micro > rules.cheaper_above * cap_micro


def first(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The same names with one of them in front."""
    return (name, *(other for other in names if other != name)) if name in names else names
