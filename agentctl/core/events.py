"""What happened: inert values in the past tense, stamped by the recorder, folded by `state.apply`.

Everything textual in an event is scrubbed before the event is made. Money is whole micro-dollars here and dollars on
disk. `journal/codec.py` alone knows the short tags of the contract and how fields are written.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal, TypeAlias

from agentctl.core.messages import Json, JsonObject, Usage
from agentctl.core.seen import (
    BudgetCounted,
    CacheSeen,
    CircuitMoved,
    ContextTrimmed,
    Degraded,
    HandedOff,
    LoopSeen,
)
from agentctl.core.taint import Copied, InjectionSuspected
from agentctl.records import dataclass

__all__ = [
    "ApprovalDecided", "ApprovalRequested", "BudgetCounted", "CacheSeen", "CallProposed", "Checked", "CircuitMoved",
    "Completed", "ContextTrimmed", "Copied", "Decided", "Degraded", "Event", "Failed", "FellBack", "HandedOff",
    "InjectionSuspected", "LoopSeen", "ModelAsked", "ModelFailed", "ModelReplied", "ProviderOut", "Purpose",
    "Resumed", "Retried", "RunStarted", "Stamped", "Status", "StepsPlanned", "Thought", "ToolFinished",
    "ToolStarted", "Waited",
]  # fmt: skip

Purpose = Literal["answer", "landing", "summary"]
Status = Literal["queued", "running", "parked", "paused", "stopped", "completed", "failed", "cancelled", "crashed"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event of every run."""

    task: str
    policy: str
    policy_digest: str
    user: str
    tenant: str
    goal: str
    system: str
    fixed_tokens: int
    """Estimate of system prompt and tool definitions: what every request carries."""
    goal_tokens: int
    tools: dict[str, str]
    """Tool name to definition digest."""
    rehearsed: bool = False
    sealed: str = ""
    """Digest of the sealed originals of goal and system; empty: the scrubbed ones are the originals."""
    prefix: str = ""
    """Keyed digest of system prompt and tools, in their order."""
    price_source: str = ""
    variables: dict[str, Json] = field(default_factory=dict[str, Json])
    prefix_system: str = ""
    """Keyed digest of the system prompt alone; empty in journals that do not tell."""
    prefix_tools: str = ""
    """Keyed digest of the tools alone."""
    earlier_calls: dict[str, int] = field(default_factory=dict[str, int])
    """Calls by tool that other runs of the session had made by then."""
    untrusted: tuple[str, ...] = ()
    """Variables whose words are somebody else's, as `var.NAME`."""


@dataclass(frozen=True, slots=True)
class StepsPlanned:
    """The task's own `[[steps]]`: tool calls that are made before the model speaks, as if it had asked for them. G20"""

    calls: tuple[CallProposed, ...]
    tokens: int
    sealed: str = ""
    """Digest of the sealed original; empty: the calls are the original."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The task's `[check]` was run."""

    passed: bool
    code: int
    output: str
    """The end of what it said."""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class ModelAsked:
    """The intent of one HTTP request to a provider; its worst case is reserved."""

    provider: str
    identity: str
    model: str
    attempt: int
    purpose: Purpose
    estimated_tokens: int
    max_output_tokens: int
    reserved_micro: int
    position: int = 0
    """In a rehearsal: the stand-in's position before this call."""
    probe: bool = False
    """It tests an open circuit."""
    upto: int = 0
    """For a summary: the seq of the oldest message that it leaves out."""


@dataclass(frozen=True, slots=True)
class CallProposed:
    """A tool call in a reply."""

    call_id: str
    wire_id: str
    tool: str
    """As shown; an unknown tool keeps the model's word for it."""
    args: Json
    """Scrubbed; a string where the arguments were no JSON object."""
    key: str
    """Keyed digest of name and canonical arguments: equal calls have equal keys, and it tells nothing else."""
    exact: str = ""
    """The same of the arguments as they came; empty: they came as the canonical ones."""


