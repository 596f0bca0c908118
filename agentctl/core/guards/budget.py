"""What a run may cost: dollars, steps, tool calls, time. Reserved before, settled after, never reset."""

from __future__ import annotations

from typing import Literal

from agentctl.core.bounds import Count, Name, Price, Seconds, Share, Usd, table
from agentctl.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetCounted,
    Completed,
    Decided,
    Forked,
    ModelFailed,
    ModelReplied,
    Resumed,
    Stamped,
    ToolFinished,
    ToolStarted,
)
from agentctl.core.prices import Price as ModelPrice
from agentctl.core.prices import micro
from agentctl.records import dataclass, replace


@table
class PriceTable:
    """USD per million tokens; cache prices default to the input price."""

    input: Price
    output: Price
    cache_read: Price | None = None
    cache_write: Price | None = None


@table
class Rules:
    """The policy's `[budget]`."""

    enabled: bool = True
    """False is printed at every start."""
    run_usd: Usd = 1.50
    """USD that one run may cost. A35, C66"""
    session_usd: Usd | None = None
    """USD that all runs of a session may cost. D44"""
    user_daily_usd: Usd | None = None
    """USD that all runs of a user may cost in a day of `timezone`. D44"""
    tenant_daily_usd: Usd | None = None
    """USD that all runs of a tenant may cost in a day of `timezone`. C59"""
    hourly_usd: Usd | None = None
    """USD that all runs on the store may cost in one clock hour. D44"""
    max_steps: Count = 20
    """Model calls with the tool calls that they ask for. A34, E13"""
    max_tool_calls: Count = 100
    """Tool calls of the run."""
    max_tool_errors: Count = 20
    """Tool calls of the run that ended in an error. D03"""
    max_wall_s: Seconds = 3600.0
    """Seconds that the run may take; waiting for a person does not count."""
    warn_at: Share = 0.75
    """Share of a limit from which it is shown as close."""
    landing: Share = 0.08
    """Share of every limit in USD and tokens that is kept back for the last answer."""
    unknown_price: Literal["refuse", "assume"] = "refuse"
    """What to do where nobody knows a model's price."""
    assume_price: PriceTable | None = None
    """The price that `unknown_price = "assume"` assumes."""
    timezone: Name = "UTC"
    """Where a day begins: an IANA name."""


LEAST_OUTPUT = 1_024
"""Output tokens under which no answer is worth starting; the run lands instead."""
UNLIMITED = 1 << 53
"""Micro-dollars: what a run without a limit of its own may cost."""
LEAST_LANDING = 64
"""Output tokens under which not even the last answer is asked for."""


