"""The task's `[[steps]]`: tool calls made before the model speaks, through the same seams as the model's own. G20

The model finds them in its history as calls that it made, with their answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentctl.core.callkey import keys
from agentctl.core.events import CallProposed, StepsPlanned
from agentctl.core.messages import Message, ToolUse
from agentctl.core.task import Step
from agentctl.errors import Invalid
from agentctl.runner import numbered, originals
from agentctl.runner.world import World


def plan(world: World, steps: Sequence[Step]) -> None:
    """Record the calls; the loop makes them."""
    uses = tuple(_use(world, number, step) for number, step in enumerate(steps, 1))
    message = numbered.reply(world, Message("assistant", uses))
    numbered.keep(world)
    said = [block for block in message.blocks if isinstance(block, ToolUse)]
    proposed = tuple(_propose(world, use) for use in said)
    plain = all(call.args == use.args for call, use in zip(proposed, said, strict=True))
    sealed = "" if plain else world.recorder.seal(originals.of_message(message))
    tokens = sum(world.count(use.name + json.dumps(use.args)) for use in uses)
    stamped = world.recorder.record(StepsPlanned(proposed, tokens, sealed))
    world.conversation.hold(stamped.seq, message)
    world.conversation.wire_ids.update(use.wire_id for use in uses)
    numbered.called(world, said)


def _use(world: World, number: int, step: Step) -> ToolUse:
    contract = world.setup.contracts.get(step.tool)
    if contract is None:
        raise Invalid(f"steps[{number - 1}].tool: no server offers '{step.tool}'", hint="agentctl tools list TASK")
    return ToolUse(f"s{number}", f"step_{number}", contract.wire, dict(step.args))


def _propose(world: World, use: ToolUse) -> CallProposed:
    name = world.setup.contracts[use.name].name
    exact = numbered.filled(world, use).args
    return CallProposed(use.call_id, use.wire_id, name, world.scrub.data(use.args), *keys(world.call_key, name, exact))
