"""How a drive ended, as the contract's object and as the lines that a person is told."""

from __future__ import annotations

import json
import math

from agentctl.core.decisions import Stop
from agentctl.core.guards import budget, context, tokens
from agentctl.core.messages import JsonObject, Scrubbed
from agentctl.core.summary import figures
from agentctl.runner import answers
from agentctl.runner.order import Result
from agentctl.runner.plan import Plan, first_of
from agentctl.runner.world import World

RAISES = {
    "run_usd": "--add-usd {usd:g}",
    "max_steps": "--add-steps {steps}",
    "tokens": "--add-tokens {tokens}",
}


def result_of(world: World, plan: Plan, stop: Stop) -> Result:
    """The result of a drive that has been recorded as ended."""
    recorder, state = world.recorder, world.state
    answer = world.scrub.text(state.run.answer.strip())
    output = answers.parsed(answer) if plan.task.task.output is not None and stop.status == "completed" else None
    if output is not None:
        answer = Scrubbed(json.dumps(output, ensure_ascii=False))
    resume = resume_command(world, plan, stop)
    now = world.clock()
    body: JsonObject = {
        "run_id": recorder.identity.run_id,
        "session_id": recorder.identity.session_id,
        "status": stop.status,
        "reason": stop.reason,
        "exit_code": stop.exit_code,
        "answer": answer,
        "output": output,
        **figures(recorder.totals),
        "budget": {
            gauge.key: {"used": round(gauge.used, 6), "limit": gauge.limit}
            for gauge in budget.gauges(plan.policy.budget, state.budget, now)
        },
        "duration_s": round(max(0.0, now - state.run.started), 3),
        "policy": {"name": plan.policy.name, "digest": plan.digest},
        "rehearsed": state.run.rehearsed,
        "resume": resume,
        "message": world.scrub.text(stop.message),
    }
    return Result(stop.status, stop.reason, stop.exit_code, answer, world.scrub.text(stop.message), resume, body)


def resume_command(world: World, plan: Plan, stop: Stop) -> str | None:
    """The exact command that goes on, where there is one: with enough for at least one more step."""
    if not world.recorder.resumable or stop.status == "completed":
        return None
    flag = RAISES.get(stop.reason, "")
    run_id = world.recorder.identity.run_id
    if not flag:
        return f"agentctl resume {run_id}"
    usd, tokens = _missing(world, plan)
    given = flag.format(usd=usd, steps=plan.policy.budget.max_steps, tokens=tokens)
    return f"agentctl resume {run_id} {given}"


def _missing(world: World, plan: Plan) -> tuple[float, int]:
    """Dollars and tokens to add: the limit once more, or what the next call needs at the worst where that is more."""
    provider, state, policy = first_of(plan), world.state, plan.policy
    price, kept = plan.setup.prices.get(provider.name), 1 - policy.budget.landing
    worst = context.worst(state.context, provider.identity)
    cost = 0.0 if price is None else price.worst(worst, provider.max_output_tokens) / 1e6
    spent = state.budget.spent_micro / 1e6
    short = (spent + 2 * cost) / kept - budget.cap_micro(policy.budget, state.budget) / 1e6
    usd = max(policy.budget.run_usd, math.ceil(short * 100) / 100)
    next_call = state.prompt_tokens + provider.max_output_tokens
    few = math.ceil((state.tokens.used + 2 * next_call) / kept) - tokens.total(policy.tokens, state.tokens)
    return round(usd, 2) or usd, max(policy.tokens.total, few)
