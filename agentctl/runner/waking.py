"""Before a call runs or a person is asked: is its tool what the store says, or must its server be started to know?

Whatever is found out changes the contracts, never the answer: the core decides the call again.
"""

from __future__ import annotations

import dataclasses

from agentctl.core import decisions as do
from agentctl.core.decide_call import before_tool
from agentctl.core.inflight import CallState
from agentctl.runner.exact import exactly
from agentctl.runner.world import World
from agentctl.tools.base import Tool, in_order


async def woken(world: World, call: CallState, decision: do.CallDecision) -> bool:
    """Whether servers were started for this call and those beside it, so that it has to be decided again."""
    asleep = world.asleep
    if asleep is None or not _sleeping(world, call, decision):
        return False
    wanted: dict[str, str] = {}
    for each in world.state.inflight.open_calls:
        name = _sleeping(world, each, decision if each.call_id == call.call_id else _decided(world, each))
        if name:
            wanted[each.call_id] = name
    for tool in await world.interrupt.guard(lambda: asleep.wake(wanted)):
        _refresh(world, in_order(tool))
    return True


def _decided(world: World, call: CallState) -> do.CallDecision:
    return before_tool(world.setup, world.state, exactly(world, call), world.clock())


def _sleeping(world: World, call: CallState, decision: do.CallDecision) -> str:
    """The tool that this decision is about, where its server is not started yet; empty: nothing has to be."""
    contract = world.setup.contracts.get(call.tool)
    if world.asleep is None or contract is None or not isinstance(decision, do.RunCall | do.AskPerson):
        return ""
    name = decision.instead if isinstance(decision, do.RunCall) and decision.instead else contract.name
    if world.tools[name] is not world.offered[name]:  # a rehearsal plays it
        return ""
    return name if world.asleep.holds(name, call.call_id) else ""


def _refresh(world: World, tool: Tool) -> None:
    """From here on this is the tool of that name. The model goes on with what it was shown."""
    at = tool.contract
    if world.setup.contracts.get(at.name) == at:
        return
    contracts = {**world.setup.contracts, at.name: at, at.wire: at}
    world.setup = dataclasses.replace(world.setup, contracts=contracts)
    world.offered = {**world.offered, at.name: tool}
    world.tools = {**world.tools, at.name: world.play(tool)}
