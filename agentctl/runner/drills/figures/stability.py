"""Context stability: 300 turns with results of 2,000 tokens, until a request is refused or the goal is lost. C11"""

from __future__ import annotations

from agentctl.core import envelope
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Target
from agentctl.rehearsal.drills.scene import Act, Scene, Seen
from agentctl.rehearsal.script import Person
from agentctl.runner.drills.figures.column import Column, contains, found, looks, prose, unlimited

TURNS, RESULT = 300, 2_000
WINDOW = 200_000
"""Tokens that the model reads, where it is not known to read fewer. B02"""


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
    script = ground.script(*looks(target, turns), person=(*yes, *ground.yes()))
    seen = await column.play(Scene((Act(script, {target.name: behave}),), window, unlimited), "stability")
    answering = frozenset(provider.name for provider in ground.answering)
    return _judged(seen, ground.goal[:200], turns, answering)


def _judged(seen: Seen, goal: str, turns: int, answering: frozenset[str]) -> Stable:
    """Of those who answer: who only summarises needs no goal."""
    client, largest, taken = seen.clients[0], 0, 0
    for stamped in client.events:
        asked = getattr(stamped.event, "estimated_tokens", None)
        largest = max(largest, asked if isinstance(asked, int) else 0)
    for request in (each for each in seen.requests if each.provider in answering):
        if request.status != 200:
            return Stable(taken, turns, largest, f"refused with {request.status}", seen)
        if not contains(request.body, goal):
            return Stable(taken, turns, largest, "the goal was lost", seen)
        taken += 1
    why = "" if client.exit_code == 0 else f"{client.status}, {client.reason}"
    return Stable(min(taken, turns), turns, largest, why, seen)
