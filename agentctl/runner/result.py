"""How a drive ended, as the contract's object and as the lines that a person is told."""

from __future__ import annotations

import json

from agentctl.core.decisions import Stop
from agentctl.core.guards import budget
from agentctl.core.messages import JsonObject
from agentctl.core.summary import figures
from agentctl.runner import answers
from agentctl.runner.order import Result
from agentctl.runner.plan import Plan
from agentctl.runner.recorder import Recorder
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
        answer = json.dumps(output, ensure_ascii=False)
    resume = resume_command(recorder, plan, stop)
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


def resume_command(recorder: Recorder, plan: Plan, stop: Stop) -> str | None:
    """The exact command that goes on, where there is one."""
    if not recorder.resumable or stop.status == "completed":
        return None
    rules = plan.policy.budget
    flag = RAISES.get(stop.reason, "").format(
        usd=round(rules.run_usd, 2), steps=rules.max_steps, tokens=plan.policy.tokens.total
    )
    return f"agentctl resume {recorder.identity.run_id}" + (f" {flag}" if flag else "")
