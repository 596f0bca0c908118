"""Context stability: 300 turns with results of 2,000 tokens, until a request is refused or the goal is lost. C11"""

from __future__ import annotations

from agentctl.core import envelope
from agentctl.core.events import ModelAsked
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Target
from agentctl.rehearsal.drills.scene import Act, Scene, Seen
from agentctl.rehearsal.script import Person, Reply
from agentctl.runner.drills.figures.column import Column, contains, found, looks, prose, unlimited

TURNS, RESULT = 300, 2_000
WINDOW = 200_000
"""Tokens that the model reads, where it is not known to read fewer. B02"""
SUMMARY = "Cases were looked up, and each was complete."


@dataclass(frozen=True, slots=True)
class Stable:
    """What it came to."""

    turns: int
    """Requests that were taken, with the goal in them, before the first that was not."""
    of: int
    largest: int
    """Tokens of the largest request, as the provider counted those that it answered and the run those it refused."""
    why: str
    """What ended it; empty: nothing did."""
    seen: Seen


async def measured(column: Column, target: Target, turns: int = TURNS, window: int = WINDOW) -> Stable:
    """Play them."""
    ground = column.ground
    window = min(window, column.ready.plan.setup.windows.get(ground.answering[0].name) or window)

    def behave(_: object, call: int) -> envelope.Envelope:
        return envelope.success({**found(call), "text": prose(RESULT, ground.seed, call)})

    yes = (Person(target.name, "y", "the drill lets it run"),) * turns
    answering = frozenset(provider.name for provider in ground.answering)
    # Who only summarises says words of its own: it uses up no turn.
    aside = [Reply(text=SUMMARY, provider=one.name) for one in ground.policy.providers if one.name not in answering]
    script = ground.script(*aside * turns, *looks(target, turns), person=(*yes, *ground.yes()))
    seen = await column.play(Scene((Act(script, {target.name: behave}),), window, unlimited), "stability")
    return _judged(seen, ground.goal[:200], turns, answering)


def _judged(seen: Seen, goal: str, turns: int, answering: frozenset[str]) -> Stable:
    """A request for a summary needs no goal, also where it goes to who answers."""
    client, taken = seen.clients[0], 0
    asked = [stamped.event for stamped in client.events if isinstance(stamped.event, ModelAsked)]
    largest = max((each.estimated_tokens for each in asked), default=0)
    for event, request in zip(asked, seen.requests, strict=False):  # the last may never have left
        if request.status != 200:
            return Stable(taken, turns, largest, f"refused with {request.status}", seen)
        if event.purpose != "summary" and not contains(request.body, goal):
            return Stable(taken, turns, largest, "the goal was lost", seen)
        taken += request.provider in answering
    why = "" if client.exit_code == 0 else f"{client.status}, {client.reason}"
    return Stable(min(taken, turns), turns, largest, why, seen)
