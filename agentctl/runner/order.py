"""What the command line asks of the runner, and what it gets back."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Protocol

from agentctl.core.events import Stamped
from agentctl.core.messages import Delta, JsonObject, Scrubbed
from agentctl.core.state import State
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """One run to be started. None: the task's, the policy's or the environment's own."""

    task: Path
    policy: str | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    user: str = ""
    tenant: str = ""
    session: str = ""
    max_usd: float | None = None
    auto_approve: str | None = None
    rehearse: bool = False
    script: Path | None = None
    real_tools: bool = False
    piped: str = ""
    """The variable that was read from stdin."""
    listed: tuple[str, ...] = ()
    """The variables that stood in a file of lines."""


@dataclass(frozen=True, slots=True)
class Raise:
    """What a resume changes: limits go up, never down."""

    usd: float = 0.0
    steps: int = 0
    tokens: int = 0
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How a drive ended: the contract's object of `run --json` (section 8), and what a person is told."""

    status: str
    reason: str
    exit_code: int
    answer: Scrubbed
    message: Scrubbed
    """The stop's own sentence; empty when the run completed."""
    resume: str | None
    """The command that goes on, where there is one."""
    body: JsonObject
    """The whole object, scrubbed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running call is. A server says so: the words are someone else's, the numbers may be wrong."""

    call_id: str
    tool: str
    share: float | None
    """Of the whole, from 0 to 1; None: nobody knows how much there is to do."""
    done: float | None
    """So many of whatever the server counts, finite and not negative."""
    words: Scrubbed
    """As they came otherwise: whoever shows them escapes and shortens them."""


class Listener(Protocol):
    """Whoever watches a run live. Must return at once and never raise."""

    def event(self, stamped: Stamped, state: State) -> None:
        """An event was recorded; `state` is the state after it."""
        ...

    def delta(self, delta: Delta) -> None:
        """A piece of a reply as it streams in, scrubbed as far as it can be."""
        ...

    def progress(self, at: Progress) -> None:
        """A running call got further; at most ten times a second for each call."""
        ...

    def note(self, text: str) -> None:
        """One line for the person: a notice, a skipped provider, what was resumed."""
        ...
