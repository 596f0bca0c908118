"""Cost variance at peak: dollars a minute that the providers bill, twenty clients under faults, over a calm day's. C10

Counted from the provider's side: whatever it did not refuse is billed as if it was generated, also where nobody
received it. A client whose run fails begins a new one, as people do, and meets no fault in that. The minutes are those
in which the clients come, the same for both times: who waits longer does not pay less.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agentctl.core.messages import Usage
from agentctl.core.prices import Price, Rate
from agentctl.records import dataclass, replace
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Request, Scene, Seen
from agentctl.rehearsal.script import Fault, FaultKind, Reply, Script, ScriptUsage
from agentctl.runner.drills.figures.column import Column, finds, look, searched, unlimited

CLIENTS, EVERY_S, AGAIN, LOOKS = 20, 30.0, 3, 4
MINUTES = CLIENTS * EVERY_S / 60
REPLY_S = 1.0
"""Seconds that a reply takes."""
GIVEN, TAKEN = 600, 100
"""Tokens of each request and of each reply, as the provider bills them."""
USUAL = Price((Rate(3.0, 15.0, 0.3, 3.75, 6.0),))
"""Where nobody knows the price, and where nobody who answers asks for any."""
CUT: tuple[FaultKind, ...] = ("stall", "truncate", "reset", "bad_json")
SPOILED: tuple[FaultKind, ...] = (*CUT, *CUT, "hang", "wrong_shape")
"""Silence from the start and halfway, cut, torn down, malformed: all billed."""
REFUSED = 10
"""Clients who are refused with 429: together with those, all of them meet a fault."""


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
    act = Act(first, tools, CLIENTS, EVERY_S, shared=False, others=tuple(others), again=AGAIN)
    return Scene((replace(act, anew=_script(ground, ())),), change=unlimited)


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
    return sum(bill(ground, request) for request in seen.requests) / 1e6 / MINUTES


def bill(ground: Ground, request: Request) -> int:
    """What the provider bills for it, in micro-dollars: a refusal is free; silence may be billed for what it hides."""
    if request.status not in {0, 200} or request.api == "count_tokens":
        return 0
    usage = Usage(input=GIVEN, output=TAKEN)
    prices = ground.setup.prices
    free = not any(price.cost(usage) for one in ground.answering if (price := prices.get(one.name)) is not None)
    return ((None if free else prices.get(request.provider)) or USUAL).cost(usage)
