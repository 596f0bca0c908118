"""What the approval card is made from: one frozen value, and the lines and words that it becomes."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Sequence
from typing import Literal

from agentctl.approvals.base import Question
from agentctl.approvals.editing import written
from agentctl.approvals.printable import printable
from agentctl.approvals.wording import GOES_ON, choices
from agentctl.core.messages import Json, JsonObject
from agentctl.core.remarks import short
from agentctl.records import dataclass, replace
from agentctl.tui.pending import Request, Requests

Kind = Literal["plain", "ask", "added", "removed", "warn"]
"""How a line is coloured. It says nothing that its words do not say."""
WARNED = ("  doubt  ", "  copied from ", "  words  ", "  note   ")
MOST_SAID = 300
"""Characters of what the agent said with the call."""
EDIT_KEYS = "y approve as changed · e edit again · n deny, with a reason · s stop the run"
ANEW = "you changed the arguments: tier and rules are decided from the start, then it runs or is refused"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that waits for a person, as it stands in the store now."""

    request: Request
    spent_micro: int = 0
    """By the whole run, in micro-dollars."""
    running: bool = True
    """A driver waits for the answer; else the run goes on when it is resumed."""
    became: str = ""
    """Who decided it meanwhile, and how; empty: it waits."""
    said: str = ""
    """What the agent said with the call, scrubbed."""


def of(requests: Requests, request: Request, *, spent_micro: int, running: bool, said: str = "") -> Asked:
    """How a request stands by now: the newest form of the same call, and what became of it."""
    now = requests.asked.get(request.call_id, request)
    return Asked(now, spent_micro, running, requests.became(request.call_id), said)


def question(asked: Asked, changed: JsonObject | None = None) -> Question:
    """What is shown of it; `changed`: the arguments that the person here has put in the place of its own."""
    event = asked.request.event
    notes: tuple[str, ...] = ()
    if event.cache_until and event.later_micro:
        at = time.strftime("%H:%M:%S", time.localtime(event.cache_until))
        notes = (f"the prompt cache expires at {at}; a later answer costs ${event.later_micro / 1e6:.4f} more",)
    if asked.said:
        notes = (f"the agent said: {short(asked.said, MOST_SAID)}", *notes)
    shown = asked.request.question(asked.spent_micro, notes)
    if changed is None:
        return shown
    return replace(
        shown, args=changed, edited=difference(event.args, changed), change="", parts=(), files=(), copied=(),
        remembers="", notes=(ANEW, *notes),
    )  # fmt: skip


def difference(before: Json, after: JsonObject) -> str:
    """The arguments before and after, line by line, with every character visible."""
    old, new = (written(each).split("\n") for each in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "the model", "you", n=1, lineterm=""))


def kinds(lines: Sequence[str]) -> Iterator[Kind]:
    """One for each wrapped line; what goes on in the next one goes on in its colour."""
    kind: Kind = "plain"
    for line in lines:
        if not line.startswith(GOES_ON):
            kind = _kind(line)
        yield kind


def _kind(line: str) -> Kind:
    if line.startswith("Agent wants to "):
        return "ask"
    if line.startswith("  | +"):
        return "added"
    if line.startswith("  | -"):
        return "removed"
    return "warn" if line.startswith(WARNED) else "plain"


def title(asked: Asked) -> str:
    """What this is, in words that need no explanation."""
    event = asked.request.event
    what = "What became of this call?" if event.doubt else "May the agent do this?"
    return f"{what}  {event.tier} risk · run {printable(asked.request.run_id, lines=False)}"


def standing(asked: Asked, now: float) -> str:
    """Until when it waits, and what happens then. `now` is in seconds since the epoch."""
    event = asked.request.event
    if not asked.running:
        return "the run rests until somebody answers and resumes it"
    if not (event.after and asked.request.until):
        return "the run waits for the answer"
    left = asked.request.until - now
    return f"waits {span(left)}, then {event.after}" if left > 0 else f"its time is over: {event.after}"


def span(seconds: float) -> str:
    """`4:05`, `1:02:03`."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def keys(shown: Question, changed: JsonObject | None) -> str:
    """The keys that count once all of it was on the screen."""
    return choices(shown) if changed is None else EDIT_KEYS


def counting(shown: Question, *, hidden: bool) -> set[str]:
    """The same as a set; `hidden`: part of it was not on the screen yet, and nothing can be approved."""
    yes = {"y": True, "a": bool(shown.remembers), "e": shown.fits is not None, "h": bool(shown.doubt)}
    return {"n", "s"} | {key for key, offered in yes.items() if offered and not hidden}
