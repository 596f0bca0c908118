"""From a `[[tools]]` entry to a contract: every silence filled in, the definition's digest taken."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

from agentctl import errors
from agentctl.core.contract import Contract
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Policy
from agentctl.core.task import Recovery, RetryPolicy, SideEffects, Tool
from agentctl.core.tiers import Tier
from agentctl.tools.schema import checker

DIGITS = 32
WIRE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NOTHING: JsonObject = {"type": "object", "properties": {}}
"""The parameters of a tool that takes none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Labels:
    """What a tool's words are, what it reads, what it can carry out."""

    untrusted: bool
    private: bool
    egress: bool


SUSPECT = Labels(untrusted=True, private=False, egress=True)
"""A tool whose labels nobody gave."""
LOCAL = Labels(untrusted=False, private=True, egress=False)
"""A tool that only reads the user's own files."""


def contract_of(
    entry: Tool,
    policy: Policy,
    *,
    base_tier: Tier | None = None,
    side_effects: SideEffects | None = None,
    labels: Labels | None = None,
) -> Contract:
    """The contract of an entry; the keywords are what is known of a built-in beforehand."""
    effects = entry.side_effects or side_effects
    parameters = {"type": "object", **(entry.parameters or NOTHING)}
    if parameters["type"] != "object":
        raise errors.Invalid(f"tool '{entry.name}': parameters must be of type object")
    found = _labels(entry, labels)
    return Contract(
        name=entry.name,
        wire=wire_name(entry.name),
        description=entry.description,
        parameters=parameters,
        timeout_s=entry.timeout_seconds or policy.results.timeout_s,
        retry_policy=_retry_policy(entry, effects),
        idempotent=entry.idempotent,
        side_effects=effects,
        recovery=_recovery(entry, effects),
        digest=digest(entry),
        check=checker(parameters, strict=policy.args.strict),
        base_tier=base_tier,
        owner=entry.owner,
        auth_scope=entry.auth_scope,
        logs=entry.logs,
        max_calls_per_session=entry.max_calls_per_session,
        max_calls_per_minute=entry.max_calls_per_minute,
        pollable=entry.pollable,
        untrusted=found.untrusted,
        private=found.private,
        egress=found.egress,
        sort_by=entry.sort_by,
        fallback_tool=entry.fallback_tool,
        requires_check=entry.requires_check,
        verify=entry.verify,
    )


def wire_name(name: str) -> str:
    """The name that every provider accepts: `fs.read_file` as `fs__read_file`."""
    wire = name.replace(".", "__")
    if not WIRE.fullmatch(wire):
        raise errors.Invalid(
            f"tool name '{name}': 1 to 64 of letters, digits, `_`, `-` and `.` are allowed (a `.` counts twice)"
        )
    return wire


def digest(entry: Tool) -> str:
    """Who this tool is: another name, definition, command or promise gives another digest.

    Only what was said counts, so that a key which a later version knows changes no tool of today.
    """
    silent = dataclasses.asdict(Tool())
    said = {key: value for key, value in dataclasses.asdict(entry).items() if value != silent[key]}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGITS]


def _labels(entry: Tool, known: Labels | None) -> Labels:
    given = (entry.untrusted, entry.private, entry.egress)
    if known is None and given == (None, None, None):
        return SUSPECT
    rest = known or Labels(untrusted=False, private=False, egress=False)
    return Labels(
        untrusted=rest.untrusted if entry.untrusted is None else entry.untrusted,
        private=rest.private if entry.private is None else entry.private,
        egress=rest.egress if entry.egress is None else entry.egress,
    )


def _retry_policy(entry: Tool, effects: SideEffects | None) -> RetryPolicy:
    if entry.retry_policy is not None:
        return entry.retry_policy
    return "exponential_backoff" if entry.idempotent or effects == "none" else "none"


def _recovery(entry: Tool, effects: SideEffects | None) -> Recovery:
    if entry.recovery is not None:
        return entry.recovery
    if effects == "none":
        return "rerun"
    return "same_key" if entry.idempotent else "ask"
