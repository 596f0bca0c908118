"""What a run asks of the books that all runs on a store share, in its own names: money, the minute, circuits.

A circuit is of SDK, base URL and model, or of a tool's definition; a minute is of SDK, base URL and key. A rehearsal
has its own of both: what it plays says nothing of the real ones, nor of another rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable

from agentctl.core import decisions as do
from agentctl.core.contract import Contract
from agentctl.core.guards.pace import Demand
from agentctl.core.policy import Policy, Provider
from agentctl.core.prices import micro
from agentctl.journal.admission import Request
from agentctl.journal.circuits import Ask
from agentctl.journal.ledger import Scope
from agentctl.records import dataclass

DIGEST = 12


@dataclass(frozen=True, slots=True)
class Books:
    """See the module."""

    policy: Policy
    run_id: str
    prefix: str
    """Before the name of a circuit or a minute; a rehearsal's run id is in it."""
    scopes: Callable[[int, int, bool], tuple[Scope, ...]]
    """The budgets that a reservation counts against, given the run's cap and limit and whether it lands."""
    payer: Callable[[Provider], str]
    """Whose key pays: a digest."""

    def request(
        self, action: do.AskModel, provider: Provider, hold_id: str, since: float | None, limit: int
    ) -> Request:
        """All that one model call takes of a run that may spend `limit` in all."""
        return Request(
            hold_id,
            self.run_id,
            action.reserve_micro,
            self.scopes(action.cap_micro, limit, action.purpose == "landing"),
            self.provider(provider, hold_id),
            self._demands(action, provider),
            self.policy.pace.max_wait_s,
            since,
        )

    def _demands(self, action: do.AskModel, provider: Provider) -> tuple[Demand, ...]:
        rules = self.policy.pace
        if not rules.enabled:
            return ()
        minute = f"{self.prefix}{provider.sdk}|{provider.base_url or ''}|{self.payer(provider)}"
        tokens = action.uncached_tokens + action.max_output_tokens + rules.overhead_tokens
        taken = [Demand(f"tokens_per_minute:{minute}", tokens, rules.tokens_per_minute)]
        if action.reserve_micro:
            taken.append(Demand(f"usd_per_minute:{minute}", action.reserve_micro, micro(rules.usd_per_minute)))
        return tuple(taken)

    def provider(self, provider: Provider, owner: str) -> Ask | None:
        """The question to a provider's circuit; None: circuits are off."""
        rules = self.policy.circuit
        if not rules.enabled:
            return None
        at = f"@{provider.base_url}" if provider.base_url else ""
        patience = min(provider.deadline_s, max(provider.timeout_s, rules.recovery_s))
        return Ask(f"{self.prefix}{provider.sdk}:{provider.model}{at}", rules, owner, patience)

    def tool(self, contract: Contract, owner: str) -> Ask | None:
        """The question to a tool's circuit."""
        if not self.policy.circuit.enabled:
            return None
        rules = self.policy.circuit.tools
        patience = max(contract.timeout_s, rules.recovery_s)
        return Ask(f"{self.prefix}tool:{contract.name}:{contract.digest[:DIGEST]}", rules, owner, patience)


def window(scope: str) -> str:
    """The policy key that a window is of."""
    return scope.partition(":")[0]
