"""A tool's arguments are checked before the tool runs; the model is told what was wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from agentctl.core import envelope
from agentctl.core.bounds import table
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import Json, JsonObject, is_list, is_object


@table
class Rules:
    """The policy's `[args]`."""

    enabled: bool = True
    """False is printed at every start."""
    strict: bool = True
    """No coercion, no extra keys. A05, C60"""
    error_format: Literal["structured", "throw"] = "structured"
    """Tell the model, or fail the run (15). C69"""


DEEPEST: Final = 64
"""Levels of arguments: deeper ones could neither be scrubbed nor shown to a person in full."""


def deeper(value: Json, levels: int) -> bool:
    """Whether it is nested deeper than so many levels."""
    at = [value]
    for _ in range(levels):
        at = [each for inner in at for each in _inside(inner)]
        if not at:
            return False
    return any(is_list(inner) or is_object(inner) for inner in at)


def _inside(value: Json) -> Iterable[Json]:
    if is_object(value):
        return value.values()
    return value if is_list(value) else ()


def check(rules: Rules, contract: Contract, args: JsonObject | None, garbled: str) -> Envelope | None:
    """The answer to arguments that do not fit, or None. The tool has not run. A03, A04"""
    if args is None:
        shown = garbled[:80]
        hint = "Send one JSON object. Ensure arguments match the tool schema."
        return envelope.bad_arguments(f"not a JSON object: {shown}", hint)
    if deeper(args, DEEPEST):
        return envelope.bad_arguments(f"nested more than {DEEPEST} levels deep", "Send flatter arguments.")
    if not rules.enabled:
        return None
    problem = contract.check(args)
    return None if problem is None else envelope.bad_arguments(problem.problem, problem.hint)
