"""What other terminals ask of a run as a whole, obeyed at every safe point.

Before a model call or a tool, at a prompt.
"""

from __future__ import annotations

import asyncio
from functools import partial

from agentctl.core import decisions as do
from agentctl.runner.world import World

WISHES = {"pause", "cancel"}
LOOK_S = 1.0
PAUSED, CANCELLED = 143, 20
"""Exit codes: neither is a run that came to its end."""


def wish(world: World) -> do.Stop | None:
    """The pause or the cancellation that waits in the inbox. Answers to questions are left to `letters.py`.

    A cancellation counts whenever it came: who pauses and then cancels wants no run that rests.
    """
    found = [letter for letter in world.letters() if letter.kind in WISHES]
    for letter in found:
        world.recorder.took(letter.id)
    for letter in found:
        if letter.kind == "cancel":
            return do.Stop("cancelled", "cancel", CANCELLED, f"Cancelled by {letter.sender}.")
    return do.Stop("paused", "pause", PAUSED, f"Paused by {found[0].sender}.") if found else None


def wished(world: World) -> bool:
    """Whether somebody waits for the run to pause or to be cancelled."""
    return any(letter.kind in WISHES for letter in world.letters())


async def rest(world: World, seconds: float) -> None:
    """Wait for so long, or until a signal or a wish comes."""
    timer = asyncio.get_running_loop().time
    until = timer() + seconds
    while (left := until - timer()) > 0 and not wished(world):
        await world.interrupt.guard(partial(asyncio.sleep, min(left, LOOK_S)))
