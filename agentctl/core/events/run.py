"""The life of a run: its start, its drives, what it said of itself, its end."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentctl.core.events.model import CallProposed
from agentctl.core.messages import Json
from agentctl.records import dataclass

Status = Literal["queued", "running", "parked", "paused", "stopped", "completed", "failed", "cancelled", "crashed"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an earlier run of the session was asked and said, as the model of this one is sent it."""

    run_id: str
    asked: str
    answer: str
    asked_tokens: int
    answer_tokens: int


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
    """Whose words it begins with: variables as `var.NAME`, earlier runs of the session as `run ID`."""
    earlier_starts: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """When they had made those of the last minute, of tools with a limit per minute."""
    to_model: bool = False
    """What the model is shown from here on has placeholders for secrets."""
    earlier: tuple[Exchange, ...] = ()
    """What the session has said before, the oldest first."""
    private: tuple[str, ...] = ()
    """Whose private data it begins with: earlier runs of the session as `run ID`."""


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
class Degraded:
    """The user gets something lesser and is told so."""

    provider: str
    notice: str


@dataclass(frozen=True, slots=True)
class HandedOff:
    """The run gives its case to a person and stops."""

    reason: str
    contact: str
    call_id: str = ""
    """The call that it stops before; empty: none."""


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
    earlier_starts: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    """As in `RunStarted`."""
    to_model: bool = False
    """As in `RunStarted`."""
    quiet_at: float = 0.0
    """Until when the driver before this one may have been at work elsewhere; 0: it is gone for certain."""


@dataclass(frozen=True, slots=True)
class Forked:
    """All before this was copied from another run; what is spent, called and approved counts from here on. B48"""

    parent: str
    """The run that it was copied from."""
    at: int
    """The last seq of it that was copied."""
    by: str
    policy: str = ""
    """What the run is under from here on, as it was named; empty: the task's own."""
    policy_digest: str = ""
    goal: str = ""
    """The goal from here on, scrubbed; empty: it stays."""
    goal_tokens: int = 0
    sealed: str = ""
    """Digest of the sealed goal; empty: it is the original."""
    gone: int = 0
    """Originals that had been destroyed: what was masked there is sent masked, and thinking is left out."""


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
    labels: tuple[str, ...] = ("untrusted", "private")
    """What the run has met, for later runs of its session; a journal that does not tell may have met anything."""
