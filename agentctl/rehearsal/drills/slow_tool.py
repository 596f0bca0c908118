"""The $847 night: a tool that never answers in time, and a model that calls it again and again. D01, D03"""

from __future__ import annotations

from agentctl.core.messages import JsonObject
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Change, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Reply

INJECTED = "a tool that never answers in time, a model that calls it again each time"
NIGHT, MOST_STEPS, MOST_USD = 60, 20, 0.50


def scene(ground: Ground) -> Scene | Skip:
    """As many calls as a night has room for."""
    target = ground.reader() or ground.effect()
    if target is None:
        return Skip("the task has no tool that could be slow")
    replies = [Reply(text=f"It did not answer. Attempt {n}.", calls=(target.call(n),)) for n in range(1, NIGHT + 1)]
    return Scene((Act(ground.script(*replies), {target.name: never}),))


def never(_: JsonObject, __: int) -> None:
    """It hangs."""


def judge(_: Ground, seen: Seen) -> Finding:
    """Some guard ends it, before it has cost anything that matters."""
    client = seen.clients[0]
    minutes = (client.ended - client.began) / 60
    came = f"{client.steps} steps, ${client.cost_usd:.4f}, {minutes:.1f} minutes"
    if client.steps > MOST_STEPS or client.cost_usd > MOST_USD or client.exit_code == 0:
        return failed(
            f"it went on for {came}",
            Change("progress.enabled", value=True),
            Change("loops.enabled", value=True),
            Change("budget.enabled", value=True),
            Change("budget.max_steps", MOST_STEPS),
            Change("budget.max_tool_errors", MOST_STEPS),
        )
    return held(f"stopped by {client.reason} after {came}; the tool was tried {len(seen.uses)} times")
