"""A rehearsal: the stand-in model in the providers' place, and a script's answers for tools and people.

Everything else is the run that it will be: same policy, same prices, same requests, real HTTP, real SDKs. Tools that
only read really run; tools that may change something answer from the script, or with a plain success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from agentctl.approvals.base import Answer, Question
from agentctl.config import paths
from agentctl.core import envelope, forking
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import ApprovalDecided, ApprovalRequested, ModelAsked, ModelReplied, Stamped, ToolFinished
from agentctl.rehearsal import kept
from agentctl.rehearsal.script import Person, Script
from agentctl.rehearsal.server import StandIn
from agentctl.tools.base import Invocation, Tool

DECISIONS: dict[str, Literal["approve", "deny", "stop"]] = {"y": "approve", "n": "deny", "s": "stop"}
SCRIPT = "the script"
"""Who answered, where the script did: shown as `answered by the script`."""


class ScriptedTool:
    """A tool with side effects, played by the script: each `[[tool]]` of its name once, the last one again."""

    def __init__(self, contract: Contract, script: Script, played: Counter[str]) -> None:
        """`played`: how often each tool answered, which goes on where a tool is made anew."""
        self.contract = contract
        self._results = [answer.result for answer in script.tool if answer.tool == contract.name]
        self._played = played

    async def run(self, call: Invocation) -> Envelope:
        """Answer without doing anything."""
        if not self._results:
            return envelope.success({"rehearsed": True, "call_id": call.call_id})
        result = self._results[min(self._played[self.contract.name], len(self._results) - 1)]
        self._played[self.contract.name] += 1
        return envelope.success(result)


def scripted(script: Script, events: Sequence[Stamped] = ()) -> Callable[[Tool], Tool]:
    """What plays a tool in a rehearsal; one that is resumed goes on after what was answered before."""
    played = Counter(one.event.tool for one in events if isinstance(one.event, ToolFinished) and one.event.ran)

    def play(tool: Tool) -> Tool:
        at = tool.contract
        return tool if at.read_only else ScriptedTool(at, script, played)

    return play


class ScriptedPerson:
    """Answers from the script's `[[person]]` where no person can; each is used once, in order."""

    def __init__(self, script: Script, events: Sequence[Stamped] = ()) -> None:
        """What they answered before, in a run that is resumed, they do not answer again."""
        self._left: list[Person] = list(script.person)
        asked = {one.event.call_id: one.event.tool for one in events if isinstance(one.event, ApprovalRequested)}
        forked = forking.own_from(events)
        done = {one.event.call_id for one in events if isinstance(one.event, ToolFinished) and one.seq < forked}
        for one in events:
            # What was decided in the run that this one was forked from, and not done there, is asked again.
            match one.event:
                case ApprovalDecided(by=by, call_id=call) if by == SCRIPT and (one.seq > forked or call in done):
                    self._next(asked[call])
                case _:
                    pass

    def _next(self, tool: str) -> Person | None:
        person = next((one for one in self._left if one.tool == tool), None)
        if person is not None:
            self._left.remove(person)
        return person

    async def ask(self, question: Question) -> Answer | None:
        """What the script says; None: it says nothing, and nobody is there."""
        person = self._next(question.tool)
        return None if person is None else Answer(DECISIONS[person.answer], SCRIPT, person.why)


def go_on(standin: StandIn, run_id: str, events: Sequence[Stamped]) -> None:
    """Put a fresh stand-in where the recorded run left the last one."""
    replied = [stamped.event.provider for stamped in events if isinstance(stamped.event, ModelReplied)]
    asked = Counter(stamped.event.provider for stamped in events if isinstance(stamped.event, ModelAsked))
    standin.set_position(run_id, replied)
    for provider, number in asked.items():
        standin.set_request_count(provider, number, run_id)


@contextmanager
def remembering(standin: StandIn, store: Path | None, clock: Callable[[], float]) -> Generator[None]:
    """Let it find what rehearsals on the same store have cached, and leave them what it caches. C53

    The file stands beside the store, or in the data folder where that is no file; no real provider ever sees it.
    """
    beside = store or paths.data_dir() / "postgresql"
    path = beside.with_name(f"{beside.name}.rehearsal-cache")
    standin.cached.update(kept.read(path, clock()))
    try:
        yield
    finally:
        kept.write(path, standin.cached, clock())
