"""What one run came to, in the figures that limits are about: how much of each it would have needed to go as it went.

A limit in dollars or tokens is reserved before it is spent and keeps a share for the landing, so that a run needs a
larger one than it used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from agentctl.core import events as e
from agentctl.core.guards import budget, context, tokens
from agentctl.core.setup import Setup
from agentctl.core.state import State, apply
from agentctl.records import dataclass

MINUTE_S = 60
MOST_MINUTES = 200_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run, which did its task from the beginning."""

    status: str
    reason: str
    figures: Mapping[str, float]
    """By the limit's key: `budget.run_usd`, in the limit's own unit."""

    @property
    def done(self) -> bool:
        """It did what it was to do."""
        return self.status == "completed"


@dataclass(slots=True)
class Shared:
    """What runs share: minutes, and the seconds of tools. Bound: MOST_MINUTES; what the tools took."""

    minute_tokens: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """By whose minute it is, as it was reserved."""
    minute_micro: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    tools: dict[str, list[float]] = field(default_factory=dict[str, "list[float]"])
    """Seconds of each call that succeeded, of tools that took the policy's own timeout."""


def measure(
    setup: Setup,
    events: Sequence[e.Stamped],
    status: str,
    reason: str,
    shared: Shared,
    heed: Callable[[State, e.Stamped], None],
) -> Run:
    """Fold a run, and take its figures. `heed` is told of each event with the state before it."""
    state, needs = State(), Counter[str]()
    policy, asked, timed = setup.policy, e.ModelAsked("", "", "", 0, "answer", 0, 0, 0), set[str]()
    for at in events:
        match at.event:
            case e.ModelAsked() as asked:
                _minute(shared, at, asked, policy.pace.overhead_tokens)
            case e.ModelReplied(usage=usage, purpose="answer") if asked.provider in setup.prices:
                _most(needs, _needed(setup, state, asked, usage.output))
            case e.ToolStarted(call_id=call_id, timeout_s=timeout_s):
                if timeout_s == policy.results.timeout_s:
                    timed.add(call_id)
            case e.ToolFinished(call_id=call_id, tool=tool, status="success", ran=True, shared_with="") as done:
                if call_id in timed:
                    shared.tools.setdefault(tool, []).append(done.duration_ms / 1e3)
            case _:
                pass
        heed(state, at)
        state = apply(state, at)
    used = state.budget
    figures = {
        "budget.run_usd": needs["micro"] / 1e6,
        "budget.max_steps": float(used.steps),
        "budget.max_tool_calls": used.tool_calls + 1.0,  # at the limit the run lands
        "budget.max_tool_errors": used.tool_errors + 1.0,
        "budget.max_wall_s": used.active_s,
        "tokens.total": float(needs["tokens"]),
        "context.max_tokens": float(needs["prompt"]),
    }
    return Run(status, reason, figures)


def _needed(setup: Setup, state: State, asked: e.ModelAsked, output: int) -> dict[str, int]:
    """What the limits had to be for this very call: its reservation, and what is kept for the landing.

    `state` is that after the intent, before the reply.
    """
    policy, price = setup.policy, setup.prices[asked.provider]
    provider = setup.provider(asked.provider)
    prompt = context.worst(state.context, provider.identity)
    wanted = max(output, min(budget.LEAST_OUTPUT, provider.max_output_tokens))
    kept = 1 - policy.budget.landing
    total = state.tokens.used + tokens.uncached(state.tokens, provider.identity, asked.estimated_tokens) + wanted
    needs = {"tokens": int(total / kept) + 1 - state.tokens.raised, "prompt": asked.estimated_tokens}
    if price is not None:
        usable = state.budget.spent_micro + price.worst(prompt, wanted)
        landing = price.worst(prompt + budget.LEAST_OUTPUT, budget.LEAST_LANDING)
        needs["micro"] = max(int(usable / kept) + 1, usable + landing) - state.budget.raised_micro
    return needs


def _most(so_far: Counter[str], needs: Mapping[str, int]) -> None:
    for key, value in needs.items():
        so_far[key] = max(so_far[key], value)


def _minute(shared: Shared, at: e.Stamped, asked: e.ModelAsked, overhead: int) -> None:
    key = asked.identity, int(at.ts // MINUTE_S)
    if key in shared.minute_tokens or len(shared.minute_tokens) < MOST_MINUTES:
        shared.minute_tokens[key] += asked.estimated_tokens + asked.max_output_tokens + overhead
        shared.minute_micro[key] += asked.reserved_micro
