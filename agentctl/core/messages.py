"""A conversation in words that no provider owns.

Adapters translate these to their own wire and back; nothing of an SDK crosses. An assistant message keeps `raw`, the
exact items that its maker sent, where they hold something that must be echoed unchanged (thinking, reasoning,
signatures).
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal, NewType, TypeAlias, TypeGuard

from agentctl.records import dataclass

Json: TypeAlias = object
"""None, bool, int, float, str, or a list or dict of them: what JSON can say. Narrowed before use."""
JsonObject: TypeAlias = dict[str, Json]


Scrubbed = NewType("Scrubbed", str)
"""A text that went through a run's filter: what results and reports ask for, so that no other text gets there."""


def is_object(value: Json) -> TypeGuard[JsonObject]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeGuard[list[Json]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


Role = Literal["user", "assistant"]
StopReason = Literal["end_turn", "tool_use", "max_tokens", "refusal", "context_exceeded", "pause"]
FailureKind = Literal[
    "rate_limit", "overloaded", "server", "timeout", "connection", "truncated", "malformed",
    "quota", "auth", "invalid", "context",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the model thought, as far as it may be shown. Never sent back from here: `Message.raw` is."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the model asked for.

    `args` is None where the arguments were no JSON object; `garbled` then holds what came instead.
    """

    call_id: str
    """Ours, unique in the run: `c<step>.<index>`."""
    wire_id: str
    """The provider's, unique in the conversation, of letters, digits, `_` and `-`."""
    name: str
    """The wire name (`fs__read_file`)."""
    args: JsonObject | None
    garbled: str = ""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool call came to: the envelope of the contract, as JSON text."""

    call_id: str
    wire_id: str
    text: str
    is_error: bool


Block: TypeAlias = Text | Thinking | ToolUse | ToolAnswer


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of one side. All answers to the calls of one reply stand in one user message, in call order."""

    role: Role
    blocks: tuple[Block, ...]
    maker: str = ""
    """Who wrote an assistant message: `Provider.identity`. Only the same maker is sent `raw`."""
    raw: tuple[JsonObject, ...] = ()
    """The maker's own items, to be echoed as they are; empty where `blocks` say it all."""


@dataclass(slots=True)
class History:
    """The messages of a run, in order, and an epoch that changes whenever what stood already was rewritten.

    Adapters keep their translation of it and translate only what is new, unless the epoch moved.
    """

    messages: list[Message] = field(default_factory=list[Message])
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """What the model is told of a tool."""

    name: str
    """The wire name: `^[a-zA-Z0-9_-]{1,64}$`."""
    description: str
    parameters: JsonObject
    """JSON Schema of an object."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, each counted once."""

    input: int = 0
    """Neither read from nor written to a cache."""
    output: int = 0
    """Thinking included."""
    cache_read: int = 0
    cache_write: int = 0
    """Written for five minutes, or for whatever the provider's default is."""
    cache_write_1h: int = 0

    @property
    def prompt(self) -> int:
        """The size of the whole prompt."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h

    @property
    def counted(self) -> int:
        """What counts against limits in tokens: all but what a cache answered for."""
        return self.input + self.cache_write + self.cache_write_1h + self.output


@dataclass(frozen=True, slots=True)
class Request:
    """One model call, ready to be translated."""

    system: str
    tools: tuple[ToolSchema, ...]
    history: History
    max_output_tokens: int
    use_tools: bool = True
    """False: the same tools are in the request, tool choice `none` (landing)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A model call that succeeded. `ToolUse.call_id` is still empty: the recorder gives it."""

    blocks: tuple[Block, ...]
    raw: tuple[JsonObject, ...]
    """Filled only where something must be echoed unchanged."""
    usage: Usage
    stop: StopReason
    model: str
    """The model that answered, in the provider's words."""
    refusal: str = ""
    """Why it would not, where the provider says."""
    diagnosis: str = ""
    """Why the provider's cache could not be read, in the provider's word (`tools_changed`); empty: it says nothing."""
    changed: str = ""
    """The first byte that the request changed of the one before it to this provider, and whose it is."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A model call that failed, in the provider's words made one line."""

    kind: FailureKind
    message: str
    status: int | None = None
    retry_after_s: float | None = None
    """What the provider asked for; never negative, NaN or infinite."""
    usage: Usage | None = None
    """What was billed as far as the stream told; None: unknown."""
    sent: bool = True
    """False: the request never left, so nothing can have been billed."""
    refused: bool = False
    """HTTP itself said no: nothing was generated, so nothing is billed."""


Outcome: TypeAlias = Reply | Failure


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply as it streams in: for eyes only, never journalled."""

    kind: Literal["text", "thinking", "tool"]
    text: str
