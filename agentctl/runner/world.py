"""Everything that a drive needs of the world, gathered by the composition root (`start.py`, `resume.py`).

Only the shell holds a `World`; the core is handed the values that it asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agentctl.approvals.base import Approver
from agentctl.core.envelope import Envelope
from agentctl.core.guards.scrub import OFF, Filter
from agentctl.core.messages import Json, JsonObject, ToolSchema, ToolUse
from agentctl.core.placeholders import Vault
from agentctl.core.policy import Provider
from agentctl.core.setup import Setup
from agentctl.core.state import State
from agentctl.core.task import Check
from agentctl.journal.inbox import Letter
from agentctl.models.base import Model
from agentctl.records import dataclass
from agentctl.runner.books import Books
from agentctl.runner.conversation import Conversation
from agentctl.runner.copied import Untrusted
from agentctl.runner.order import Listener
from agentctl.runner.recorder import Recorder
from agentctl.runner.reviewer import Reviewer
from agentctl.tools.base import Tool
from agentctl.tools.sandbox.box import Box

if TYPE_CHECKING:
    from agentctl.runner.asleep import Asleep
    from agentctl.runner.watching import Watch

T = TypeVar("T")
Play = Callable[[Tool], Tool]
"""From a tool to what runs where it is called."""


class Interrupted(Exception):
    """A person or the system asked this process to stop: save and go."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class Interrupt:
    """The flag that a signal raises, and whatever may be cut short for it right now."""

    code: int = 0
    error: BaseException | None = None
    """What ended the heartbeat: nothing more may be started."""
    tell: Callable[[], None] | None = None
    """Says what is still waited for."""
    current: set[asyncio.Task[object]] = field(default_factory=set[asyncio.Task[object]])

    def ring(self, code: int) -> None:
        """Remember the signal and cut short what may be."""
        self.code = code
        if self.tell is not None:
            self.tell()
        for task in self.current:
            task.cancel()

    def fail(self, error: BaseException) -> None:
        """The lease can't be kept: cut short what may be, and let `check` raise why."""
        self.error = error
        for task in self.current:
            task.cancel()

    def check(self) -> None:
        """Raise if it rang."""
        if self.error is not None:
            raise self.error
        if self.code:
            raise Interrupted(self.code, "SIGINT" if self.code == 130 else "SIGTERM")

    async def guard(self, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Wait for something that a signal may cut short."""
        self.check()
        task: asyncio.Task[T] = asyncio.ensure_future(work())
        held: asyncio.Task[object] = task
        self.current.add(held)
        try:
            return await task
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            task.cancel()
            self.current.discard(held)


def as_it_is(tool: Tool) -> Tool:
    """What runs where a tool is called and nobody plays it."""
    return tool


def unchanged(_: Provider) -> str:
    """Where there is no run to compare with."""
    return ""


@dataclass(slots=True)
class World:
    """See the module."""

    setup: Setup
    recorder: Recorder
    conversation: Conversation
    open_model: Callable[[Provider], Model]
    """Opened once each, lazily."""
    open_aside: Callable[[Provider], Model]
    """The same, for what is no part of the conversation: with a history of its own, and nothing cached."""
    tools: Mapping[str, Tool]
    offered: Mapping[str, Tool]
    """The tools themselves, also where a rehearsal plays them."""
    approver: Approver | None
    reviewer: Reviewer | None
    """The program that is asked before a person."""
    letters: Callable[[], list[Letter]]
    """What other terminals ask of this run and nobody has acted on yet."""
    listener: Listener
    scrub: Filter
    clock: Callable[[], float]
    dice: Callable[[], float]
    call_key: Callable[[bytes], str]
    """Keyed digest of the canonical bytes of a call."""
    count: Callable[[str], int]
    """Estimated tokens of a text."""
    books: Books
    """What all runs on the store share: money, the minute, circuits."""
    system: str
    schemas: tuple[ToolSchema, ...]
    policy_digest: str
    position: Callable[[], int]
    """In a rehearsal: where the stand-in is; else 0."""
    folder: Path
    """Of the task's file."""
    own_files: tuple[Path, ...] = ()
    """The task's and its policy's: who writes them decides what the next run may do."""
    check: Check | None = None
    check_env: dict[str, str] = field(default_factory=dict[str, str])
    check_box: Box | None = None
    agree: Callable[[Tool], Awaitable[None]] | None = None
    """Pins the definition of a tool that a person let run although it has changed."""
    asleep: Asleep | None = None
    """The tools whose servers are not started yet."""
    play: Play = as_it_is
    """In a rehearsal, the script."""
    changed_since: Callable[[Provider], str] = unchanged
    """What this run changed of the prefix that the last run of its task had at a provider; empty: nothing."""
    watch: Watch | None = None
    """What looks for alerts; None: the policy wants none."""
    interrupt: Interrupt = field(default_factory=Interrupt)
    calls: dict[str, ToolUse] = field(default_factory=dict[str, ToolUse])
    """The originals of the open calls, by call id: what their tools get."""
    proposed: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    """What the model had asked for, as it knows it, of the open calls that a person has edited."""
    said: dict[str, ToolUse] = field(default_factory=dict[str, ToolUse])
    """The same as the model knows them, under `scrub.to_model`."""
    shows: Filter = OFF
    """Makes of a text what the model is shown. `runner/numbered.py` says where."""
    vault: Vault = field(default_factory=Vault)
    """What its placeholders stand for."""
    answers: dict[str, Envelope] = field(default_factory=dict[str, Envelope])
    """Their answers, as they come."""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """And what the tools say of them."""
    untrusted: Untrusted = field(default_factory=Untrusted)
    """Somebody else's words, to be compared with."""

    @property
    def state(self) -> State:
        """Where the run stands."""
        return self.recorder.state

    def look(self) -> None:
        """At a safe point: whether somebody should hear of this run."""
        if self.watch is not None:
            self.watch.look(self.recorder.totals.cost_micro / 1e6, self.recorder.record)

    def args(self, call_id: str) -> JsonObject:
        """The original arguments of an open call."""
        return self.calls[call_id].args or {}

    def shown_args(self, call_id: str) -> Json:
        """The same as they may be written and shown."""
        return self.scrub.data(self.said[call_id].args or {})
