"""What a rehearsal plays: the tables of a rehearsal script, as frozen values."""

import re
from dataclasses import field
from typing import ClassVar, Literal, TypeAlias

from agentctl.records import dataclass

Stop: TypeAlias = Literal["end_turn", "max_tokens", "refusal", "context_exceeded", "tool_use"]

FaultKind: TypeAlias = Literal[
    "status",
    "hang",
    "reset",
    "truncate",
    "garbage",
    "slow",
    "stall",
    "error_event",
    "empty",
    "bad_json",
    "bad_args",
    "wrong_shape",
    "absurd_usage",
    "context_exceeded",
]

_STRICT: dict[str, object] = {"extra": "forbid", "strict": False}

_RANGE = re.compile(r"([1-9][0-9]*)(?:(-)([1-9][0-9]*)?)?")


def parse_range(text: str) -> tuple[int, int | None]:
    """Return the first and last request of "3", "1-5" or "6-" (no last one: `None`).

    Raises:
        ValueError: the text is none of the three, counts from 0, or runs backwards.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        msg = f'{text!r} is no range of requests: write "3", "1-5" or "6-", counted from 1'
        raise ValueError(msg)
    first = int(match[1])
    if match[2] is None:
        return first, first
    last = None if match[3] is None else int(match[3])
    if last is not None and last < first:
        msg = f"{text!r} is no range of requests: it ends before it begins"
        raise ValueError(msg)
    return first, last


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call that the model makes."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    tool: str
    """Name of the tool, as it stands in the request; it need not exist there."""

    args: dict[str, object] = field(default_factory=dict[str, object])
    """The arguments, sent as they are."""


@dataclass(frozen=True, slots=True)
class ScriptUsage:
    """What a reply says that it cost. A figure left out is counted from the bytes."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    input: int | None = None
    """Uncached prompt, in tokens. OpenAI formats report it with the two cache figures added."""

    output: int | None = None
    """Answer, calls and thinking, in tokens."""

    cache_read: int = 0
    """Prompt read from the cache, in tokens; used with `input` only."""

    cache_write: int = 0
    """Prompt written to the cache, in tokens; used with `input` only."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the model."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    text: str = ""
    """What it says."""

    calls: tuple[Call, ...] = ()
    """The tools that it calls, side by side."""

    usage: ScriptUsage | None = None
    """What it cost; left out, it is counted from the bytes and the cache model."""

    thinking: str = ""
    """What it thinks first, signed over the exact prefix of the request."""

    stop: Stop | None = None
    """Why it stops; left out, `tool_use` with calls and `end_turn` without."""

    delay_s: float = 0.0
    """Silence before the first byte, in seconds."""

    provider: str | None = None
    """The provider that this reply waits for; left out, whoever is asked."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave, and when."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: FaultKind
    """What happens.

    Before the model speaks: `status` an HTTP error, `hang` not one byte, `garbage` a 200 that is
    HTML, `empty` a 200 of nothing, `wrong_shape` valid JSON that is no reply, `context_exceeded`
    the provider's own "prompt is too long".
    Halfway: `reset` the connection is torn down, `truncate` it ends cleanly and too early, `stall`
    it falls silent, `error_event` an error inside the stream, `bad_json` an event cut in two.
    In a reply that counts as played: `slow` one chunk every `delay_s`, `bad_args` tool arguments
    that are not JSON, `absurd_usage` figures that can't be.
    """

    provider: str | None = None
    """The provider that it befalls; left out, all of them."""

    requests: str = "1-"
    """Which model requests to a provider, counted from 1 for each: "3", "1-5" or "6-"."""

    status: int = 529
    """HTTP status of `status`; for `error_event` the status that the error would have had."""

    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Headers added to the response of `status`, such as `retry-after`."""

    code: str = ""
    """Error code in the body of `status` and `error_event`; left out, the usual one."""

    message: str = ""
    """Error message in the body; left out, the usual one."""

    delay_s: float = 0.05
    """Pause between two chunks of `slow`, in seconds."""

    usage: Literal["negative", "huge", "null", "hollow", "missing"] = "negative"
    """What `absurd_usage` reports: `null` in its place, or `hollow` (every figure null)."""

    def __post_init__(self) -> None:
        """Refuse a range that says nothing."""
        parse_range(self.requests)


@dataclass(frozen=True, slots=True)
class Person:
    """What a person answers where none can be asked."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    tool: str
    """Name of the tool that asks."""

    answer: Literal["y", "n", "s"]
    """`y` once, `n` no, `s` stop the run."""

    why: str = ""
    """The reason that goes with the answer."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool with side effects answers instead of running."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    tool: str
    """Name of the tool."""

    result: object = None
    """Its result, as JSON."""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole rehearsal script."""

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    version: Literal[1] = 1
    """Version of the format."""

    reply: tuple[Reply, ...] = ()
    """Played in order, one per model call that succeeds; the last repeats."""

    fault: tuple[Fault, ...] = ()
    """The first that matches a request befalls it."""

    person: tuple[Person, ...] = ()
    """Answers to approvals."""

    tool: tuple[ToolAnswer, ...] = ()
    """Answers of tools with side effects."""
