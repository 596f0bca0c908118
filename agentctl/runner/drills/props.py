"""What stands in a drill for the tools, the person who watches and the dice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import field

from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import Stamped
from agentctl.core.messages import Delta
from agentctl.core.state import State
from agentctl.records import dataclass
from agentctl.rehearsal.drills.scene import Behaviour, Use
from agentctl.runner.order import Progress
from agentctl.tools.base import Invocation, Tool

FOREVER_S = 86_400.0


@dataclass(slots=True)
class Listening:
    """Keeps what a person at the terminal would have seen."""

    shown: list[str] = field(default_factory=list[str])

    def event(self, stamped: Stamped, state: State) -> None:
        """The journal keeps it."""

    def delta(self, delta: Delta) -> None:
        """A piece of the answer."""
        self.shown.append(delta.text)

    def progress(self, at: Progress) -> None:
        """No played tool tells of its progress."""

    def note(self, text: str) -> None:
        """A line on the screen."""
        self.shown.append(text)


@dataclass(slots=True)
class Props:
    """The tools of one act: how they behave, and what reached them."""

    act: int
    behaviours: Mapping[str, Behaviour]
    clock: Callable[[], float]
    still: Callable[[], AbstractContextManager[None]]
    """While a real tool is at work: time runs as it does."""
    real_tools: bool
    uses: list[Use] = field(default_factory=list[Use])
    counts: Counter[str] = field(default_factory=Counter[str])

    def play(self, tool: Tool) -> Tool:
        """What is called in the place of a tool."""
        if self.real_tools and tool.contract.name not in self.behaviours:
            return Watched(tool, self)
        return Played(tool.contract, self)

    def reached(self, call: Invocation, name: str, *, answered: bool) -> None:
        """A call reached this tool."""
        at = self.clock()
        self.uses.append(Use(self.act, call.run_id, name, call.args, call.idempotency_key, at, answered=answered))


@dataclass(frozen=True, slots=True)
class Played:
    """A tool that behaves as the drill wants."""

    contract: Contract
    props: Props

    async def run(self, call: Invocation) -> Envelope:
        """Misbehave, or answer with a plain success."""
        name, props = self.contract.name, self.props
        number = props.counts[name]
        props.counts[name] += 1
        behave = props.behaviours.get(name)
        answer = (
            envelope.success({"drilled": True, "call": number + 1}) if behave is None else behave(call.args, number)
        )
        props.reached(call, name, answered=answer is not None)
        if answer is not None:
            return answer
        try:
            async with asyncio.timeout(min(call.timeout_s, FOREVER_S)):
                await asyncio.sleep(2 * FOREVER_S)
        except TimeoutError:
            pass
        return envelope.timed_out(call.timeout_s)


@dataclass(frozen=True, slots=True)
class Watched:
    """A tool that really runs: what reaches it is seen too, and its time is not skipped."""

    tool: Tool
    props: Props

    @property
    def contract(self) -> Contract:
        """Its own."""
        return self.tool.contract

    async def run(self, call: Invocation) -> Envelope:
        """As it does."""
        self.props.reached(call, self.contract.name, answered=True)
        with self.props.still():
            return await self.tool.run(call)


def dice(seed: int, *words: object) -> Callable[[], float]:
    """The same throws for the same seed and words."""
    return random.Random(f"{seed}/{'/'.join(map(str, words))}").random  # noqa: S311 -- jitter, repeatable on purpose
