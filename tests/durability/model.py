"""A provider that outlives its clients: what it answers depends on the request alone, and it keeps the bill."""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any, Self

from agentctl.rehearsal.handler import Handler
from agentctl.rehearsal.script import Call, Reply, Script, ScriptUsage
from agentctl.rehearsal.server import StandIn

TOKENS, SPOKEN = 1_000, 50
COST_MICRO = TOKENS * 3 + SPOKEN * 15
"""Of every reply, at the errand's prices."""


@dataclass(frozen=True)
class Billed:
    """A reply that was begun: the client pays for it, whether it lives to read it or not."""

    at_ns: int
    turn: int


class Patient(Handler):
    """Knows by the replies in the request which one is due: who asks again hears the same again."""

    bill: list[Billed]

    async def _converse(self, peer: Any, call: Any) -> None:
        turn = sum(message["role"] == "assistant" for message in call.body()["messages"])
        self.player.set_position(call.run, turn)
        self.bill.append(Billed(time.time_ns(), turn))
        await super()._converse(peer, call)


class Model:
    """The provider in a thread of its own, as a context manager."""

    def __init__(self, replies: list[Reply]) -> None:
        self.bill: list[Billed] = []
        self._script = Script(reply=tuple(replies))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._standin: StandIn | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._standin is not None
        self._do(self._standin.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        assert self._standin is not None
        return self._standin.base_url("main", "openai")

    async def _open(self) -> None:
        self._standin = StandIn(self._script)
        patient = Patient(
            self._script, keep_bodies=False, context_tokens=None, seed=0, clock=time.monotonic, secret=b""
        )
        patient.bill = self.bill
        self._standin._handler = patient
        await self._standin.__aenter__()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


def says(*calls: tuple[str, dict[str, Any]], text: str = "") -> Reply:
    wanted = tuple(Call(tool, args) for tool, args in calls)
    return Reply(text=text, calls=wanted, usage=ScriptUsage(input=TOKENS, output=SPOKEN))
