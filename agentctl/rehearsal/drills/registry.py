"""All drills, in the order in which they are played."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agentctl.records import dataclass
from agentctl.rehearsal.drills import bad_args, outage, slow_tool
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Finding, Scene, Seen, Skip

Plays: TypeAlias = Callable[[Ground], Scene | Skip]
Judges: TypeAlias = Callable[[Ground, Seen], Finding]


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill."""

    name: str
    injected: str
    """What goes wrong, in one line."""
    scene: Plays
    judge: Judges


DRILLS: tuple[Drill, ...] = (
    Drill("bad-args", bad_args.INJECTED, bad_args.scene, bad_args.judge),
    Drill("outage", outage.INJECTED, outage.scene, outage.judge),
    Drill("slow-tool", slow_tool.INJECTED, slow_tool.scene, slow_tool.judge),
)
