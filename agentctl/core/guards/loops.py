"""The same call again and again: said so once, then stopped."""

from __future__ import annotations

from typing import Annotated, Literal

from agentctl.core import envelope
from agentctl.core.bounds import Bound, Count, table
from agentctl.core.envelope import Envelope
from agentctl.core.events import Completed, LoopKind, LoopSeen, ModelReplied, Stamped, ToolFinished
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[loops]`."""

    enabled: bool = True
    """False is printed at every start."""
    window: Annotated[int, Bound(gt=0, le=64)] = 8
    """Tool calls that are looked back at; also the longest cycle of calls that is found. A32"""
    max_repeats: Count = 3
    """This identical call within the window is not run, nor the call that begins this round of a cycle. A32, B22"""
    consecutive: Count = 2
    """This identical call in a row is not run. E16"""
    on_loop: Literal["reflect", "halt", "reflect_then_halt"] = "reflect_then_halt"
    """What a detected loop leads to. G2"""


REFLECTION = (
    "You've called the same tool with the same arguments multiple times. This approach isn't working. "
    "Try a different strategy or conclude with what you know."
)
CODE = "LOOP"
PUT_OFF = {"LIMIT", "CHECK_REQUIRED"}
"""Codes of calls that were not run for now: made again later, they are no repeat."""
LEAST_ROUNDS = 2
"""Whole rounds that make a cycle, however few repeats are allowed."""
MOST_SEEN = 130
"""Calls that are remembered: two rounds of the longest cycle, and the next."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that was answered."""

    key: str
    waits: bool = False
    """Its result may be tried again, or its tool is one that is polled."""
    effect: bool = False
    refused: bool = False
    """It was not run, as a repeat."""


@dataclass(frozen=True, slots=True)
class State:
    """The last calls, newest last, and the keys that the model was told about. Bound: MOST_SEEN each."""

    seen: tuple[Seen, ...] = ()
    reflected: tuple[str, ...] = ()
    unread: int = 0
    """The newest calls whose answers the model has not read yet."""
    halted: LoopSeen | None = None
    """What the run stops for."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """This call would be the `count`th of its kind."""

    kind: LoopKind
    count: int
    window: int
    halt: bool


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event. A call that shares another's result is none of its own; one refused as a repeat counts as none.

    A run that stopped for a loop begins anew when it is resumed: the model is told once again before it ends again.
    """
    match stamped.event:
        case ToolFinished(code=str(code), key=key) if code == CODE:
            told = (*state.reflected, key)[-MOST_SEEN:]
            return replace(_add(state, Seen(key, refused=True)), reflected=told)
        case ToolFinished(ran=False, code=code) if code in PUT_OFF:
            return state
        case ToolFinished(final=True, shared_with="", key=key, retry_safe=safe, effect=effect, pollable=pollable):
            return _add(state, Seen(key, safe or pollable, effect))
        case ModelReplied(purpose="answer"):
            return replace(state, unread=0) if state.unread else state
        case LoopSeen(halt=True, kind=kind) as seen if kind != "stall":
            return replace(state, halted=seen)
        case Completed(reason="loop"):
            return State(state.seen)
        case _:
            return state


def _add(state: State, seen: Seen) -> State:
    return replace(state, seen=(*state.seen, seen)[-MOST_SEEN:], unread=min(state.unread + 1, MOST_SEEN))


def check(rules: Rules, state: State, key: str, *, pollable: bool) -> Repeat | None:
    """Whether the next call with this key is a repeat. G1, G2

    Not one: after a result that may be tried again, after a call in between that changed something, of a pollable tool;
    beside a call of the same reply, whose result the model has not read.
    """
    if not rules.enabled or pollable:
        return None
    read = len(state.seen) - state.unread
    ran = tuple(seen for at, seen in enumerate(state.seen) if not seen.refused and (at < read or seen.key != key))
    recent = _since_effect(ran[-(rules.window - 1) :] if rules.window > 1 else (), key)
    count = 1 + sum(seen.key == key and not seen.waits for seen in recent)
    in_row = 1 + _tail(recent, key)
    told = key in state.reflected
    if in_row >= rules.consecutive:
        return Repeat("consecutive", in_row, rules.window, _halts(rules, told=told))
    if count >= rules.max_repeats:
        return Repeat("window", count, rules.window, _halts(rules, told=told))
    length = _cycle(rules, _since_effect(state.seen, key), key)
    if not length:
        return None
    span = state.seen[-length * _rounds(rules) : read]
    told = told or any(seen.refused for seen in span)
    return Repeat("cycle", _rounds(rules) + 1, length, _halts(rules, told=told))


def most_alike(rules: Rules, state: State) -> int:
    """How many of the last calls are the same, of the kind that is made most: the gauge of a loop."""
    recent = [seen.key for seen in state.seen[-rules.window :] if not seen.waits]
    return max((recent.count(key) for key in recent), default=0)


def refuses(rules: Rules, state: State) -> bool:
    """Whether one of the last calls was refused as a repeat."""
    return any(seen.refused for seen in state.seen[-rules.window :])


def _halts(rules: Rules, *, told: bool) -> bool:
    return rules.on_loop == "halt" or (rules.on_loop == "reflect_then_halt" and told)


def _rounds(rules: Rules) -> int:
    """Whole rounds after which the next one is not begun."""
    return max(rules.max_repeats - 1, LEAST_ROUNDS)


def _cycle(rules: Rules, seen: tuple[Seen, ...], key: str) -> int:
    """The length of the cycle that a call with this key would begin another round of; 0: it is in none."""
    for length in range(2, rules.window + 1):
        size = length * _rounds(rules)
        if size > len(seen):
            return 0
        if seen[-length].key != key:
            continue
        span = seen[-size:]
        same = all(one.key == next_.key for one, next_ in zip(span, span[length:], strict=False))
        if same and not any(one.waits for one in span):
            return length
    return 0


def _since_effect(seen: tuple[Seen, ...], key: str) -> tuple[Seen, ...]:
    for index in range(len(seen) - 1, -1, -1):
        if seen[index].effect and seen[index].key != key:
            return seen[index + 1 :]
    return seen


def _tail(seen: tuple[Seen, ...], key: str) -> int:
    count = 0
    for one in reversed(seen):
        if one.key != key or one.waits:
            break
        count += 1
    return count


def sentence(seen: LoopSeen) -> str:
    """Why the run stops, for people. A39"""
    if seen.kind == "cycle":
        why = f"the same {seen.window} calls came again and again, {seen.tool} among them"
    else:
        why = f"{seen.tool} was called {seen.count} times with the same arguments"
    return f"Could not complete: {why}. Please try a more specific query."


def reflection() -> Envelope:
    """B25, B26: the reflection is the call's result."""
    return envelope.permanent(REFLECTION, code=CODE)
