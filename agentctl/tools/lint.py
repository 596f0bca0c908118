"""What a reviewer would reject in the contracts of a task's tools, each with the key that mends it. D90"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal

from agentctl.core.contract import Contract
from agentctl.core.guards import risk
from agentctl.core.policy import Policy
from agentctl.core.task import Tool
from agentctl.core.tiers import Tier
from agentctl.records import dataclass

Level = Literal["error", "warning"]
SENDERS = ("external", "irreversible")
OWN = "builtin:"
REMOTE = ("builtin:http_get", "mcp")
"""Uses that reach out, whatever their side effects."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a reviewer would reject."""

    tool: str
    entry: int
    """Which `[[tools]]` of the task it is about, counted from 0."""
    level: Level
    key: str
    """The key of the entry that it is about."""
    what: str
    fix: str
    """The line that mends it, and the file that it belongs in where that is not the task."""


def lint(tools: Sequence[Tool], contracts: Sequence[Contract], policy: Policy) -> list[Finding]:
    """Everything that is wrong, entry by entry; errors are what can do harm without anybody having been asked."""
    found: list[Finding] = []
    for number, tool in enumerate(tools):
        own = [contract for contract in contracts if belongs(contract, tool)]
        found += [each for contract in own for each in _findings(number, tool, contract, policy)]
        found += _silences(number, tool)
    return found + list(_duplicates(tools, contracts))


def belongs(contract: Contract, tool: Tool) -> bool:
    """Whether a contract was made from this entry: by its name, of an MCP server by the prefix."""
    if tool.use == "mcp":
        return contract.name.startswith(f"{tool.name}.")
    return contract.name == named(tool)


def named(tool: Tool) -> str:
    """What an entry is called where it may have no name of its own."""
    return tool.name or tool.use.rpartition(":")[2]


def _findings(number: int, tool: Tool, contract: Contract, policy: Policy) -> Iterator[Finding]:
    """What depends on the contract as the run sees it, under this policy."""
    name, effects = contract.name, contract.side_effects
    tier = risk.tier(policy.risk, contract).tier
    if effects in SENDERS and risk.check(policy.risk, contract) is None:
        what = f'side_effects = "{effects}", and it runs without asking: its tier is {tier.word}'
        yield Finding(name, number, "error", "side_effects", what, _gate(name, policy))
    limits = contract.max_calls_per_session or contract.max_calls_per_minute
    if limits is None and (effects in SENDERS or tool.use in REMOTE):
        what = "it reaches outside and may be called without limit"
        yield Finding(name, number, "warning", "max_calls_per_session", what, "max_calls_per_session = 3")
    if effects is None and contract.base_tier is None:
        what = f"nobody said what it changes, so its tier is {tier.word}"
        yield Finding(name, number, "warning", "side_effects", what, 'side_effects = "none"')
    repeats = tool.retry_policy not in {None, "none"}
    if repeats and not contract.idempotent and effects != "none":
        what = f'retry_policy = "{tool.retry_policy}", and doing it twice is not the same as once'
        yield Finding(name, number, "warning", "retry_policy", what, 'retry_policy = "none", or idempotent = true')


def _gate(name: str, policy: Policy) -> str:
    """The line of the policy that lets it ask."""
    if not policy.risk.enabled:
        return "in the policy: [risk] enabled = true"
    if policy.risk.auto_approve is Tier.HIGH:
        return 'in the policy: [risk] auto_approve = "low"'
    shown = name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
    return f'in the policy: [risk.tiers] {shown} = "high"'


def _silences(number: int, tool: Tool) -> Iterator[Finding]:
    """What the file does not say. Built-in tools are ours, and have no owner to ask."""
    if tool.use.startswith(OWN) and tool.use not in REMOTE:
        return
    name = named(tool)
    if tool.timeout_seconds is None:
        what = "no time of its own: the policy's results.timeout_s holds"
        yield Finding(name, number, "warning", "timeout_seconds", what, "timeout_seconds = 5")
    if not tool.owner and not tool.use.startswith(OWN):
        yield Finding(name, number, "warning", "owner", "nobody to ask when it breaks", 'owner = "team"')
    if (tool.untrusted, tool.private, tool.egress) == (None, None, None) and not tool.use.startswith(OWN):
        what = "nobody said whose its words are: it counts as untrusted, and as able to carry data out"
        yield Finding(name, number, "warning", "untrusted", what, "untrusted = false, or egress = false")


def _duplicates(tools: Sequence[Tool], contracts: Sequence[Contract]) -> Iterator[Finding]:
    """Two tools under one name on the wire, and one tool under two names."""
    first: dict[str, Contract] = {}
    for contract in contracts:
        known = first.setdefault(contract.wire, contract)
        if known is not contract:
            number = next((n for n, tool in reversed(list(enumerate(tools))) if belongs(contract, tool)), 0)
            what = f"{known.name} is called {contract.wire} too, as models see it"
            yield Finding(contract.name, number, "error", "name", what, 'name = "another"')
    seen: dict[object, str] = {}
    for number, tool in enumerate(tools):
        what_it_is = _definition(tool)
        known_as = seen.setdefault(what_it_is, named(tool))
        if known_as != named(tool):
            what = f"it runs what {known_as} runs, with the same parameters"
            yield Finding(named(tool), number, "warning", "command", what, "remove one of the two")


def _definition(tool: Tool) -> object:
    parameters = _frozen(tool.parameters)
    return (tool.use, tool.command, tool.url, parameters, tool.roots, tool.hosts)


def _frozen(value: object) -> str:
    """A schema as a value that can be compared and hashed."""
    return json.dumps(value, sort_keys=True)
