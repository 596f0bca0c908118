"""All drills, in the order in which they are played."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agentctl.records import dataclass
from agentctl.rehearsal.drills import (
    bad_args,
    budget_race,
    cold_cache,
    context_overflow,
    crash,
    injection,
    isolation,
    malformed_replies,
    outage,
    output_format,
    rate_limits,
    search_loop,
    secret_leak,
    slow_tool,
    unknown_tool,
)
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
    file: str = ""
    """Where it is written; empty: it came with the program."""


DRILLS: tuple[Drill, ...] = (
    Drill("bad-args", bad_args.INJECTED, bad_args.scene, bad_args.judge),
    Drill("rate-limits", rate_limits.INJECTED, rate_limits.scene, rate_limits.judge),
    Drill("context-overflow", context_overflow.INJECTED, context_overflow.scene, context_overflow.judge),
    Drill("search-loop", search_loop.INJECTED, search_loop.scene, search_loop.judge),
    Drill("secret-leak", secret_leak.INJECTED, secret_leak.scene, secret_leak.judge),
    Drill("cold-cache", cold_cache.INJECTED, cold_cache.scene, cold_cache.judge),
    Drill("outage", outage.INJECTED, outage.scene, outage.judge),
    Drill("slow-tool", slow_tool.INJECTED, slow_tool.scene, slow_tool.judge),
    Drill("crash", crash.INJECTED, crash.scene, crash.judge),
    Drill("injection", injection.INJECTED, injection.scene, injection.judge),
    Drill("malformed-replies", malformed_replies.INJECTED, malformed_replies.scene, malformed_replies.judge),
    Drill("unknown-tool", unknown_tool.INJECTED, unknown_tool.scene, unknown_tool.judge),
    Drill("budget-race", budget_race.INJECTED, budget_race.scene, budget_race.judge),
    Drill("isolation", isolation.INJECTED, isolation.scene, isolation.judge),
    Drill("output-format", output_format.INJECTED, output_format.scene, output_format.judge),
)
