"""The question and the answer. Every approver fails closed: what is not a clear yes is no approval."""

from __future__ import annotations

from typing import Literal, Protocol

from agentctl.core.messages import Json
from agentctl.core.tiers import Tier
from agentctl.records import dataclass


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
    """Path and digest of the files that the command will run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody decided, who it was, and why."""

    decision: Literal["approve", "deny", "stop"]
    by: str
    why: str = ""


class Approver(Protocol):
    """Whoever can be asked here and now."""

    async def ask(self, question: Question) -> Answer | None:
        """Their answer, or None: nobody is there, or nobody answered within `timeout_s`.

        Cancelling it takes the question away: somebody else decided.
        """
        ...
