"""What other terminals ask of a run as a whole, obeyed at every safe point.

Before a model call or a tool, at a prompt.
"""

from __future__ import annotations

from agentctl.core import decisions as do
from agentctl.runner.world import World


def wish(world: World) -> do.Stop | None:
    """The pause or the cancellation that waits in the inbox. Answers to questions are left to `letters.py`."""
    for letter in world.letters():
        if letter.kind == "pause":
            world.recorder.took(letter.id)
            return do.Stop("paused", "pause", 0, f"Paused by {letter.sender}.")
        if letter.kind == "cancel":
            world.recorder.took(letter.id)
            return do.Stop("cancelled", "cancel", 0, f"Cancelled by {letter.sender}.")
    return None
