"""What a tool promises, with every silence filled in: the values that guards look at."""

from __future__ import annotations

from collections.abc import Callable

from agentctl.core.commands import Command
from agentctl.core.messages import JsonObject
from agentctl.core.task import Recovery, RetryPolicy, SideEffects
from agentctl.core.tiers import Tier
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class ArgsProblem:
    """Why arguments do not fit: the first offending field, in words for the model."""

    problem: str
    hint: str
    """`Expected string for 'query', got array. Ensure arguments match the tool schema.` C18"""


@dataclass(frozen=True, slots=True)
class Change:
    """What a call would make of one file."""

    path: str
    before: bytes | None
    """None: there is no such file."""
    after: str
    unread: str = ""
    """What stands there and can't be shown, told from what it becomes later."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One tool as the run sees it. `tools/` makes it from the task's entry."""

    name: str
    """As shown and ruled: `fs.read_file`."""
    wire: str
    """As sent to a model: `fs__read_file`."""
    description: str
    parameters: JsonObject
    timeout_s: float
    retry_policy: RetryPolicy
    idempotent: bool
    side_effects: SideEffects | None
    """None: nobody said."""
    recovery: Recovery
    digest: str
    """Of name, definition and command: another digest is another tool."""
    check: Callable[[JsonObject], ArgsProblem | None]
    """The arguments against `parameters`, strictly."""
    base_tier: Tier | None = None
    """A built-in's own tier."""
    owner: str = ""
    auth_scope: str = ""
    logs: tuple[str, ...] = ()
    max_calls_per_session: int | None = None
    max_calls_per_minute: int | None = None
    pollable: bool = False
    untrusted: bool = True
    private: bool = False
    egress: bool = True
    sort_by: str = ""
    fallback_tool: str = ""
    requires_check: bool = False
    command: Callable[[JsonObject], Command | None] | None = None
    """What a shell would make of the arguments, looked up outside the core; None: no shell reads them."""
    folders: tuple[str, ...] = ()
    """Where its relative paths may begin; empty: nobody knows."""
    change: Callable[[JsonObject], Change | None] | None = None
    """What it would make of a file, looked up outside the core; None: it changes none that it could tell of."""
    warned: SideEffects | None = None
    """What a server that nobody trusts says of it, where that can only make it stricter."""
    changed: str = ""
    """How its definition differs from the one that was agreed to: a person is asked before it is used."""
    verify: tuple[str, ...] = ()
    """The program that knows whether a call happened, where `recovery` is `reconcile`."""
    remote: bool = False
    """It works where nobody here can see or end it: over the network."""
    gone: bool = False
    """Its server does not offer it any more: it is refused."""

    @property
    def read_only(self) -> bool:
        """Declared free of side effects: may run beside others and run again."""
        return self.side_effects == "none"
