"""A rehearsal: the stand-in model in the providers' place, and a script's answers for tools and people.

Everything else is the run that it will be: same policy, same prices, same requests, real HTTP, real SDKs. Tools that
only read really run; tools that may change something answer from the script, or with a plain success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from agentctl.approvals.base import Answer, Approver, Question
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import ModelAsked, ModelReplied, Stamped
from agentctl.rehearsal.script import Person, Script
from agentctl.rehearsal.server import StandIn
from agentctl.tools.base import Invocation, Tool


class ScriptedTool:
    """A tool with side effects, played by the script: each `[[tool]]` of its name once, the last one again."""

    def __init__(self, contract: Contract, script: Script) -> None:
        self.contract = contract
        self._results = [answer.result for answer in script.tool if answer.tool == contract.name]
        self._played = 0

    async def run(self, call: Invocation) -> Envelope:
        """Answer without doing anything."""
        if not self._results:
            return envelope.success({"rehearsed": True, "call_id": call.call_id})
        result = self._results[min(self._played, len(self._results) - 1)]
        self._played += 1
        return envelope.success(result)


def scripted(tools: Mapping[str, Tool], script: Script) -> dict[str, Tool]:
    """The tools of a rehearsal."""
    return {
        name: tool if tool.contract.read_only else ScriptedTool(tool.contract, script) for name, tool in tools.items()
    }


class ScriptedPerson:
    """Answers from the script's `[[person]]` where no person can; each is used once, in order."""

    def __init__(self, script: Script, otherwise: Approver | None) -> None:
        self._left: list[Person] = list(script.person)
        self._otherwise = otherwise

    async def ask(self, question: Question) -> Answer | None:
        """What the script says, else whoever is there."""
        for person in self._left:
            if person.tool == question.tool:
                self._left.remove(person)
                decision = {"y": "approve", "n": "deny", "s": "stop"}[person.answer]
                return Answer(decision, "the script", person.why)  # type: ignore[arg-type]  # one of the three
        return None if self._otherwise is None else await self._otherwise.ask(question)


def go_on(standin: StandIn, run_id: str, events: Sequence[Stamped]) -> None:
    """Put a fresh stand-in where the recorded run left the last one."""
    replied = [stamped.event.provider for stamped in events if isinstance(stamped.event, ModelReplied)]
    asked = Counter(stamped.event.provider for stamped in events if isinstance(stamped.event, ModelAsked))
    standin.set_position(run_id, replied)
    for provider, number in asked.items():
        standin.set_request_count(provider, number, run_id)
