"""Which calls wait for a person: asked for in the journal, answered neither there nor by a letter on its way."""

from __future__ import annotations

from agentctl.approvals.base import Question
from agentctl.approvals.printable import printable
from agentctl.approvals.wording import arguments, waiting, wrapped
from agentctl.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    CallSettled,
    Resumed,
    Stamped,
    ToolFinished,
)
from agentctl.core.messages import JsonObject, is_object
from agentctl.core.tiers import Tier
from agentctl.errors import Forbidden
from agentctl.journal.inbox import ANSWERS
from agentctl.journal.store import Store
from agentctl.records import dataclass, replace

OPEN = ("parked", "running", "paused", "stopped")
"""Statuses in which a call may wait."""
DONE = {"approve": "approved", "deny": "denied", "stop": "stopped"}
"""What was said, in the past tense."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call that somebody has to decide."""

    run_id: str
    seq: int
    ts: float
    event: ApprovalRequested
    since: float = 0.0
    """When it began to stand where it was last asked, in seconds since the epoch; 0: when it was written."""
    raised_micro: int = 0
    """By how much the run's limit was raised after it was written, in micro-dollars."""

    @property
    def call_id(self) -> str:
        """The call's id."""
        return self.event.call_id

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What an answer is bound to: run, call, when it was asked, and what exactly."""
        return self.run_id, self.call_id, self.seq, self.event.digest

    @property
    def arguments(self) -> str:
        """Scrubbed and escaped."""
        return arguments(self.event.args)

    @property
    def editable(self) -> bool:
        """Whether other arguments may be given."""
        return not (self.event.fixed or self.event.doubt) and is_object(self.event.args)

    @property
    def until(self) -> float:
        """When it stops standing where it was asked, in seconds since the epoch; 0: nobody wrote it down."""
        return (self.since or self.ts) + self.event.stands_s if self.event.stands_s else 0.0

    @property
    def limit_usd(self) -> float:
        """What the run may cost in all by now; 0: nobody wrote it down."""
        return (self.event.limit_micro + self.raised_micro) / 1e6 if self.event.limit_micro else 0.0

    def question(self, spent_micro: int, notes: tuple[str, ...] = (), left_s: float = 0.0) -> Question:
        """What the prompt shows where the run was started. `left_s`: 0 where it stands without an end."""
        asked = self.event
        return Question(
            self.run_id, asked.call_id, asked.tool, asked.owner, asked.args, Tier.of(asked.tier), asked.rule,
            asked.digest, spent_micro / 1e6, self.limit_usd, left_s,
            copied=tuple((each.source, each.text) for each in asked.copied),
            untrusted=asked.untrusted, parts=asked.parts, files=asked.files, change=asked.change,
            edited=asked.edited, doubt=asked.doubt, notes=notes, after=asked.after if left_s else "",
            remembers=asked.remembers, fits=_unchecked if self.editable else None,
        )  # fmt: skip

    def page(self, spent_micro: int, width: int, now: float, *, stands: bool) -> list[str]:
        """All that the prompt shows, in lines of this width. `stands`: a driver waits for the answer."""
        left_s = float(max(1, round(self.until - now))) if stands and self.until > now else 0.0
        notes = waiting(self.event.cache_until - now, self.event.later_micro)
        return wrapped(self.question(spent_micro, notes, left_s), width)

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
    gone: dict[str, str]
    """Call to what else became of a request that nobody answers any more, in words."""

    @property
    def waiting(self) -> list[Request]:
        """Those that nobody decided."""
        return [each for call, each in self.asked.items() if call not in self.decided and call not in self.answered]

    def became(self, call_id: str) -> str:
        """What became of a request, in words; empty: it waits."""
        if call_id in self.decided:
            said = self.decided[call_id]
            return f"{DONE[said.decision]} by {said.by}{f': {said.why}' if said.why else ''}"
        if call_id in self.answered:
            return f"{self.answered[call_id]} has answered; the run has not read it yet"
        return "" if call_id in self.asked else self.gone.get(call_id, "it is not asked about any more")


def _unchecked(_: JsonObject) -> str:
    """Only the driver knows what fits."""
    return ""


def of(journal: Store, run_id: str) -> Requests:
    """The requests of a run."""
    found = Requests({}, {}, answered(journal, run_id), {})
    for stamped in journal.events(run_id):
        take(found, stamped)
    return found


def answered(journal: Store, run_id: str) -> dict[str, str]:
    """Call to who left an answer that the run has not read yet."""
    return {each.call_id: each.sender for each in journal.letters(run_id) if each.kind in ANSWERS}


def take(found: Requests, stamped: Stamped) -> None:
    """One event more: whoever follows a run reads each of them once. Letters are to be read anew."""
    match stamped.event:
        case ApprovalRequested() as event:
            found.asked[event.call_id] = Request(stamped.run_id, stamped.seq, stamped.ts, event)
            found.decided.pop(event.call_id, None)
            found.gone.pop(event.call_id, None)
        case ApprovalDecided() as event:
            found.decided[event.call_id] = event
            _stand(found, stamped.ts)
        case CallEdited(call_id=call_id, by=by):
            _lose(found, call_id, f"{by} changed its arguments")
        case CallSettled(call_id=call_id, happened=bool()) as event:
            _lose(found, call_id, event.words)
        case ToolFinished(call_id=call_id, final=True) if call_id not in found.decided:
            _lose(found, call_id, "it was answered without a person")  # refused since, and nobody's to decide
        case Resumed(add_micro=raised):
            _stand(found, stamped.ts, raised)
        case _:
            pass


def _stand(found: Requests, ts: float, raised: int = 0) -> None:
    """From here on the others may stand where somebody is asked: one after the other."""
    for call, each in found.asked.items():
        if call not in found.decided:
            found.asked[call] = replace(each, since=max(ts, each.ts), raised_micro=each.raised_micro + raised)


def _lose(found: Requests, call_id: str, words: str) -> None:
    if found.asked.pop(call_id, None) is not None:
        found.gone[call_id] = words


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
