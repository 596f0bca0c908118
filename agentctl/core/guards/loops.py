"""The same call again and again: said so once, then stopped."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Literal

from agentctl.core import envelope
from agentctl.core.bounds import Count, table
from agentctl.core.envelope import Envelope
from agentctl.core.events import Stamped, ToolFinished
from agentctl.core.messages import is_list, is_object


@table
class Rules:
    """The policy's `[loops]`."""

    enabled: bool = True
    """False is printed at every start."""
    window: Count = 8
    """Tool calls that are looked back at. A32"""
    max_repeats: Count = 3
    """This identical call within the window is not run. A32, B22"""
    consecutive: Count = 2
    """This identical call in a row is not run. E16"""
    on_loop: Literal["reflect", "halt", "reflect_then_halt"] = "reflect_then_halt"
    """What a detected loop leads to. G2"""


REFLECTION = (
    "You've called the same tool with the same arguments multiple times. This approach isn't working. "
    "Try a different strategy or conclude with what you know."
)
CODE = "LOOP"
MOST_SEEN = 64
"""Calls that are remembered, whatever the window."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that was answered."""

    key: str
    retry_safe: bool
    effect: bool


@dataclass(frozen=True, slots=True)
class State:
    """The last calls, newest last, and the keys that the model was told about. Bound: MOST_SEEN each."""

    seen: tuple[Seen, ...] = ()
    reflected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    """This call would be the `count`th of its kind."""

    kind: Literal["consecutive", "window"]
    count: int
    window: int
    halt: bool


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event. A call that was refused as a repeat, or shares another's result, is none of its own."""
    match stamped.event:
        case ToolFinished(code=str(code), key=key) if code == CODE:
            return State(state.seen, (*state.reflected, key)[-MOST_SEEN:])
        case ToolFinished(final=True, shared_with="", key=key, retry_safe=safe, effect=effect):
            return State((*state.seen, Seen(key, safe, effect))[-MOST_SEEN:], state.reflected)
        case _:
            return state


def check(rules: Rules, state: State, key: str, *, pollable: bool) -> Repeat | None:
    """Whether the next call with this key is a repeat. G1, G2

    Not one: after a result that may be tried again, after a call in between that changed something, of a pollable tool.
    """
    if not rules.enabled or pollable:
        return None
    recent = _since_effect(state.seen[-(rules.window - 1) :] if rules.window > 1 else (), key)
    same = [seen for seen in recent if seen.key == key and not seen.retry_safe]
    count = 1 + len(same)
    in_row = 1 + _tail(recent, key)
    if in_row < rules.consecutive and count < rules.max_repeats:
        return None
    kind: Literal["consecutive", "window"] = "consecutive" if in_row >= rules.consecutive else "window"
    told = key in state.reflected
    halt = rules.on_loop == "halt" or (rules.on_loop == "reflect_then_halt" and told)
    return Repeat(kind, in_row if kind == "consecutive" else count, rules.window, halt)


def _since_effect(seen: tuple[Seen, ...], key: str) -> tuple[Seen, ...]:
    for index in range(len(seen) - 1, -1, -1):
        if seen[index].effect and seen[index].key != key:
            return seen[index + 1 :]
    return seen


def _tail(seen: tuple[Seen, ...], key: str) -> int:
    count = 0
    for one in reversed(seen):
        if one.key != key or one.retry_safe:
            break
        count += 1
    return count


def reflection() -> Envelope:
    """B25, B26: the reflection is the call's result."""
    return envelope.permanent(REFLECTION, code=CODE)


def canonical(value: object) -> object:
    """A value in which what means the same looks the same: key order, Unicode form, case, space, number form. H8

    Theory: two calls that differ only so are the same try. The result is for keys alone and never runs.
    """
    match value:
        case bool() | None:
            return value
        case int() | float():
            return _number(value)
        case str():
            return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
        case _ if is_list(value):
            return [canonical(item) for item in value]
        case _ if is_object(value):
            return {str(name): canonical(value[name]) for name in sorted(value, key=str)}
        case _:
            return repr(value)


def _number(value: float) -> object:
    if float(value).is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def canonical_bytes(tool: str, args: object) -> bytes:
    """What a call's key is made of."""
    return json.dumps([tool, canonical(args)], sort_keys=True, separators=(",", ":")).encode()
