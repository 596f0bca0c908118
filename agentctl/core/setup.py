"""What the seams decide by, handed to them as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentctl.core.commands import Command
from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.inflight import CallState
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy, Provider
from agentctl.core.prices import Price
from agentctl.core.receipts import Bound
from agentctl.core.taint import Copied
from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run decides by, fixed for one drive but for the contracts of servers that are started later."""

    policy: Policy
    contracts: Mapping[str, Contract]
    """By name as shown and by wire name."""
    prices: Mapping[str, Price | None]
    """By provider name; None: nobody knows, and the policy does not mind."""
    windows: Mapping[str, int | None]
    """The model's own limit in tokens, by provider name."""
    ready: frozenset[str]
    """Providers that have a key."""
    output: Callable[[str], str] | None = None
    """What is wrong with an answer, in words for the model; empty: nothing. None: any answer will do."""
    output_retries: int = 0
    check_retries: int | None = None
    """How often the model may try again after `[check]` failed; None: there is no check."""
    reader: risk.Reader = risk.UNREAD
    """How the patterns of `[[risk.rules]]` are looked for."""

    def provider(self, name: str) -> Provider:
        """The provider of that name."""
        return next(p for p in self.policy.providers if p.name == name)


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call with its original arguments, which no event holds."""

    state: CallState
    args: JsonObject | None
    garbled: str = ""
    digest: str = ""
    """Of the exact action as it would run now: what an approval is compared with. Empty: there is none to compare."""
    bound: Bound = ()
    """The same, part by part."""
    copied: tuple[Copied, ...] = ()
    """Which parts of the arguments stand in untrusted text."""
    writes: str = ""
    """The instruction, hook, CI or policy file that the arguments name; empty: none."""
    leaks: bool = False
    """The arguments repeat the system prompt."""
    command: Command | None = None
    """What a shell would make of the arguments; None: no shell reads them."""
