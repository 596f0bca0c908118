"""What a request has changed of the one before it: the first byte that differs, and whose it is.

Caches are keyed by the exact prefix. Kept of the last request are references to what its translation holds anyway, so
that comparing costs a look at each message and no copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest

from agentctl.core.messages import JsonObject, Outcome, Reply
from agentctl.models.wire import as_list, as_object, as_text, encode
from agentctl.records import dataclass

CLOSING = 2
"""Bytes that end a message (`]}` or `"}`): the last one may be gone on with, which changes nothing before them."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The parts of a request that caches look at, encoded. Cache markers are not among them."""

    head: tuple[bytes, ...] = ()
    """JSON objects that hold the tools and the system prompt."""
    messages: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Last:
    """The last request that was answered."""

    sent: Sent | None = None

    def compared(self, now: Sent, outcome: Outcome) -> Outcome:
        """The outcome; a reply is told what its request has changed of the last one's."""
        if not isinstance(outcome, Reply):
            return outcome
        before, self.sent = self.sent, now
        changed = "" if before is None else difference(before, now)
        return replace(outcome, changed=changed) if changed else outcome


def difference(before: Sent, now: Sent) -> str:
    """`first differing byte 1,204: tools: add`; empty where `now` only goes on."""
    if before.head != now.head:
        return first(named(before.head), named(now.head), 0)
    if goes_on(before.messages, now.messages):
        return ""
    at = sum(len(data) for _, data in named(now.head))
    return first(numbered(before.messages), numbered(now.messages), at)


def goes_on(before: tuple[bytes, ...], now: tuple[bytes, ...]) -> bool:
    """Whether nothing of what was sent has changed; the last message of before may have become longer."""
    last = len(before) - 1
    if last < 0:
        return True
    return last < len(now) and before[:last] == now[:last] and now[last].startswith(before[last][:-CLOSING])


def first(before: Iterable[tuple[str, bytes]], now: Iterable[tuple[str, bytes]], at: int) -> str:
    """The first difference between two lists of named pieces; `at` bytes stand before them."""
    olds, news = list(before), list(now)
    for old, new in zip_longest(olds, news):
        if old is None:
            break
        if new is None:
            return told(at, f"{old[0]} is gone")
        if old[1] == new[1]:
            at += len(new[1])
            continue
        same = common(old[1], new[1])
        gone = old[0] not in dict(news) and new[0] in dict(olds)
        return told(at + same, f"{old[0]} is gone" if gone else new[0])
    return ""


def told(at: int, whose: str) -> str:
    """The place in words; bytes count from 1, in the order in which the provider reads them."""
    return f"first differing byte {at + 1:,}: {whose}"


def common(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def numbered(messages: tuple[bytes, ...]) -> Iterator[tuple[str, bytes]]:
    """Messages by their number, from 1."""
    return ((f"message {number}", data) for number, data in enumerate(messages, 1))


def named(head: tuple[bytes, ...]) -> list[tuple[str, bytes]]:
    """Tools and system prompt, in the order in which providers read them."""
    objects = [as_object(json.loads(part)) for part in head]
    tools = [as_object(tool) for one in objects for tool in as_list(one.get("tools"))]
    system = [one.get(key) for one in objects for key in ("system", "instructions", "content") if key in one]
    return [
        *((f"tools: {called(tool)}", encode(tool)) for tool in tools),
        *(("system", encode(said)) for said in system),
    ]


def called(tool: JsonObject) -> str:
    """A tool's name as the model knows it."""
    return as_text(tool.get("name")) or as_text(as_object(tool.get("function")).get("name"))
