"""What a seed stands for: policies from the laws' own strategies, and what befalls their runs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from agentctl.core.guards import budget, pace
from agentctl.core.policy import Policy, Provider
from tests.laws.worlds import TOOLS, policies
from tests.simulation.provider import Weather

POOL = 400
"""Policies to choose from; what else there is to choose is drawn for each run."""
POINTS = ("after-model-intent", "after-intent", "before-outcome")
SHARED = ("session_usd", "user_daily_usd", "tenant_daily_usd", "hourly_usd")
JUMPS = (-7_200.0, -3_600.0, -90.0, -5.0, -0.5, 0.5, 5.0, 40.0, 3_600.0, 50_000.0)


@cache
def pool() -> tuple[Policy, ...]:
    """Random policies, the same ones in every process."""
    found: list[Policy] = []

    @seed(0)
    @settings(
        max_examples=POOL,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(policies())
    def collect(policy: Policy) -> None:
        found.append(policy)

    collect()
    return tuple(found)


@dataclass(frozen=True)
class Fate:
    """What happens to one process."""

    kind: str = ""
    """`point`, `turn`, `time`, `freeze`, `signal`, `letter`; empty: nothing."""
    what: str = ""
    at: float = 0.0
    lasts: float = 0.0
    keeps: bool = False
    """A process that dies: what it had queued was committed."""


@dataclass(frozen=True)
class RunCase:
    """One run."""

    policy: Policy
    windows: dict[str, int | None]
    tools: tuple[str, ...]
    starts: float
    user: str
    tenant: str
    session: str
    seed: str
    talkative: float
    dear: float
    fails: float
    slow: float
    there: float
    """How likely a person answers; below zero: nobody can be asked."""
    fates: tuple[Fate, ...]
    lives: int
    steps: tuple[tuple[str, dict[str, Any]], ...]
    wants_json: bool


@dataclass(frozen=True)
class Case:
    """One store and the runs on it."""

    seed: int
    runs: tuple[RunCase, ...]
    weather: dict[str, Weather]
    jumps: tuple[tuple[float, float], ...]
    """When the wall clock is moved, and by how much."""
    latency: float
    """The longest that a commit takes."""
    window: int | None
    """What the providers refuse as too long, although nobody said so before."""
    caps: dict[str, float] = field(default_factory=dict)
    """The limits that all runs share."""


def draw(number: int) -> Case:
    """The simulation of this seed."""
    dice = random.Random(f"simulation {number}")
    caps = {key: dice.choice((0.002, 0.02, 0.1, 0.5, 5.0)) for key in SHARED if dice.random() < 0.3}
    count = dice.choice((1, 1, 1, 1, 2, 2, 3, 4, 6, 20 if dice.random() < 0.5 else 8))
    jumpy = dice.random() < 0.2
    faulty = dice.choice((0.0, 0.05, 0.3, 0.8))
    return Case(
        number,
        tuple(_run(dice, caps, f"{number}.{index}", crowded=count > 5) for index in range(count)),
        {f"p{index}": _weather(dice, faulty) for index in range(3)},
        tuple((dice.uniform(0, 120), dice.choice(JUMPS)) for _ in range(dice.randint(1, 3))) if jumpy else (),
        dice.choice((0.0, 0.0, 0.0, 0.002, 0.3, 4.0)),
        dice.choice((None, None, None, None, 3_000, 600)),
        caps,
    )


def _weather(dice: random.Random, faulty: float) -> Weather:
    if dice.random() < 0.75:
        return Weather(faulty)
    start = dice.uniform(0, 60)
    return Weather(faulty, ((start, start + dice.choice((5.0, 60.0, 900.0))),))


def _run(dice: random.Random, caps: dict[str, float], name: str, *, crowded: bool) -> RunCase:
    policy = _policy(dice, caps)
    tools = [tool.name for tool in TOOLS]
    lives = 1 if dice.random() < 0.4 else dice.randint(2, 5)
    fatal = dice.choice((0.0, 0.3, 0.9))
    return RunCase(
        policy,
        {provider.name: dice.choice((None, 1_000, 8_000, 200_000)) for provider in policy.providers},
        tuple(dice.sample(tools, dice.randint(1, len(tools)))),
        dice.choice((0.0, dice.uniform(0, 2 if crowded else 40))),
        dice.choice(("ada", "bob")),
        dice.choice(("acme", "umbrella")),
        dice.choice(("", "s_1", "s_2")),
        name,
        dice.choice((0.1, 0.5, 0.8, 0.95)),
        dice.choice((0.0, 0.0, 0.0, 0.1)),
        dice.choice((0.0, 0.1, 0.5, 1.0)),
        dice.choice((0.0, 0.0, 0.1, 0.5)),
        dice.choice((-1.0, 0.0, 0.7, 1.0)),
        tuple(_fate(dice) if dice.random() < fatal else Fate() for _ in range(lives)),
        lives,
        tuple((dice.choice(tools), {"q": dice.randint(0, 3)}) for _ in range(dice.choice((0, 0, 0, 1, 3)))),
        dice.random() < 0.1,
    )


def _fate(dice: random.Random) -> Fate:
    kind = dice.choice(("point", "point", "turn", "turn", "time", "freeze", "signal", "letter"))
    keeps = dice.random() < 0.5
    match kind:
        case "point":
            return Fate(kind, dice.choice(POINTS), dice.choice((1, 1, 1, 2, 3, 5)), keeps=keeps)
        case "turn":
            return Fate(
                kind, at=dice.choice((dice.randint(1, 30), dice.randint(1, 150), dice.randint(1, 600))), keeps=keeps
            )
        case "time":
            return Fate(kind, at=dice.choice((dice.uniform(0, 5), dice.uniform(0, 90))), keeps=keeps)
        case "freeze":
            return Fate(kind, at=dice.uniform(0, 30), lasts=dice.choice((1.0, 25.0, 45.0, 300.0)))
        case "signal":
            return Fate(kind, dice.choice(("130", "143")), dice.uniform(0, 40))
        case _:
            return Fate(kind, dice.choice(("pause", "cancel", "stop")), dice.uniform(0, 40))


def _policy(dice: random.Random, caps: dict[str, float]) -> Policy:
    drawn = dice.choice(pool())
    if dice.random() < 0.5:
        drawn = _roomy(dice, drawn)
    minute = dice.choice((1_000_000_000, 1_000_000_000, 40_000, 3_000))
    return replace(
        drawn,
        name="simulated",
        providers=tuple(_provider(dice, each) for each in drawn.providers),
        budget=replace(drawn.budget, **(dict.fromkeys(SHARED) | caps)),
        pace=pace.Rules(
            enabled=drawn.pace.enabled,
            tokens_per_minute=minute,
            usd_per_minute=dice.choice((1_000_000.0, 0.05)),
            max_wait_s=dice.choice((120.0, 20.0)),
        ),
        approval=replace(drawn.approval, timeout_s=dice.choice((2.0, 20.0)), on_timeout=dice.choice(("park", "deny"))),
    )


def _roomy(dice: random.Random, drawn: Policy) -> Policy:
    """The same with limits that are not met at once, so that runs get long."""
    return replace(
        drawn,
        budget=budget.Rules(
            run_usd=dice.choice((0.5, 5.0, 50.0)),
            max_steps=dice.choice((20, 50)),
            max_wall_s=dice.choice((600.0, 3_600.0)),
            landing=drawn.budget.landing,
        ),
        tokens=replace(drawn.tokens, total=dice.choice((60_000, 500_000))),
        loops=replace(drawn.loops, enabled=dice.random() < 0.3),
        progress=replace(drawn.progress, enabled=dice.random() < 0.3),
    )


def _provider(dice: random.Random, given_: Provider) -> Provider:
    api: Any = dice.choice(("responses", "chat")) if given_.sdk == "openai" else None
    own = dice.random() < 0.5
    return replace(
        given_,
        api=api,
        base_url=None if own else "http://127.0.0.1:9/v1",
        timeout_s=dice.choice((10.0, 60.0)),
        deadline_s=dice.choice((30.0, 300.0)),
        degraded=dice.random() < 0.2,
    )
