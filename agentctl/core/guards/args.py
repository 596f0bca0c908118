"""A tool's arguments are checked before the tool runs; the model is told what was wrong."""

from __future__ import annotations

from typing import Literal

from agentctl.core import envelope
from agentctl.core.bounds import table
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject


@table
class Rules:
    """The policy's `[args]`."""

    enabled: bool = True
    """False is printed at every start."""
    strict: bool = True
    """No coercion, no extra keys. A05, C60"""
    error_format: Literal["structured", "throw"] = "structured"
    """Tell the model, or fail the run (15). C69"""


def check(rules: Rules, contract: Contract, args: JsonObject | None, garbled: str) -> Envelope | None:
    """The answer to arguments that do not fit, or None. The tool has not run. A03, A04"""
    if args is None:
        shown = garbled[:80]
        hint = "Send one JSON object. Ensure arguments match the tool schema."
        return envelope.bad_arguments(f"not a JSON object: {shown}", hint)
    if not rules.enabled:
        return None
    problem = contract.check(args)
    return None if problem is None else envelope.bad_arguments(problem.problem, problem.hint)
