"""Outage tolerance: the first provider is silent; who fails, and how much longer the others wait. C12"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from agentctl.core.policy import Policy
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Client, Scene, Seen
from agentctl.rehearsal.script import Fault, FaultKind, Reply, Script
from agentctl.runner.drills.figures.column import Column, finds, look, median, searched, unlimited

CLIENTS, EVERY_S, OWN = 24, 20.0, 6
REPLY_S = 20.0
"""Seconds that each reply takes, or half of what the least patient provider may be silent."""
SLIP_S = 0.01
"""So much too early may a timer be."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What it came to."""

    clients: int
    failed: int
    latency_s: float | None
    """Median of those who were answered, once the circuit is open if there is one; None: nobody was."""
    own_s: float | None
    """Median of those who know the fallback alone; None: there is none."""
    seen: Seen
    fallbacks: int
    """Providers that may answer in the place of the first."""

    @property
    def reasons(self) -> str:
        """Why those who failed did, each reason once."""
        return ", ".join(sorted({client.reason for client in self.seen.clients if client.exit_code}))

    @property
    def failed_share(self) -> float:
        """From 0 to 1."""
        return self.failed / self.clients

    @property
    def slower(self) -> float | None:
        """Added latency over the fallback's own: 0.05 is 5 %."""
        return None if self.latency_s is None or not self.own_s else self.latency_s / self.own_s - 1.0


async def measured(column: Column, kind: FaultKind = "hang") -> Tolerance:
    """An outage, and the same clients with the fallback alone."""
    ground = column.ground
    first = ground.answering[0].name
    seen = await column.play(_scene(ground, (Fault(kind, first, status=503),), CLIENTS), "outage")
    answered = [client for client in seen.clients if client.exit_code == 0]
    tried = {request.run_id for request in seen.requests if request.provider == first}
    spared = [client for client in answered if client.run_id not in tried]
    own = await _own(column, first)
    failed, fallbacks = CLIENTS - len(answered), len(ground.answering) - 1
    return Tolerance(CLIENTS, failed, _latency(spared or answered), own, seen, fallbacks)


async def _own(column: Column, first: str) -> float | None:
    if len(column.ground.answering) < 2:
        return None
    alone = column.under(without(column.ground.policy, first))
    seen = await alone.play(_scene(alone.ground, (), OWN), "fallback-alone")
    return _latency(client for client in seen.clients if client.exit_code == 0)


async def alone(column: Column, kind: FaultKind = "hang") -> float:
    """The share of clients who fail where the first provider is the only one."""
    first = column.ground.answering[0].name
    policy = column.ground.policy
    others = [one.name for one in policy.providers if one.name != first and "answer" in one.roles]
    for name in others:
        policy = without(policy, name)
    single = column.under(policy)
    seen = await single.play(_scene(single.ground, (Fault(kind, first, status=503),), OWN), "single")
    return sum(client.exit_code != 0 for client in seen.clients) / OWN


def without(policy: Policy, name: str) -> Policy:
    """The policy without one of its providers, and without the rules that name it."""
    rules = tuple(rule for rule in policy.route.rules if rule.provider != name)
    providers = tuple(one for one in policy.providers if one.name != name)
    return replace(policy, providers=providers, route=replace(policy.route, rules=rules))


def _scene(ground: Ground, faults: tuple[Fault, ...], clients: int) -> Scene:
    target = searched(ground)
    looks = [] if target is None else [look(target, 0)]
    delay_s = min([REPLY_S, *(one.timeout_s / 2 for one in ground.answering)])
    replies = [Reply(each.text, each.calls, delay_s=delay_s) for each in (*looks, ground.final())]
    tools = {} if target is None else {target.name: finds}
    script = Script(reply=tuple(replies), fault=faults, person=ground.yes())
    return Scene((Act(script, tools, clients, EVERY_S, shared=False),), change=unlimited)


def _latency(clients: Iterable[Client]) -> float | None:
    """In whole seconds: the parts of one are what this machine takes, not what was waited for."""
    taken = [math.floor(client.ended - client.began + SLIP_S) for client in clients]
    return median(taken) if taken else None
