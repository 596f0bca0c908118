"""`--explain`.

What would be sent and allowed, against each provider's window, and what it could cost. Sends nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from agentctl.config import masking
from agentctl.config.task import Filled
from agentctl.core.contract import Contract
from agentctl.core.guards import context, risk, trust
from agentctl.core.messages import JsonObject, ToolSchema
from agentctl.core.tiers import Tier
from agentctl.journal.sessions import Said
from agentctl.runner import conversing
from agentctl.runner.plan import Plan, answering


def fixed_tokens(count: Callable[[str], int], system: str, schemas: tuple[ToolSchema, ...]) -> int:
    """What every request of a run carries: system prompt and tool definitions, estimated."""
    text = "".join(f"{s.name}{s.description}{json.dumps(s.parameters)}" for s in schemas)
    return count(system) + count(text) + 12 * len(schemas)


def of(plan: Plan, filled: Filled, said: Sequence[Said] = (), more: bool = False) -> JsonObject:
    """The whole explanation, as one object. `said`: in the session, and `more` before it."""
    notes = list(plan.notes)
    count = plan.counter(notes.append)
    masks = masking.mask(plan.policy.scrub, filled.secrets)
    fixed = fixed_tokens(count, filled.system, plan.schemas)
    earlier = conversing.carried(said, masks.text, count, conversing.room(plan), more=more)
    talk = sum(each.asked_tokens + each.answer_tokens for each in earlier)
    goal = count(filled.goal)
    size = fixed + talk + goal
    budget = plan.policy.budget
    return {
        "task": plan.task.task.name,
        "policy": {"name": plan.policy.name, "digest": plan.digest, "path": str(plan.loaded.path)},
        "system": masks.text(filled.system),
        "goal": masks.text(filled.goal),
        "tools": [_tool(plan, name) for name in plan.tools],
        "providers": [_provider(plan, provider.name, size) for provider in answering(plan)],
        "estimated_tokens": {"fixed": fixed, "conversation": talk, "goal": goal, "first_request": size},
        "limits": {
            "run_usd": budget.run_usd,
            "max_steps": budget.max_steps,
            "max_tool_calls": budget.max_tool_calls,
            "max_wall_s": budget.max_wall_s,
            "tokens.total": plan.policy.tokens.total,
            "context.max_tokens": plan.policy.context.max_tokens,
        },
        "worst_case_usd": budget.run_usd if budget.enabled else None,
        "notes": notes,
    }


def _tool(plan: Plan, name: str) -> JsonObject:
    contract = plan.tools[name].contract
    ruling = risk.tier(plan.policy.risk, contract, None, plan.setup.reader)
    asks = risk.check(plan.policy.risk, contract) is not None and plan.policy.approval.enabled
    return {
        "name": name,
        "tier": ruling.tier.word,
        "rule": ruling.rule,
        "decision": "forbid" if risk.forbids(plan.policy.risk, ruling) else "ask" if asks else "run",
        "once_untrusted": "forbid"
        if risk.forbids(plan.policy.risk, ruling)
        else _once_untrusted(plan, contract, ruling.tier),
        "side_effects": contract.side_effects or "unknown",
        "timeout_seconds": contract.timeout_s,
    }


def _once_untrusted(plan: Plan, contract: Contract, tier: Tier) -> str:
    """What becomes of a call once somebody else's words are in the run: `run`, or `ask` with the tier. D11, D21"""
    policy = plan.policy
    raised = trust.check(policy.trust, trust.State(untrusted=("somebody",)), contract, tier)
    tier, always = (tier, False) if raised is None else (raised.tier, raised.always)
    asks = policy.approval.enabled and (always or risk.above(policy.risk, tier))
    return f"ask ({tier.word})" if asks else "run"


def _provider(plan: Plan, name: str, size: int) -> JsonObject:
    provider, price = plan.setup.provider(name), plan.setup.prices.get(name)
    window = plan.setup.windows.get(name)
    limit, hard = context.limits(plan.policy.context, window, provider.max_output_tokens)
    worst = None if price is None else price.worst(size, provider.max_output_tokens) / 1e6
    return {
        "name": name,
        "sdk": provider.sdk,
        "api": provider.wire,
        "model": provider.model,
        "window_tokens": window,
        "trim_at_tokens": limit,
        "refuse_above_tokens": hard,
        "fits": size <= hard,
        "first_call_worst_usd": worst,
        "price_source": None if price is None else price.source,
    }