@dataclass(frozen=True, slots=True)
class State:
    """What the run has used. Bound: constant."""

    spent_micro: int = 0
    steps: int = 0
    tool_calls: int = 0
    tool_errors: int = 0
    active_s: float = 0.0
    """Wall time without waiting for a person and without the time between two drives."""
    last_ts: float = 0.0
    idle: bool = True
    """Nobody drives, or a person is awaited: the time until the next event does not count."""
    raised_micro: int = 0
    raised_steps: int = 0
    refused: str = ""
    """The limit that the ledger refused a reservation for."""
    refused_used: float = 0.0
    refused_limit: float = 0.0
    """How much of that limit was used, and the limit, as the ledger said."""
    refused_room: float = 0.0
    """Dollars that it still has for a smaller call."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """How close a limit is. USD gauges are in dollars."""

    key: str
    used: float
    limit: float


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is reached: the reason and the sentence of the contract."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Room:
    """What the next call may be: its output and its reservation, at the worst."""

    max_output_tokens: int
    reserve_micro: int
    cap_micro: int


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    state = _clock(state, stamped)
    match stamped.event:
        case ModelReplied(cost_micro=cost, purpose=purpose):
            steps = state.steps + (purpose == "answer")
            return replace(state, spent_micro=state.spent_micro + cost, steps=steps, refused="")
        case ModelFailed(cost_micro=cost):
            return replace(state, spent_micro=state.spent_micro + cost)
        case ToolStarted(attempt=1):
            return replace(state, tool_calls=state.tool_calls + 1)
        case ToolFinished(final=True, status="error", shared_with=""):
            return replace(state, tool_errors=state.tool_errors + 1)
        case BudgetCounted(key=key, used=used, limit=limit, state="refused", room=room):
            return replace(state, refused=key, refused_used=used, refused_limit=limit, refused_room=room)
        case Decided(decision="land"):
            return replace(state, refused="")
        case Resumed(add_micro=usd, add_steps=steps):
            return replace(
                state,
                raised_micro=state.raised_micro + usd,
                raised_steps=state.raised_steps + steps,
                refused="",
            )
        case Forked():
            return State(last_ts=stamped.ts)
        case _:
            return state


def _clock(state: State, stamped: Stamped) -> State:
    idle = isinstance(stamped.event, ApprovalRequested | Completed)
    if state.idle:
        return replace(state, last_ts=stamped.ts, idle=idle)
    if isinstance(stamped.event, Resumed) or getattr(stamped.event, "kind", "") == "unknown_outcome":
        return replace(state, last_ts=stamped.ts, idle=False)
    waited = stamped.event.waited_s if isinstance(stamped.event, ApprovalDecided) else 0.0
    passed = max(0.0, stamped.ts - state.last_ts - waited)
    return replace(state, active_s=state.active_s + passed, last_ts=stamped.ts, idle=idle)


def cap_micro(rules: Rules, state: State) -> int:
    """What the run may cost in all."""
    return micro(rules.run_usd) + state.raised_micro


def gauges(rules: Rules, state: State, now: float) -> tuple[Gauge, ...]:
    """Every limit of this table and how much of it is used."""
    active = state.active_s + (0.0 if state.idle else max(0.0, now - state.last_ts))
    return (
        Gauge("run_usd", state.spent_micro / 1e6, cap_micro(rules, state) / 1e6),
        Gauge("max_steps", state.steps, rules.max_steps + state.raised_steps),
        Gauge("max_tool_calls", state.tool_calls, rules.max_tool_calls),
        Gauge("max_tool_errors", state.tool_errors, rules.max_tool_errors),
        Gauge("max_wall_s", active, rules.max_wall_s),
    )


def check(rules: Rules, state: State, now: float) -> Reached | None:
    """The first limit, other than money, that leaves no room for another step."""
    if not rules.enabled:
        return None
    for gauge in gauges(rules, state, now)[1:]:
        if gauge.used >= gauge.limit:
            return _reached(gauge.key, f"{gauge.key} of {gauge.limit:g} reached")
    return None


def check_call(rules: Rules, state: State, now: float) -> Reached | None:
    """The first limit that leaves no room for another tool call."""
    if not rules.enabled:
        return None
    for gauge in gauges(rules, state, now)[2:]:
        if gauge.used >= gauge.limit:
            return _reached(gauge.key, f"{gauge.key} of {gauge.limit:g} reached")
    return None


def _reached(key: str, reason: str) -> Reached:
    message = f"Could not complete: {reason}. Please try a more specific query."
    return Reached(key, message)


def room(
    rules: Rules,
    state: State,
    price: ModelPrice | None,
    prompt_tokens: int,
    most_output: int,
    *,
    landing: bool,
) -> Room | Reached:
    """What the money that is left buys of a call with such a prompt, at the worst.

    `landing` may use what is kept back.
    """
    least = min(LEAST_LANDING if landing else LEAST_OUTPUT, most_output)
    if price is None:
        return _refused(rules, state, 0, landing=landing) if state.refused else Room(most_output, 0, UNLIMITED)
    if state.refused:
        most_output = min(most_output, price.affordable(prompt_tokens, micro(state.refused_room)))
        if most_output < least:
            return _refused(rules, state, price.worst(prompt_tokens, least), landing=landing)
    if not rules.enabled:
        return Room(most_output, price.worst(prompt_tokens, most_output), UNLIMITED)
    cap = cap_micro(rules, state)
    usable = cap if landing else _usable(rules, price, cap, prompt_tokens)
    left = usable - state.spent_micro
    output = min(most_output, price.affordable(prompt_tokens, left))
    if output < least:
        cost = price.worst(prompt_tokens, least) + cap - usable  # this call, and the landing that must follow it
        return Reached("run_usd", usd_message("run_usd", state.spent_micro, cost, cap))
    return Room(output, price.worst(prompt_tokens, output), usable)


def _refused(rules: Rules, state: State, cost: int, *, landing: bool) -> Reached:
    """A limit that runs share has no room, not even for the least; what is kept for the landing is not for sale."""
    used, limit = micro(state.refused_used), micro(state.refused_limit)
    kept = 0 if landing else int(limit * rules.landing)
    return Reached(state.refused, usd_message(state.refused, used, cost + kept, limit))


def _usable(rules: Rules, price: ModelPrice, cap: int, prompt_tokens: int) -> int:
    """What an ordinary call may use: it leaves the share of the landing, and at least what a landing after it costs."""
    least = price.worst(prompt_tokens + LEAST_OUTPUT, LEAST_LANDING)
    return min(int(cap * (1 - rules.landing)), cap - least)


def usd_message(name: str, current_micro: int, cost_micro: int, limit_micro: int) -> str:
    """D46: two decimals for what is, four for what would come."""
    current, cost, limit = current_micro / 1e6, cost_micro / 1e6, limit_micro / 1e6
    return f"{name} limit exceeded: ${current:.2f} + ${cost:.4f} > ${limit:.2f}"
