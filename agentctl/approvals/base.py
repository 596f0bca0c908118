"""The question and the answer. Every approver fails closed: what is not a clear yes is no approval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from agentctl.core.messages import Json, JsonObject
from agentctl.core.tiers import Tier
from agentctl.records import dataclass

Fits: TypeAlias = Callable[[JsonObject], str]
"""What is wrong with edited arguments, in words for the person; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """One exact call that somebody has to decide. `args` are scrubbed: nothing else is ever shown."""

    run_id: str
    call_id: str
    tool: str
    owner: str
    args: Json
    tier: Tier
    rule: str
    """What set the tier, with file and line where there is one."""
    digest: str
    """Of tool, definition, exact arguments and policy."""
    spent_usd: float
    limit_usd: float
    timeout_s: float
    copied: tuple[tuple[str, str], ...] = ()
    """Source and text of what the arguments copy from somebody else's words."""
    untrusted: tuple[str, ...] = ()
    """Whose words are in the run."""
    parts: tuple[tuple[str, str], ...] = ()
    """Of a shell command: the text of each part, and its tier with the reason."""
    files: tuple[tuple[str, str], ...] = ()
    """Path and digest of the files that the call will run or change."""
    change: str = ""
    """What it would do to a file, as a diff."""
    edited: str = ""
    """How a person changed its arguments, as a diff."""
    doubt: tuple[str, ...] = ()
    """It was started and may have happened: what is known of that. Yes means that it did not, and runs it."""
    notes: tuple[str, ...] = ()
    """What else to know: what waiting costs, what a reviewer said."""
    after: str = ""
    """What happens when nobody answers in time."""
    remembers: str = ""
    """What `a` would remember, to the letter; empty: it is not offered."""
    fits: Fits | None = None
    """None: its arguments are not to be changed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody decided, who it was, and why."""

    decision: Literal["approve", "deny", "stop", "edit", "happened"]
    by: str
    why: str = ""
    args: JsonObject | None = None
    """Of an edit: the new arguments, with the masks that it left where they were."""
    remember: bool = False
    """The very same call may run again in this run."""
    at: float = 0.0
    """When it was said, in seconds since the epoch; 0: just now."""
    result: str = ""
    """Of a call that happened: what it came to, as JSON or in words."""


class Approver(Protocol):
    """Whoever can be asked here and now."""

    async def ask(self, question: Question) -> Answer | None:
        """Their answer, or None: nobody is there, or nobody answered within `timeout_s`.

        Cancelling it takes the question away: somebody else decided.
        """
        ...
