"""The values that pass between the server, the checks and the wire formats."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, Protocol, TypeAlias

from agentctl.records import dataclass
from agentctl.rehearsal.prefix import Piece
from agentctl.rehearsal.script import Stop

Json: TypeAlias = dict[str, object]
Parts: TypeAlias = tuple[bytes, ...]

MANY: Final = 1_000_000
"""As many calls as the script likes."""

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_halves = re.compile("[\ud800-\udfff]")


def encode(value: object) -> str:
    """JSON without spaces. Half of a surrogate pair, which UTF-8 has no place for, is escaped as providers do."""
    text = _encoder.encode(value)
    return text if text.isascii() else _halves.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


class RefusedError(Exception):
    """The request is one that the real provider refuses."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        """Say what is wrong, as the provider words it."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """What a valid request asks for, apart from its prompt."""

    model: str
    """Model name, echoed in the reply."""

    stream: bool = False
    """Server-sent events, or one JSON object."""

    calls: int = MANY
    """How many tool calls the reply may hold."""

    thinking: Literal["full", "omitted", "off"] = "full"
    """Whether thinking is shown, hidden behind its signature, or not done."""

    sealed: bool = False
    """The prompt holds thinking whose signature must be looked at."""

    drop_changed: bool = False
    """Thinking whose prefix has changed is dropped instead of refused."""

    marked: bool = False
    """The prompt holds cache markers."""

    implicit: bool = True
    """OpenAI ends an entry where the prompt ends, also without a breakpoint there."""

    prewarm: bool = False
    """Only the cache is to be filled."""

    usage_chunk: bool = False
    """A chat stream ends with its usage."""

    cache_config: str = ""
    """What else the cached messages depend on, such as the tool choice."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a reply costs, in tokens."""

    fresh: int = 0
    """Prompt that the cache had no part in."""

    read: int = 0
    """Prompt read from the cache."""

    write_5m: int = 0
    """Prompt written to the cache for five minutes, or for the provider's only lifetime."""

    write_1h: int = 0
    """Prompt written to the cache for an hour."""

    output: int = 0
    """Text, calls and thinking."""

    thought: int = 0
    """The part of `output` that is thinking."""

    @property
    def prompt(self) -> int:
        """The whole prompt."""
        return self.fresh + self.read + self.write_5m + self.write_1h


@dataclass(frozen=True, slots=True)
class Called:
    """One tool call, ready to be sent."""

    name: str
    """Name of the tool."""

    args: object
    """The arguments as a value; text where they are not JSON."""

    text: str
    """The arguments as JSON, or what is left of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """One reply, ready to be put into a wire format."""

    ident: str
    """Hexadecimal, unique to this reply; every id in it is built from it."""

    text: str
    """What the model says."""

    calls: tuple[Called, ...]
    """What it calls."""

    stop: Stop
    """Why it stops."""

    figures: Figures
    """What it costs."""

    thinking: str = ""
    """What it thinks, as far as it is shown."""

    signature: str = ""
    """Binds the thinking to its prefix; empty: there is no thinking."""

    absurd: str = ""
    """How the usage is to be bent."""

    diagnostics: Json | None = None
    """Why the cache could not be read; `None` where that was not asked for, or nothing changed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response, in the pieces that it is sent in."""

    status: int
    """HTTP status; 0 sends nothing at all until the client leaves."""

    parts: Parts
    """The body. One event each for a stream."""

    content_type: str = "application/json"
    """Its media type."""

    headers: tuple[tuple[str, str], ...] = ()
    """Further headers."""

    pause_s: float = 0.0
    """Pause before every part but the first, in seconds."""

    end: Literal["done", "reset", "stall"] = "done"
    """What follows the last part."""


class Wire(Protocol):
    """What each wire format offers. Its modules have this shape."""

    def check(self, body: Json, headers: Mapping[str, str]) -> Asked:
        """Refuse what the real one refuses."""
        ...

    def pieces(self, body: Json) -> Iterator[Piece]:
        """Cut the prompt into the pieces that caches and signatures see."""
        ...

    def whole(self, said: Said, asked: Asked, body: Json) -> bytes:
        """Put a reply into one JSON object."""
        ...

    def events(self, said: Said, asked: Asked, body: Json) -> Parts:
        """Put a reply into a stream of events."""
        ...

    def error(self, refused: RefusedError, request_id: str) -> bytes:
        """Put an error into a response body."""
        ...

    def error_event(self, refused: RefusedError) -> bytes:
        """Put an error into a stream that has begun."""
        ...

    def too_long(self, tokens: int, limit: int) -> RefusedError:
        """Refuse a prompt that is larger than the window."""
        ...


def bent(usage: Json, how: str) -> Json | None:
    """Make a usage object absurd. `None` stands for null; `how` "" changes nothing."""
    if how == "null":
        return None
    changed: dict[str, object] = {"negative": -7, "huge": 10**15, "hollow": None}
    if how not in changed:
        return usage
    value = changed[how]
    return {
        key: _bent_figure(old, value) if (inner := as_object(old)) is None else bent(inner, how)
        for key, old in usage.items()
    }


def _bent_figure(old: object, value: object) -> object:
    return value if isinstance(old, int) and not isinstance(old, bool) else old


def as_object(value: object) -> Json | None:
    """Return the value if it is a JSON object."""
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def as_list(value: object) -> list[object] | None:
    """Return the value if it is a JSON array."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType]


def thirds(text: str) -> list[str]:
    """Cut a text into up to three deltas."""
    size = max(1, -(-len(text) // 3))
    return [text[start : start + size] for start in range(0, len(text), size)]
