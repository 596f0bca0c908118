"""Cost variance at peak: dollars a minute that the providers bill, twenty clients under faults, over a calm day's. C10

Counted from the provider's side: a reply that was generated is billed, also where nobody received it. A client whose
run fails begins a new one, as people do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agentctl.core.messages import Usage
from agentctl.core.prices import Price, Rate
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Request, Scene, Seen
from agentctl.rehearsal.faults import INSTEAD
from agentctl.rehearsal.script import Fault, FaultKind, Reply, Script, ScriptUsage
from agentctl.runner.drills.figures.column import Column, finds, look, searched

CLIENTS, EVERY_S, AGAIN, LOOKS = 20, 30.0, 3, 4
REPLY_S, COARSE_S = 1.0, 10.0
"""Seconds that a reply takes, and to which times are rounded: how fast this machine is does not count."""
GIVEN, TAKEN = 600, 100
"""Tokens of each request and of each reply, as the provider bills them."""
USUAL = Price((Rate(3.0, 15.0, 0.3, 3.75, 6.0),))
"""Where nobody knows the price."""
SPOILED: tuple[FaultKind, ...] = ("stall", "truncate", "bad_json", "reset")
"""Silence halfway, cut, malformed, torn down: all billed."""
REFUSED = 10
"""Clients who are refused with 429."""


@dataclass(frozen=True, slots=True)
class Peak:
    """What it came to."""

    calm_usd: float
    """A minute."""
    peak_usd: float
    """A minute."""
    answered: int
    """Clients, of `CLIENTS`, at the peak."""
    runs: int
    seen: Seen

    @property
    def ratio(self) -> float:
        """Peak over calm."""
        return self.peak_usd / self.calm_usd

    @property
    def unanswered(self) -> int:
        """Clients whom the peak left without an answer."""
        return CLIENTS - self.answered


async def measured(column: Column, kinds: Sequence[FaultKind] = SPOILED, refused: int = REFUSED) -> Peak:
    """A calm time and a peak, of the same clients."""
    ground = column.ground
    calm = await column.play(_scene(ground, [()] * CLIENTS), "calm")
    peak = await column.play(_scene(ground, _faults(ground, kinds, refused)), "peak")
    ended = {(client.number, client.exit_code) for client in peak.clients}
    answered = sum((number, 0) in ended for number in range(CLIENTS))
    return Peak(_a_minute(ground, calm), _a_minute(ground, peak), answered, len(peak.clients), peak)


def _scene(ground: Ground, faults: Sequence[tuple[Fault, ...]]) -> Scene:
    first, *others = (_script(ground, each) for each in faults)
    target = searched(ground)
    tools = {} if target is None else {target.name: finds}
    return Scene(
        (Act(first, tools, CLIENTS, EVERY_S, shared=False, others=tuple(others), again=AGAIN),),
    )


def _script(ground: Ground, faults: tuple[Fault, ...]) -> Script:
    target = searched(ground)
    looks = [] if target is None else [look(target, number) for number in range(LOOKS)]
    usage = ScriptUsage(GIVEN, TAKEN)
    replies = [Reply(each.text, each.calls, usage, delay_s=REPLY_S) for each in (*looks, ground.final())]
    return Script(reply=tuple(replies), fault=faults, person=ground.yes())


def _faults(ground: Ground, kinds: Sequence[FaultKind], refused: int) -> list[tuple[Fault, ...]]:
    """Whom what befalls, at which request: by the seed."""
    dice = random.Random(f"{ground.seed}/peak")  # noqa: S311 -- which client it befalls, repeatable on purpose
    requests = 1 if searched(ground) is None else LOOKS + 1
    first = ground.answering[0].name
    plain = [Fault("status", (None, first)[n % 2], status=429, headers={"retry-after": "2"}) for n in range(refused)]
    at = [(fault, dice.randint(1, requests)) for fault in (*plain, *(Fault(kind) for kind in kinds))]
    given: list[tuple[Fault, ...]] = [
        (Fault(each.kind, each.provider, str(n), each.status, each.headers),) for each, n in at
    ]
    given += [()] * (CLIENTS - len(given))
    dice.shuffle(given)
    return given


def _a_minute(ground: Ground, seen: Seen) -> float:
    """What was billed, in dollars a minute."""
    billed = sum(bill(ground, request) for request in seen.requests)
    took = max(client.ended for client in seen.clients) - min(client.began for client in seen.clients)
    return billed / 1e6 / (COARSE_S * round(took / COARSE_S) / 60)


def bill(ground: Ground, request: Request) -> int:
    """What the provider bills for it, in micro-dollars: what was generated, whether it arrived or not."""
    if request.status != 200 or request.fault in INSTEAD:
        return 0
    price = ground.setup.prices.get(request.provider) or USUAL
    return price.cost(Usage(input=GIVEN, output=TAKEN))