@dataclass(frozen=True, slots=True)
class ModelReplied:
    """The outcome: what came, what it cost."""

    provider: str
    identity: str
    model: str
    usage: Usage
    cost_micro: int
    duration_ms: int
    stop_reason: str
    text: str
    calls: tuple[CallProposed, ...]
    purpose: Purpose
    tokens: int
    """What this message adds to later prompts: the reported output; for a summary the estimate of its text."""
    sealed: str = ""
    """Digest of the sealed original; empty: text and calls are the original."""
    refusal: str = ""
    withheld: str = ""
    """Why a line stands for the text: `system_prompt`."""


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The outcome: it failed, in the provider's words made one line."""

    provider: str
    identity: str
    kind: str
    status: int | None
    retry_after_s: float | None
    message: str
    attempt: int
    purpose: Purpose
    cost_micro: int
    """What was settled: the known usage, else the whole reservation; nothing where it was refused or never sent."""
    duration_ms: int
    tokens: int = 0
    """What it counts against the run's tokens: as known, or as estimated where it was billed blindly."""


@dataclass(frozen=True, slots=True)
class Retried:
    """The same call will be made again after a delay: to a model, or `call_id` to a tool."""

    attempt: int
    """The retry's number, from 1."""
    delay_s: float
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Waited:
    """The run will do nothing for a while, or would have to for longer than anybody may."""

    reason: str
    seconds: float
    refused: bool = False
    """It was too long: nothing is waited for."""
    provider: str = ""
    """Whose minute is full."""


@dataclass(frozen=True, slots=True)
class FellBack:
    """Another provider answers from here on."""

    from_: str
    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProviderOut:
    """A provider that this run will not ask again, or not before `until`."""

    provider: str
    reason: str
    until: float | None = None
    """Seconds since the epoch; None: for the rest of the run."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thought, as far as it is shown."""

    text: str


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


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """Somebody decided, or nobody could."""

    call_id: str
    decision: Literal["approve", "deny", "stop"]
    by: str
    waited_s: float
    why: str
    digest: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A guard spoke. The words are for people: two decisions with other words are the same decision."""

    seam: str
    guard: str
    decision: str
    reason: str
    text: str = field(default="", compare=False)
    """What the model is told, where it is told something."""
    tokens: int = field(default=0, compare=False)
    message: str = field(default="", compare=False)
    """The stop's own sentence, for people."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Another process goes on with this run."""

    from_seq: int
    by: str
    add_micro: int = 0
    add_steps: int = 0
    add_tokens: int = 0
    policy_digest: str = ""
    policy: str = ""
    """What `--policy` named, for the resumes after this one; empty: as before."""
    prefix: str = ""
    """Keyed digest of system prompt and tools, in their order."""
    fixed_tokens: int = 0
    """Estimate of them where they are others than before; 0: they are the same."""
    earlier_calls: dict[str, int] = field(default_factory=dict[str, int])
    """As in `RunStarted`."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong that is no outcome of a call."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The last event of every drive of a run, whatever ended it; `Resumed` may follow."""

    status: Status
    reason: str
    exit_code: int
    cost_micro: int
    answer: str
    message: str = ""
    """The stop's own sentence, where there is one."""


Event: TypeAlias = (
    RunStarted | ModelAsked | ModelReplied | ModelFailed | Retried | Waited | FellBack | ProviderOut | Thought
    | ToolStarted | ToolFinished | ApprovalRequested | ApprovalDecided | Decided | ContextTrimmed | BudgetCounted
    | StepsPlanned | Checked | CircuitMoved | LoopSeen | CacheSeen | Degraded | HandedOff | Resumed | Failed
    | Completed | InjectionSuspected
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its place in the journal."""

    run_id: str
    seq: int
    """From 1, without gaps."""
    session_id: str
    step: int
    ts: float
    """Seconds since the epoch, UTC."""
    event: Event
