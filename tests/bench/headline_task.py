"""The task of the headline figures, and shipped policies that it is played under."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import tomli_w

from agentctl.runner.drills.figures.column import Column
from agentctl.runner.drills.preparing import prepared
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.order import Order
from agentctl.runner.plan import unchanged

TOOL = {
    "name": "look_up",
    "description": "Looks a case up.",
    "command": ["cat"],
    "parameters": {"type": "object", "properties": {"case": {"type": "string"}}, "required": ["case"]},
    "side_effects": "none",
    "untrusted": False,
}
SYSTEM = "You look cases up and say what became of them."


def a_task(folder: Path, system: str = SYSTEM, tool: Mapping[str, object] = TOOL) -> Path:
    """A task with a tool that only reads; drills play it."""
    body = {
        "version": 1,
        "name": "headline",
        "system": system,
        "goal": "Find out what became of the case of the drill.",
    }
    path = folder / "task.toml"
    path.write_text(tomli_w.dumps(body | {"tools": [dict(tool)]}))
    return path


@asynccontextmanager
async def column(policy: str, folder: Path, loop: Skipping) -> AsyncGenerator[Column]:
    """The task under a shipped policy."""
    where = folder / policy
    where.mkdir(parents=True)
    async with prepared(Order(a_task(where), policy), where, loop, unchanged) as (ready, ground):
        yield Column(policy, ready, ground, where, loop)
