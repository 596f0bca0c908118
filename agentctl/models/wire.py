"""What the three translations share: a list that grows with the history, and JSON that nobody vouches for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import field
from itertools import islice
from typing import Generic, TypeVar, cast

from agentctl.core.messages import History, Json, JsonObject, Message
from agentctl.models.faults import malformed
from agentctl.records import dataclass

NO_TEXT = "(no text)"
"""Stands where a message has nothing to say: every API refuses empty content."""
LONGEST_GARBLED = 2_000
LONGEST_REPLY = 32 * 1024 * 1024
LONGEST_NUMBER = 300
MOST_TOKENS = 1_000_000_000
BYTES_PER_TOKEN = 4
"""For replies without usage (compatible servers): a guess, so that they are not free."""

Item = TypeVar("Item")
compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode(value: Json) -> bytes:
    """JSON as bytes; half a character (a lone surrogate) becomes `?`, since UTF-8 has no place for it."""
    return compact.encode(value).encode("utf-8", "replace")


class Backlog(Generic[Item]):
    """The wire form of a history: each message is translated and encoded once, as long as its epoch lasts."""

    def __init__(self, add: Callable[[list[Item], Message], None], write: Callable[[Item], bytes]) -> None:
        """`add` appends a message's items, or puts a longer one in the place of the last."""
        self.items: list[Item] = []
        self.lines: list[bytes] = []
        self._add = add
        self._write = write
        self._epoch = -1
        self._seen = 0
        self._ends: tuple[Message, Message] | None = None

    def sync(self, history: History) -> None:
        """Translate what is new; all of it when what stood there was rewritten."""
        messages = history.messages
        if not self._holds(history):
            self.items.clear()
            self.lines.clear()
            self._seen = 0
        for message in islice(messages, self._seen, None):
            self._translate(message)
        self._epoch = history.epoch
        self._seen = len(messages)
        self._ends = (messages[0], messages[-1]) if messages else None

    def _holds(self, history: History) -> bool:
        """The epoch alone would do, if no two histories ever shared a number."""
        if history.epoch != self._epoch or len(history.messages) < self._seen:
            return False
        if self._ends is None:
            return self._seen == 0
        return self._ends == (history.messages[0], history.messages[self._seen - 1])

    def _translate(self, message: Message) -> None:
        last = self.items[-1] if self.items else None
        size = len(self.items)
        self._add(self.items, message)
        if last is not None and self.items[size - 1] is not last:
            self.lines[-1] = self._write(self.items[size - 1])
        self.lines.extend(self._write(item) for item in islice(self.items, size, None))


@dataclass(slots=True)
class Kept:
    """The encoding of what hardly ever changes between requests, made again when it did."""

    of: object = None
    line: bytes = b""

    def get(self, of: object, make: Callable[[], JsonObject]) -> bytes:
        """The encoding of `make()`, unless `of` is what it was."""
        if self.of is None or self.of != of:
            self.of, self.line = of, encode(make())
        return self.line


def join(parts: list[bytes], key: str, lines: list[bytes]) -> bytes:
    """One JSON object of some encoded ones and a list under `key` at its end."""
    inner = [part[1:-1] for part in parts if part != b"{}"]
    return b"".join((b"{", b",".join(inner), b',"%b":[' % key.encode(), b",".join(lines), b"]}"))


@dataclass(slots=True)
class Ink:
    """Text as it streams in."""

    pieces: list[str] = field(default_factory=list[str])
    size: int = 0

    def add(self, piece: str) -> None:
        """Take another piece; a reply without end is no reply."""
        self.pieces.append(piece)
        self.size += len(piece)
        if self.size > LONGEST_REPLY:
            raise malformed(f"longer than {LONGEST_REPLY:,} characters")

    def text(self) -> str:
        """All of it."""
        return whole("".join(self.pieces))


def whole(text: str) -> str:
    """Text that can be written anywhere: halves of a character are joined, or replaced where one is alone."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def arguments(text: str) -> tuple[JsonObject | None, str]:
    """The arguments of a tool call, or None and what came instead.

    Only what every reader understands the same way passes: no key twice, no NaN, no number beyond a double's range, no
    half characters. Guards look at arguments; a tool must not see others than they did.
    """
    if not text.strip():
        return {}, ""
    try:
        value = cast(
            "object",
            json.loads(
                text,
                object_pairs_hook=unique,
                parse_constant=no_constant,
                parse_float=finite,
                parse_int=short,
            ),
        )
        compact.encode(value).encode()
    except (ValueError, RecursionError):
        return None, whole(text[:LONGEST_GARBLED])
    if not isinstance(value, dict):
        return None, whole(text[:LONGEST_GARBLED])
    return cast("JsonObject", value), ""


def unique(pairs: list[tuple[str, Json]]) -> JsonObject:
    """An object, unless a key stands in it twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def no_constant(name: str) -> Json:
    """NaN and the infinities are not JSON."""
    raise ValueError(name)


def finite(text: str) -> float:
    """A number with a point or an exponent, unless it is beyond a double."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond all bounds")
    return value


def short(text: str) -> int:
    """A whole number of a length that others can read."""
    if len(text) > LONGEST_NUMBER:
        raise ValueError("a number beyond all bounds")
    return int(text)


def as_object(value: Json) -> JsonObject:
    """The object, or an empty one."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The list, or an empty one."""
    return cast("list[Json]", value) if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """The text, or none."""
    return value if isinstance(value, str) else ""


def need_object(value: Json, what: str) -> JsonObject:
    """The object that the API promises here."""
    if not isinstance(value, dict):
        raise malformed(f"{what} is no object")
    return cast("JsonObject", value)


def need_list(value: Json, what: str) -> list[Json]:
    """The list that the API promises here; null is an empty one."""
    if value is not None and not isinstance(value, list):
        raise malformed(f"{what} is no list")
    return as_list(cast("Json", value))


def need_text(value: Json, what: str) -> str:
    """The text that the API promises here; null is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{what} is no text")
    return value


def count(value: Json, what: str) -> int | None:
    """Tokens as a provider counts them; None where it does not say. Absurd counts are not taken for money."""
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        raise malformed(f"usage: {what} is {str(value)[:40]}")
    return value


def guess(size: int) -> int:
    """Tokens of so many bytes, where nobody counted; never none."""
    return max(1, -(-size // BYTES_PER_TOKEN))
