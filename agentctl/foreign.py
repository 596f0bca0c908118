"""Code that is not ours, in this process: users' functions and annotations, plugins, SDKs on what strangers send them.

It raises anything, and none of that may end a run or a command. What it raised is a value here, so that its callers
say what becomes of it, and cannot forget to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from agentctl.records import dataclass

T = TypeVar("T")
Exits: TypeAlias = tuple[type[BaseException], ...]
"""What else is an error of the foreign code, and not somebody's wish to end the program."""
EXITS: Exits = (SystemExit, KeyboardInterrupt, GeneratorExit)


@dataclass(frozen=True, slots=True)
class Raised:
    """What it raised."""

    error: BaseException


def outcome(work: Callable[[], T], exits: Exits = ()) -> T | Raised:
    """What it returned, or what it raised."""
    caught: Exits = (Exception, *exits)  # foreign code raises anything
    try:
        return work()
    except caught as error:
        return Raised(error)


async def awaited(work: Awaitable[T], exits: Exits = ()) -> T | Raised:
    """The same of a coroutine. Being cancelled is no outcome: that passes."""
    caught: Exits = (Exception, *exits)
    try:
        return await work
    except caught as error:
        return Raised(error)
