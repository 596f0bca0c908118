"""One column of the comparison: a task under one policy, and scenes played with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import Client, Request, Scene, Seen
from agentctl.rehearsal.script import Call, Reply
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.drills.stage import Prepared, Stage, under

PLENTY = 1_000_000
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "ve")
LETTERS = 6
"""Of a made-up word."""
BYTES_PER_TOKEN = 4
"""As the stand-in counts."""


@dataclass(frozen=True, slots=True)
class Column:
    """See the module."""

    name: str
    ready: Prepared
    ground: Ground
    folder: Path
    loop: Skipping

    async def play(self, scene: Scene, name: str) -> Seen:
        """Play a scene in a store of its own."""
        return await Stage(self.ready, scene, self.folder, f"{self.name}-{name}", self.loop).play()

    def under(self, policy: Policy) -> Column:
        """The same task under another policy."""
        ready = replace(self.ready, plan=under(self.ready.plan, policy))
        return replace(self, ready=ready, ground=replace(self.ground, setup=ready.plan.setup))


def searched(ground: Ground) -> Target | None:
    """A tool that can be called any number of times, each time with other arguments."""
    target = ground.reader()
    if target is None or not target.varies:
        return None
    contract = target.contract
    return target if contract.max_calls_per_session is None and contract.max_calls_per_minute is None else None


def look(target: Target, number: int) -> Reply:
    """The model calls it, with arguments of this number."""
    return _look(target.call(number), number)


def looks(target: Target, count: int) -> list[Reply]:
    """The model calls it so many times, each time with other arguments."""
    return [_look(call, number) for number, call in enumerate(target.calls(count))]


def _look(call: Call, number: int) -> Reply:
    return Reply(text=f"I will look up case {number}.", calls=(call,))


def unlimited(policy: Policy) -> Policy:
    """Without limits of money, steps, tokens and time: where they are not what is measured. No guard is switched."""
    budget = replace(
        policy.budget,
        run_usd=PLENTY,
        max_steps=PLENTY,
        max_tool_calls=PLENTY,
        max_wall_s=PLENTY,
        session_usd=None,
        user_daily_usd=None,
        tenant_daily_usd=None,
        hourly_usd=None,
    )
    pace = replace(policy.pace, tokens_per_minute=PLENTY * 1_000, usd_per_minute=PLENTY)
    return replace(policy, budget=budget, tokens=replace(policy.tokens, total=PLENTY * 1_000), pace=pace)


def prose(tokens: int, *key: object) -> str:
    """Words of which no two texts share many, so that no two results look alike."""
    size = tokens * BYTES_PER_TOKEN
    digits = hashlib.shake_256("/".join(map(str, key)).encode()).hexdigest(size // 4 + 1)
    letters = digits.translate({ord(f"{value:x}"): syllable for value, syllable in enumerate(SYLLABLES)})
    words = (letters[at : at + LETTERS] for at in range(0, len(letters), LETTERS))
    return " ".join(words)[:size]


def contains(body: object, text: str) -> bool:
    """Whether a request holds a text."""
    if isinstance(body, str):
        return text in body
    if isinstance(body, Mapping):
        return any(contains(each, text) for each in cast("Mapping[str, object]", body).values())
    return isinstance(body, list) and any(contains(each, text) for each in cast("list[object]", body))


def last_request(seen: Seen, client: Client) -> Request | None:
    """The last one that was answered."""
    return next((each for each in reversed(seen.requests) if each.run_id == client.run_id and each.status == 200), None)


def median(values: Sequence[float]) -> float:
    """The middle one."""
    ranked = sorted(values)
    return ranked[len(ranked) // 2]


def found(number: int) -> JsonObject:
    """What a tool finds."""
    return {"found": f"record {number} of the drill", "state": "complete"}


def finds(_: JsonObject, call: int) -> Envelope:
    """A tool that finds something each time."""
    return envelope.success(found(call))
