"""What somebody says to a question that stands elsewhere: a letter, left in the inbox of the run.

Rules. A letter answers the very request that was shown, never one that has come in its place. What the request did not
offer is refused here, and would count for nothing there: the driver checks all of it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal

from agentctl.core.messages import JsonObject
from agentctl.errors import AgentctlError, Forbidden
from agentctl.journal.inbox import HAPPENED, REMEMBER
from agentctl.journal.store import Store
from agentctl.records import dataclass
from agentctl.tui import pending
from agentctl.tui.pending import Request

LONGEST_REASON = 500
"""Characters of a reason, as at the plain prompt."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said of one call, or of the whole run."""

    kind: Literal["approve", "deny", "stop"]
    payload: str = ""
    """As in `inbox.Letter`."""

    @property
    def word(self) -> str:
        """What was done, in the past tense."""
        match self.kind, self.payload:
            case "approve", "":
                return "approved"
            case "approve", payload if payload == REMEMBER:
                return "approved, for this exact call in this run"
            case "approve", payload if payload.startswith(HAPPENED):
                return "taken as happened"
            case "approve", _:
                return "approved, with other arguments"
            case kind, _:
                return pending.DONE[kind]


YES = Decision("approve")
ALWAYS = Decision("approve", REMEMBER)
STOP = Decision("stop")


def no(why: str = "") -> Decision:
    """It must not run; the model is told why."""
    return Decision("deny", why[:LONGEST_REASON])


def edited(args: JsonObject) -> Decision:
    """Yes to exactly these arguments, checked from the start."""
    return Decision("approve", json.dumps(args, ensure_ascii=False))


def happened(result: str) -> Decision:
    """It was in doubt, and is not run again."""
    return Decision("approve", f"{HAPPENED}{result}")


def check(request: Request, decision: Decision) -> None:
    """Refuse what the request does not offer.

    Raises:
        Forbidden: it says why.
    """
    if decision.kind != "approve":
        return
    about = f"{request.call_id} of {request.run_id}"
    if decision.payload == REMEMBER and not request.event.remembers:
        hint = f"agentctl approve {request.run_id} {request.call_id}"
        raise Forbidden(f"{about} asks for one yes at a time: it is never remembered", hint=hint)
    if decision.payload.startswith(HAPPENED) and not request.event.doubt:
        hint = f"agentctl approvals {request.run_id}"
        raise Forbidden(f"{about} was not started: it can't have happened", hint=hint)


def leave(journal: Store, request: Request, decision: Decision, by: str) -> None:
    """Put it where the driver reads it.

    Raises:
        Forbidden: somebody was first, it asks for something else by now, or it is not offered.
    """
    if decision.kind == "stop":
        journal.leave(request.run_id, "stop", by=by)
        return
    check(request, decision)
    standing = pending.of(journal, request.run_id)
    became = standing.became(request.call_id)
    about = f"{request.call_id} of {request.run_id}"
    if became:
        raise Forbidden(f"{about} was already decided: {became}")
    if standing.asked[request.call_id].key != request.key:
        raise Forbidden(f"{about} asks for something else by now")
    journal.leave(
        request.run_id, decision.kind, by=by, call_id=request.call_id, asked_seq=request.seq, payload=decision.payload
    )


def sender(opened: Callable[[], AbstractContextManager[Store]], by: str) -> Callable[[Request, Decision], str]:
    """What leaves answers in a store that is opened for each: why it did not, on one line, or nothing."""

    def send(request: Request, decision: Decision) -> str:
        try:
            with opened() as journal:
                leave(journal, request, decision, by)
        except AgentctlError as error:
            return " ".join(error.message.split())
        return ""

    return send
