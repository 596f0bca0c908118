"""Tools in memory and people in theory: what they do is counted where it happens, outside every process."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from agentctl.approvals.base import Answer, Question
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.tools.base import Invocation
from agentctl.tools.verify import Found
from tests.simulation.clock import NOBODY, here, still_alive

GARBAGE = (
    None, "", "\x00\x1b[31m", [], {"status": "success", "data": None}, {"a": {"b": [1.5, None, "ключ"]}},
    "word " * 9_000, [{"id": number} for number in range(40)], "token=sk-abcdefghijklmnop123456",
)  # fmt: skip


EDITS: tuple[dict[str, Any], ...] = ({"id": "edited"}, {"id": 5}, {"password": "hunter2hunter2"}, {})
"""What somebody changes in arguments; some tools take it, some do not."""


@dataclass(frozen=True)
class Try:
    """A tool was really called."""

    run_id: str
    call_id: str
    tool: str
    key: str
    at: float
    args: dict[str, Any]


@dataclass
class Outside:
    """What there is outside all processes: who was called, and what changed."""

    tries: list[Try] = field(default_factory=list)
    effects: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """By run and call: the idempotency key of each change, in order."""


@dataclass(frozen=True)
class Habits:
    """How a tool fares in one run."""

    fails: float
    slow: float
    """Share of the calls that take longer than they may."""


class Simulated:
    """A tool that takes virtual time and may change the outside, at some moment of its work."""

    def __init__(self, contract: Contract, outside: Outside, dice: random.Random, habits: Habits) -> None:
        self.contract = contract
        self._outside, self._dice, self._habits = outside, dice, habits

    async def run(self, call: Invocation) -> Envelope:
        """Try once."""
        still_alive()
        dice, loop = self._dice, asyncio.get_running_loop()
        self._outside.tries.append(
            Try(call.run_id, call.call_id, self.contract.name, call.idempotency_key, loop.time(), call.args)
        )
        answer = self._answer(call)
        late = dice.random() < self._habits.slow
        takes = call.timeout_s * dice.uniform(1.1, 3.0) if late else dice.choice((0.0, 0.05, 0.4, 3.0))
        if not self.contract.read_only and (answer.ok or (late and dice.random() < 0.5)):
            # Once asked, it happens, whatever becomes of who asked.
            done, key = self._outside.effects[call.run_id, call.call_id], call.idempotency_key
            within = min(takes, call.timeout_s)  # then it is ended, whoever asked
            loop.call_later(within * dice.random(), done.append, key, context=NOBODY)
        if late:
            await asyncio.sleep(call.timeout_s)
            return envelope.timed_out(call.timeout_s)
        await asyncio.sleep(takes)
        return answer

    def _answer(self, call: Invocation) -> Envelope:
        dice = self._dice
        if dice.random() >= self._habits.fails:
            return envelope.success(dice.choice((call.args, {"n": dice.randint(0, 3)}, dice.choice(GARBAGE))))
        return dice.choice(
            (
                envelope.transient("it broke"), envelope.server_error(503), envelope.rate_limited(2),
                envelope.permanent("no such thing"), envelope.forbidden("not yours"), envelope.not_found("order 7"),
            )
        )  # fmt: skip


class Knowing:
    """The program behind `verify`: it looks outside, where it can look."""

    def __init__(self, outside: Outside, dice: random.Random) -> None:
        self._outside, self._dice = outside, dice

    async def __call__(
        self, command: object, box: object, env: object, call: dict[str, Any], timeout_s: float
    ) -> Found:
        """What it finds, some time later."""
        del command, box, env
        still_alive()
        await asyncio.sleep(self._dice.choice((0.0, 0.2, timeout_s)))
        if self._dice.random() < 0.2:
            return Found(None, why="nobody answers")
        return Found(bool(self._outside.effects.get((call["run_id"], call["call_id"]))), {"found": True})


@dataclass
class Person:
    """Somebody at the terminal, or nobody."""

    dice: random.Random
    there: float
    """How likely an answer is."""
    answers: int = 0

    async def ask(self, question: Question) -> Answer | None:
        """Their answer, some time later."""
        dice = self.dice
        if dice.random() >= self.there:
            await asyncio.sleep(question.timeout_s)
            return None
        await asyncio.sleep(dice.choice((0.3, 2.0, 9.0)))
        if (process := here()) is not None and process.dead:
            return None
        self.answers += 1
        decision: Any = dice.choice(("approve", "approve", "approve", "deny", "deny", "stop", "edit"))
        if decision == "edit" and question.fits is not None and isinstance(question.args, dict):
            edited = {**question.args, **dice.choice(EDITS)}
            if not question.fits(edited) or dice.random() < 0.1:  # now and then they do not look
                return Answer("edit", "somebody", args=edited)
        decision = "approve" if decision == "edit" else decision
        remember = decision == "approve" and bool(question.remembers) and dice.random() < 0.3
        why = dice.choice(("", "too risky", "password=hunter2hunter2"))
        return Answer(decision, "somebody", why, remember=remember)
