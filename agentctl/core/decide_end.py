"""The seam at which a run is stopped: a limit that is reached, or a run that goes in circles; the last answer first.

Only this file, `decide.py` and `decide_call.py` know more than one guard.
"""

from __future__ import annotations

from agentctl.core import decisions as do
from agentctl.core.events import Decided, LoopSeen
from agentctl.core.guards import budget, loops, progress
from agentctl.core.setup import Setup
from agentctl.core.state import State

RESUMED = "The limit was raised. Go on with the task; tools can be called again."
ANEW = "You may go on with the task; tools can be called again. Take another way than the one that led nowhere."
LANDING = (
    "A limit of this run is reached ({reason}), so this is your last reply and no tool can be called. "
    "Say what you found, what is left undone, and what should be done next."
)


def circling(setup: Setup, state: State) -> do.Action | None:
    """What goes in circles is told so, and then stopped with a last answer. C84, G2"""
    if state.loops.halted is not None:
        return land(state, budget.Reached("loop", loops.sentence(state.loops.halted)), "loops")
    rules = setup.policy.progress
    stall = progress.check(rules, state.progress)
    if stall is None or not rules.halt_on_stall:
        return None if stall is None else do.Report(stall)
    if stall.halt:
        return land(state, budget.Reached("no_progress", progress.sentence(stall)), "progress", stall)
    return do.Say("progress", "stall", progress.note(stall), stall)


def land(
    state: State, reached: budget.Reached, guard: str = "budget", loop: LoopSeen | None = None
) -> do.Land | do.Stop:
    """The last answer; or the stop at once, where that limit has had its last answer and stands as it stood."""
    landed = state.run.landed
    if landed is not None and state.run.landing_done and landed.reason == reached.reason:
        return do.Stop("stopped", reached.reason, _limit_code(reached.reason), reached.message)
    return do.Land(guard, reached.reason, reached.message, LANDING.format(reason=reached.reason), loop)


def give_up(state: State) -> do.Stop:
    """The stop for the limit that the run landed for."""
    landing = state.run.landing
    reason, message = (landing.reason, landing.message) if landing is not None else ("run_usd", "")
    return do.Stop("stopped", reason, _limit_code(reason), message)


def _limit_code(reason: str) -> int:
    return 11 if reason in {"loop", "no_progress"} else 10


def goes_on(landed: Decided) -> do.Say:
    """The model is told that the stop is over."""
    return do.Say("budget", "resumed", RESUMED if _limit_code(landed.reason) == 10 else ANEW)
