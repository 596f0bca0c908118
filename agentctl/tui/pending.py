"""Which calls wait for a person: asked for in the journal, answered neither there nor by a letter on its way."""

from __future__ import annotations

from agentctl.approvals.base import Question
from agentctl.approvals.printable import printable
from agentctl.approvals.wording import arguments, wrapped
from agentctl.core.events import ApprovalDecided, ApprovalRequested, CallEdited, CallSettled, ToolFinished
from agentctl.core.tiers import Tier
from agentctl.errors import Forbidden
from agentctl.journal.inbox import ANSWERS
from agentctl.journal.store import Store
from agentctl.records import dataclass

OPEN = ("parked", "running", "paused", "stopped")
"""Statuses in which a call may wait."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call that somebody has to decide."""

    run_id: str
    seq: int
    ts: float
    event: ApprovalRequested

    @property
    def call_id(self) -> str:
        """The call's id."""
        return self.event.call_id

    @property
    def arguments(self) -> str:
        """Scrubbed and escaped."""
        return arguments(self.event.args)

    def page(self, spent_micro: int, width: int) -> list[str]:
        """All that the prompt shows where the run was started, but what its policy says of limits."""
        asked = self.event
        return wrapped(
            Question(
                self.run_id, asked.call_id, asked.tool, asked.owner, asked.args, Tier.of(asked.tier), asked.rule,
                asked.digest, spent_micro / 1e6, 0.0, 0.0,
                copied=tuple((each.source, each.text) for each in asked.copied),
                untrusted=asked.untrusted, parts=asked.parts, files=asked.files, change=asked.change,
                edited=asked.edited, doubt=asked.doubt,
            ),
            width,
        )  # fmt: skip

    @property
    def shown(self) -> str:
        """The call on one line."""
        return f"{printable(self.event.tool, lines=False)} {self.arguments}"


@dataclass(frozen=True, slots=True)
class Requests:
    """What was ever asked of a person in a run."""

    asked: dict[str, Request]
    decided: dict[str, ApprovalDecided]
    answered: dict[str, str]
    """Call to who left an answer that the run has not read yet."""

    @property
    def waiting(self) -> list[Request]:
        """Those that nobody decided."""
        return [each for call, each in self.asked.items() if call not in self.decided and call not in self.answered]


def of(journal: Store, run_id: str) -> Requests:
    """The requests of a run."""
    asked: dict[str, Request] = {}
    decided: dict[str, ApprovalDecided] = {}
    for stamped in journal.events(run_id):
        match stamped.event:
            case ApprovalRequested() as event:
                asked[event.call_id] = Request(run_id, stamped.seq, stamped.ts, event)
                decided.pop(event.call_id, None)
            case ApprovalDecided() as event:
                decided[event.call_id] = event
            case CallEdited(call_id=call_id) | CallSettled(call_id=call_id, happened=bool()):
                asked.pop(call_id, None)
            case ToolFinished(call_id=call_id, final=True) if call_id not in decided:
                asked.pop(call_id, None)  # refused since, and nobody's to decide
            case _:
                pass
    letters = {each.call_id: each.sender for each in journal.letters(run_id) if each.kind in ANSWERS}
    return Requests(asked, decided, letters)


def everywhere(journal: Store) -> list[Request]:
    """The requests of all runs, oldest first."""
    rows = [row for status in OPEN for row in journal.runs(status=status)]
    found = [each for row in rows for each in of(journal, row.run_id).waiting]
    return sorted(found, key=lambda each: each.ts)


def the_one(journal: Store, run_id: str, call: str) -> Request:
    """The request that is meant.

    Raises:
        Forbidden: there is none, it was decided, or several wait and none is named.
    """
    requests = of(journal, run_id)
    if call:
        return _named(requests, run_id, call)
    match requests.waiting:
        case [request]:
            return request
        case []:
            decided = [f"{call} by {who}" for call, who in requests.answered.items()]
            decided += [f"{each.call_id} by {each.by}" for each in requests.decided.values()]
            done = f"; decided already: {', '.join(decided)}" if decided else ""
            raise Forbidden(f"nothing of {run_id} waits for a person{done}", hint=f"agentctl show {run_id}")
        case several:
            listed = ", ".join(f"{each.call_id} ({printable(each.event.tool, lines=False)})" for each in several)
            raise Forbidden(f"several calls of {run_id} wait: {listed}", hint=f"agentctl approve {run_id} CALL")


def _named(requests: Requests, run_id: str, call: str) -> Request:
    if call not in requests.asked:
        waiting = ", ".join(each.call_id for each in requests.waiting) or "none"
        raise Forbidden(f"no call {call!r} of {run_id} waits for a person; waiting: {waiting}")
    if call in requests.decided:
        before = requests.decided[call]
        raise Forbidden(
            f"{call} of {run_id} was already decided by {before.by}: {before.decision}", hint=f"agentctl show {run_id}"
        )
    return requests.asked[call]
