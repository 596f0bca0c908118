"""Providers without HTTP: the stand-in's own handler, checks, cache and seals, behind the adapters' own translations.

Only the SDKs and the sockets are left out. What a provider answers, and how it fails, is thrown by dice that belong
to the run; outages belong to the provider, and strike all runs at the same moment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from agentctl.core.messages import Delta, Failure, Outcome, Request
from agentctl.core.policy import Provider
from agentctl.models.chat import Chat
from agentctl.models.faults import Broken, refused
from agentctl.models.messages_api import Messages
from agentctl.models.prefix import Last
from agentctl.models.responses import Responses
from agentctl.models.transport import ask, unreadable
from agentctl.models.wire import as_object
from agentctl.rehearsal.exchange import Answer
from agentctl.rehearsal.handler import Handler
from agentctl.rehearsal.player import Turn
from agentctl.rehearsal.script import Call, Fault, Reply, Script, ScriptUsage
from agentctl.rehearsal.wire import Request as HttpRequest
from tests.simulation.clock import still_alive

KEY = "sk-simulated-0123456789"
WORDS = ("Let me see.", "I look further.", "That is odd.", '{"done": true}', "", "ключ 鍵 🔑", "x" * 60)
ERRORS = tuple(
    (status, {"retry-after": after} if after else {}, code)
    for status, after, code in (
        *((429, "", ""), (429, "2", ""), (429, "90", ""), (429, "7200", ""), (429, "", "insufficient_quota")),
        *((500, "", ""), (502, "", ""), (503, "1", ""), (529, "", ""), (529, "", ""), (408, "", "")),
        *((401, "", ""), (403, "", ""), (400, "", ""), (413, "", ""), (307, "", "")),
    )
)
RARE = {401, 403, 400, 413, 307}
BROKEN = (
    "hang", "reset", "truncate", "garbage", "slow", "stall", "error_event", "empty", "bad_json", "bad_args",
    "wrong_shape", "absurd_usage", "context_exceeded",
)  # fmt: skip


@dataclass(frozen=True)
class Weather:
    """How a provider fares: faults at any time, and outages."""

    faulty: float = 0.0
    """Share of the requests that fail in some way."""
    outages: tuple[tuple[float, float], ...] = ()
    """From and until, in virtual seconds."""


@dataclass
class Mind:
    """What answers one run: its own dice, its own taste for tools."""

    dice: random.Random
    tools: tuple[str, ...]
    talkative: float
    """How likely another reply with calls is."""
    dear: float
    """How likely a reply costs what nobody expected."""
    asked: int = 0
    answered: int = 0
    requests: dict[str, int] = field(default_factory=dict)

    def reply(self) -> Reply:
        """Whatever a model might say."""
        dice = self.dice
        calls: tuple[Call, ...] = ()
        if dice.random() < self.talkative:
            calls = tuple(
                self._call() for _ in range(dice.choice((1, 1, 1, 2, 2, 4, 66 if dice.random() < 0.02 else 3)))
            )
        stop = dice.choice(("max_tokens", "context_exceeded", "refusal")) if dice.random() < 0.06 else None
        usage = None
        if dice.random() < self.dear:
            usage = ScriptUsage(input=dice.choice((10, 2_000, 60_000)), output=dice.choice((1, 500, 9_000)))
        return Reply(
            text=dice.choice(WORDS) * (50 if dice.random() < self.dear else 1),
            calls=calls,
            usage=usage,
            thinking="Hm, what next?" if dice.random() < 0.2 else "",
            stop=stop,
            delay_s=dice.choice((0.1, 1.0, 3.0, 3.0, 20.0, 400.0 if dice.random() < 0.1 else 2.0)),
        )

    def _call(self) -> Call:
        dice = self.dice
        tool = dice.choice(self.tools) if dice.random() < 0.95 else dice.choice(("nobody", "loook", "x" * 200))
        args: dict[str, Any] = {"q": dice.randint(0, 4)}
        if dice.random() < 0.08:
            args = dice.choice(({"bad": [1]}, {}, {"q": "secret token=sk-abcdefghijklmnop123456"}, {"q": "y" * 5_000}))
        return Call(tool, args)

    def fault(self, weather: Weather, now: float) -> Fault | None:
        """What befalls this request."""
        dice = self.dice
        if any(start <= now < end for start, end in weather.outages):
            return Fault(dice.choice(("status", "status", "hang", "reset")), status=dice.choice((500, 503, 529)))
        if dice.random() >= weather.faulty:
            return None
        if dice.random() < 0.6:
            status, headers, code = dice.choice(ERRORS)
            if status in RARE and dice.random() < 0.7:
                status, headers, code = 529, {}, ""
            return Fault("status", status=status, headers=headers, code=code)
        kind: Any = dice.choice(BROKEN)
        usage: Any = dice.choice(("negative", "huge", "null", "hollow", "missing"))
        return Fault(kind, status=dice.choice((429, 500, 529)), delay_s=dice.choice((0.1, 8.0)), usage=usage)


class Minds:
    """In the place of the script's player: every run is answered by its own dice."""

    def __init__(self, weather: dict[str, Weather], clock: Callable[[], float]) -> None:
        self.of: dict[str, Mind] = {}
        self._weather, self._clock = weather, clock
        self._last = ""

    def count(self, run: str, provider: str) -> int:
        mind = self.of[run]
        mind.asked += 1
        mind.requests[provider] = mind.requests.get(provider, 0) + 1
        self._last = run
        return mind.requests[provider]

    def fault(self, provider: str, number: int) -> Fault | None:
        del number
        return self.of[self._last].fault(self._weather.get(provider, Weather()), self._clock())

    def asked(self, run: str) -> int:
        return self.of[run].asked

    def take(self, run: str, provider: str) -> Turn:
        del provider
        mind = self.of[run]
        mind.answered += 1
        return Turn(mind.reply(), None, mind.answered)

    def put_back(self, run: str, turn: Turn) -> None:
        """What was said to nobody is not said again: dice have no memory."""


