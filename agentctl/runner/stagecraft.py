"""What a drill puts in the place of the world: the provider, the tools, the dice."""

from __future__ import annotations

from collections.abc import Callable

from agentctl.records import dataclass
from agentctl.rehearsal.server import StandIn
from agentctl.runner.world import Play


@dataclass(frozen=True, slots=True)
class Stagecraft:
    """See the module."""

    standin: StandIn
    """One for all runs of an act."""
    play: Play
    dice: Callable[[], float]
