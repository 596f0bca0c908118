"""What tool calls came to, and what people said of them."""

from __future__ import annotations

from typing import Literal

from agentctl.core.messages import Json, JsonObject
from agentctl.core.receipts import Bound
from agentctl.core.taint import Copied
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The intent of one tool call: from here on it may have happened."""

    call_id: str
    tool: str
    args: Json
    tier: str
    attempt: int
    effect: bool
    """It may change something: an unknown outcome must be settled."""
    timeout_s: float
    idempotency_key: str = ""
    probe: bool = False
    """It tests an open circuit."""
    copied: tuple[Copied, ...] = ()
    remote: bool = False
    """It works where nobody here can end it."""


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """The outcome of one attempt, or the answer to a call that was not run."""

    call_id: str
    tool: str
    status: Literal["success", "error"]
    error_type: str | None
    retry_safe: bool
    duration_ms: int
    result: JsonObject
    """The envelope, scrubbed and cut."""
    tokens: int
    code: str | None = None
    key: str = ""
    """As in `CallProposed`."""
    effect: bool = False
    ran: bool = True
    final: bool = True
    """False: another attempt follows."""
    sealed: str = ""
    shared_with: str = ""
    """The call of the same step whose result this is."""
    labels: tuple[str, ...] = ()
    """What the tool's contract says of its words: `untrusted`, `private`, `egress`; none where it did not run."""
    pollable: bool = False
    """The same call may repeat, and may answer the same."""


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """A person has to decide."""

    call_id: str
    tool: str
    tier: str
    rule: str
    digest: str
    """Of tool, definition, exact arguments and policy: what the answer is bound to."""
    args: Json
    copied: tuple[Copied, ...] = ()
    once: bool = False
    """No answer to it may be remembered."""
    bound: Bound = ()
    """What `digest` is of, part by part."""
    owner: str = ""
    """Of the tool."""
    parts: tuple[tuple[str, str], ...] = ()
    """Of a shell command: the text of each part, and its tier with the reason."""
    files: tuple[tuple[str, str], ...] = ()
    """Path and digest of what the call will run or change."""
    change: str = ""
    """What it would do to a file, as a diff."""
    edited: str = ""
    """How a person changed its arguments, as a diff."""
    untrusted: tuple[str, ...] = ()
    """Whose words are in the run."""
    doubt: tuple[str, ...] = ()
    """It was started and may have happened: what is known of that."""
    limit_micro: int = 0
    """What the run may cost in all, in micro-dollars; 0: nobody wrote it down."""
    remembers: str = ""
    """What a yes for this run would remember, to the letter; empty: none is offered."""
    fixed: bool = False
    """Its arguments are not to be changed."""
    stands_s: float = 0.0
    """Seconds that it stands where somebody can answer; 0: nobody wrote it down."""
    after: str = ""
    """What happens when nobody answers by then, in words."""
    cache_until: float = 0.0
    """When the prompt cache expires, in seconds since the epoch; 0: there is none to lose."""
    later_micro: int = 0
    """What an answer after that costs more, in micro-dollars."""


@dataclass(frozen=True, slots=True)
class CallEdited:
    """A person changed the arguments of a call, which is decided from the start."""

    call_id: str
    tool: str
    args: Json
    """The new ones."""
    by: str
    key: str = ""
    """As in `CallProposed`."""
    exact: str = ""
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class CallSettled:
    """What somebody found out of a call whose outcome nobody saw."""

    call_id: str
    tool: str
    happened: bool | None
    """True: its result follows. False: it may be run. None: it could not be told."""
    by: str
    """A person, or the tool's `verify`."""
    why: str = ""

    @property
    def words(self) -> str:
        """Who said what, on one line."""
        if self.happened is None:
            return self.why
        return f"{self.by} says that it {'happened' if self.happened else 'did not happen'}"


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """Somebody decided, or nobody could."""

    call_id: str
    decision: Literal["approve", "deny", "stop"]
    by: str
    waited_s: float
    why: str
    digest: str
    at: float = 0.0
    """When they said so, in seconds since the epoch; 0: when it was written."""
    remember: bool = False
    """The very same call may run again in this run."""
