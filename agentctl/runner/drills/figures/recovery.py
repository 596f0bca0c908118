"""Error recovery: a hundred runs that each meet one error, and how many come to what a faultless run comes to. C09

A model that is scripted says the same whatever it is told. So what it was told counts too: a run has recovered if it
ended well, with the answer of a faultless run, and the last request held the results that a faultless run gets, and
none that a tool gave for arguments which it does not take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace

from agentctl.core import envelope, sampling
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.models.tokens import count
from agentctl.records import dataclass
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import Act, Behaviour, Client, Scene, Seen
from agentctl.rehearsal.script import Call, Fault, Reply, Script
from agentctl.runner.drills.figures.column import (
    Column,
    contains,
    found,
    last_request,
    look,
    prose,
    searched,
    unlimited,
)

EACH = 25
APART_S = 120.0
RESULT, ROOM, SLACK = 2_400, 6_000, 1.3
"""Tokens: of a result; of the conversation beside what is fixed; and how much further than that the model reads."""
WRONG = "the nearest thing that there is"


@dataclass(frozen=True, slots=True)
class Faulty:
    """One run with its error."""

    script: Script
    tools: Mapping[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    told: tuple[str, ...] = ()
    """What the last request must hold."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of error."""

    name: str
    runs: tuple[Faulty, ...]
    window: int | None = None
    change: Callable[[Policy], Policy] = unlimited


@dataclass(frozen=True, slots=True)
class Recovered:
    """What one kind came to."""

    name: str
    runs: int
    recovered: int
    seen: Seen
    reasons: str = ""
    """Why those who did not recover didn't, each reason once."""


def kinds(ground: Ground, each: int = EACH) -> Iterator[Kind]:
    """Those that the task's tools allow."""
    target = ground.reader() or ground.effect()
    wrong = None if target is None else sampling.misfit(target.contract.parameters)
    if target is not None and wrong is not None:
        yield Kind("bad arguments", tuple(_bad_args(ground, target, wrong[0], n) for n in range(each)))
    reader = searched(ground)
    if reader is not None:
        yield _overflow(ground, reader, each)
    yield Kind("429 and 529", tuple(_refused(ground, target, n) for n in range(each)))
    if (reader := ground.reader()) is not None:
        yield Kind("tool failures", tuple(_failing(ground, reader, n) for n in range(each)))


async def measured(column: Column, each: int = EACH) -> list[Recovered]:
    """Every kind, played."""
    answer = await _faultless(column)
    return [await _played(column, kind, answer) for kind in kinds(column.ground, each)]


async def _faultless(column: Column) -> str:
    seen = await column.play(Scene((Act(column.ground.script()),)), "faultless")
    return seen.clients[0].answer


async def _played(column: Column, kind: Kind, answer: str) -> Recovered:
    acts = tuple(Act(one.script, one.tools, after_s=APART_S, shared=False) for one in kind.runs)
    seen = await column.play(Scene(acts, kind.window, kind.change), kind.name.replace(" ", "-"))
    lost = [client for client, one in zip(seen.clients, kind.runs, strict=True) if not _good(seen, client, one, answer)]
    reasons = ", ".join(sorted({_why(client, column.ground.policy) for client in lost}))
    return Recovered(kind.name, len(kind.runs), len(kind.runs) - len(lost), seen, reasons)


def _why(client: Client, policy: Policy) -> str:
    if not client.exit_code:
        return "it was told something else"
    if client.reason == "providers":
        return f"every provider refused, retry.max_attempts = {policy.retry.max_attempts}"
    return client.reason


def _good(seen: Seen, client: Client, run: Faulty, answer: str) -> bool:
    last = last_request(seen, client)
    if client.exit_code or client.answer != answer or last is None:
        return False
    return all(contains(last.body, text) for text in run.told) and not contains(last.body, WRONG)


def _bad_args(ground: Ground, target: Target, wrong: Mapping[str, object], number: int) -> Faulty:
    """The model sends a wrong type, then the right one. Unchecked, the tool makes of it what it can. C41"""

    def behave(args: JsonObject, _: int) -> Envelope:
        fits = target.contract.check(args) is None
        return envelope.success(found(number) if fits else {"found": WRONG})

    bad = Reply(text="I will look it up.", calls=(Call(target.contract.wire, dict(wrong)),))
    return Faulty(ground.script(bad, look(target, number)), {target.name: behave}, _told(number))


def _overflow(ground: Ground, target: Target, each: int) -> Kind:
    """Results that together are longer than the model reads."""
    shown = [[contract.description, contract.parameters] for contract in ground.setup.contracts.values()]
    room = count(ground.system) + count(ground.goal) + count(json.dumps(shown)) + ROOM
    window = int(room * SLACK)
    turns = window // RESULT + 2

    def behave(number: int) -> Behaviour:
        return lambda _, call: envelope.success({**found(call), "text": prose(RESULT, ground.seed, number, call)})

    def change(policy: Policy) -> Policy:
        context = replace(policy.context, max_tokens=room, hard_limit_tokens=window)
        return unlimited(replace(policy, context=context))

    script = ground.script(*(look(target, turn) for turn in range(turns)))
    told = ground.goal[:200], *_told(turns - 1)
    runs = tuple(Faulty(script, {target.name: behave(number)}, told) for number in range(each))
    return Kind("context overflow", runs, window, change)


def _refused(ground: Ground, target: Target | None, number: int) -> Faulty:
    """By everybody or by the first provider, once or twice, at the first request or at the next."""
    status = (429, 529)[number % 2]
    headers = {"retry-after": "2"} if status == 429 else {}
    whom = None if number % 4 < 2 else ground.answering[0].name
    requests = ("1", "1-2", "2" if target is not None else "1")[number % 3]
    fault = Fault("status", whom, requests, status, headers)
    if target is None:
        return Faulty(ground.script(fault=(fault,)))

    def behave(_: JsonObject, __: int) -> Envelope:
        return envelope.success(found(number))

    return Faulty(ground.script(look(target, number), fault=(fault,)), {target.name: behave}, _told(number))


def _failing(ground: Ground, target: Target, number: int) -> Faulty:
    """A server error, silence or a rate limit; the next attempt finds it well again."""
    args, failed = target.args(number), False

    def behave(given: JsonObject, _: int) -> Envelope | None:
        nonlocal failed
        if given != args or failed:
            return envelope.success(found(number))
        failed = True
        return (envelope.server_error(503), None, envelope.rate_limited(2.0))[number % 3]

    return Faulty(ground.script(look(target, number)), {target.name: behave}, _told(number))


def _told(number: int) -> tuple[str, ...]:
    return (str(found(number)["found"]),)