class Peer:
    """A client without a connection."""

    def __init__(self) -> None:
        self.answer: Answer | None = None

    async def leaves_within(self, seconds: float | None) -> bool:
        if seconds is None:
            await asyncio.Event().wait()
        await asyncio.sleep(seconds or 0.0)
        return False

    async def send(self, answer: Answer) -> bool:
        self.answer = answer
        return answer.end == "done" and answer.status != 0


class Wired:
    """A provider as the run sees it: an adapter whose SDK is the stand-in's handler."""

    def __init__(
        self, provider: Provider, handler: Handler, told: Callable[[Outcome], None], refusals: list[str], tag: str
    ) -> None:
        self.provider = provider
        self._handler, self._told, self._refusals, self._last = handler, told, refusals, Last()
        if provider.wire == "messages":
            self._dialect: Any = Messages(provider, "5m")
            self._headers = {"anthropic-version": "2023-06-01", "x-api-key": KEY, "anthropic-beta": "cache-diagnosis"}
        else:
            self._dialect = (Chat if provider.wire == "chat" else Responses)(provider, tag, "5m")
            self._headers = {"authorization": f"Bearer {KEY}"}
        self.run = ""

    async def ask(self, request: Request, on_delta: Callable[[Delta], None]) -> Outcome:
        """One request, as the adapters make it."""
        still_alive()
        outcome = await ask(self._dialect, self._events, self._last, self.provider.deadline_s, request, on_delta)
        self._told(outcome)
        return outcome

    async def close(self) -> None:
        """There is nothing to let go."""

    async def _events(self, body: bytes) -> AsyncGenerator[Any]:
        answer = await self._answered(body)
        if answer.status >= 300:
            raise Broken(self._refused(answer))
        if answer.content_type == "text/html":
            raise Broken(unreadable(ValueError("not JSON")))
        for number, part in enumerate(answer.parts):
            if number and answer.pause_s:
                if answer.pause_s >= self.provider.timeout_s:
                    await asyncio.sleep(self.provider.timeout_s)
                    raise Broken(self._silent())
                await asyncio.sleep(answer.pause_s)
            for event in self._parsed(part):
                yield event
        if answer.end == "reset":
            raise Broken(Failure("connection", "the connection was torn down"))
        if answer.end == "stall":
            await asyncio.sleep(self.provider.timeout_s)
            raise Broken(self._silent())

    async def _answered(self, body: bytes) -> Answer:
        path = f"/p/{self.provider.name}/r/{self.run}/v1{self._dialect.path.removeprefix('/v1')}"
        peer: Any = Peer()
        silence = asyncio.timeout(self.provider.timeout_s)
        try:
            async with silence:
                await self._handler.serve(peer, HttpRequest("POST", path, self._headers, body, too_large=False))
        except TimeoutError:
            if not silence.expired():
                raise
            raise Broken(self._silent()) from None
        if peer.answer.status >= 400 and not self._handler.seen[-1].fault:
            self._refusals.append(f"{self._refused(peer.answer).message} {body.decode()}")
        return peer.answer

    def _silent(self) -> Failure:
        return Failure("timeout", f"silent for timeout_s = {self.provider.timeout_s:g}")

    def _refused(self, answer: Answer) -> Failure:
        error = as_object(as_object(json.loads(b"".join(answer.parts))).get("error"))
        code, kind, message = (error.get(key) for key in ("code", "type", "message"))
        return refused(answer.status, code=code, kind=kind, message=message, headers=dict(answer.headers), secret=KEY)

    def _parsed(self, part: bytes) -> list[Any]:
        found: list[Any] = []
        try:
            text = part.decode()
        except UnicodeDecodeError as error:
            raise Broken(unreadable(error)) from None
        for block in text.split("\n\n"):
            data = "".join(line[5:].strip() for line in block.splitlines() if line.startswith("data:"))
            if not data or data == "[DONE]":
                continue
            try:
                event = json.loads(data)
            except ValueError as error:
                raise Broken(unreadable(error)) from None
            if isinstance(event, dict) and event.get("type") == "error" and self.provider.wire != "responses":
                told = as_object(event.get("error"))
                code, kind, message = (told.get(key) for key in ("code", "type", "message"))
                raise Broken(refused(200, code=code, kind=kind, message=message))
            found.append(event)
        return found


def handler(weather: dict[str, Weather], clock: Callable[[], float], *, seed: int, window: int | None) -> Handler:
    """The stand-in of a simulation, answered for by minds."""
    made = Handler(Script(), keep_bodies=False, context_tokens=window, seed=seed, clock=clock, secret=b"simulated")
    made.player = Minds(weather, clock)  # type: ignore[assignment]
    return made
