"""Anthropic's Messages API: our words to its wire and back. Knows no SDK.

Cache markers: after the system prompt (else after the last tool), at the end of the last user turn, at the end of the
one before it, where the last request's entry ends, and one between these two if they lie more than 20 blocks apart. A
marker never changes what stands beside it, so the prefix stays what it was.

Anthropic itself is also asked to say why its cache could not be read: it compares with the reply that is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentctl.core.messages import Block, Delta, JsonObject, Message, Request, Text, ToolAnswer, ToolSchema, ToolUse
from agentctl.core.policy import Provider
from agentctl.models.base import CacheTtl, is_own
from agentctl.models.messages_reading import MessagesReading
from agentctl.models.prefix import Sent
from agentctl.models.wire import NO_TEXT, Backlog, Kept, encode, join
from agentctl.records import dataclass

LOOK_BACK = 20
"""Blocks that the API looks back from a marker for an entry of its cache."""
MARKABLE = {"text", "tool_use", "tool_result"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the wire; neighbours of one role are one turn."""

    role: str
    blocks: tuple[JsonObject, ...]


def write(turn: Turn) -> bytes:
    """A turn as JSON; it ends with `}]}`, which markers rely on."""
    return encode({"role": turn.role, "content": turn.blocks})


class Messages:
    """Translates the requests of one run for one provider."""

    path = "/v1/messages"

    def __init__(self, provider: Provider, cache_ttl: CacheTtl) -> None:
        self._provider = provider
        self._backlog = Backlog(self._add, write)
        self._head = Kept()
        self._marker: JsonObject = {"type": "ephemeral"}
        if cache_ttl == "1h":
            self._marker["ttl"] = cache_ttl
        self._marks = cache_ttl != "off"
        self.diagnoses = self._marks and is_own(provider)
        self._answered: str | None = None
        """The id of the last reply."""
        self._tail = b',"cache_control":' + encode(self._marker) + b"}]}"

    def body(self, request: Request) -> bytes:
        """The body of a streamed request."""
        self._backlog.sync(request.history)
        params: JsonObject = {
            "model": self._provider.model,
            "max_tokens": request.max_output_tokens,
            "stream": True,
        }
        if self._provider.effort:
            params["output_config"] = {"effort": self._provider.effort}
        if request.tools:
            params["tool_choice"] = {"type": "auto" if request.use_tools else "none"}
        if self.diagnoses:
            params["diagnostics"] = {"previous_message_id": self._answered}
        head = self._head.get((request.system, request.tools), lambda: self._prefix(request.system, request.tools))
        return join([encode(params), head], "messages", self._marked_lines())

    def sent(self) -> Sent:
        """What caches look at of the last body."""
        return Sent((self._head.line,), tuple(self._backlog.lines))

    def reading(self, body: bytes, on_delta: Callable[[Delta], None]) -> MessagesReading:
        """Where the events of the reply go."""
        return MessagesReading(self._provider.model, len(body), on_delta, self._replied)

    def _replied(self, ident: str) -> None:
        self._answered = ident or None

    def _prefix(self, system: str, tools: tuple[ToolSchema, ...]) -> JsonObject:
        made: JsonObject = {}
        if tools:
            schemas = [schema(tool) for tool in tools]
            if self._marks and not system:
                schemas[-1]["cache_control"] = self._marker
            made["tools"] = schemas
        if system:
            block: JsonObject = {"type": "text", "text": system}
            made["system"] = [block | {"cache_control": self._marker} if self._marks else block]
        return made

    def _add(self, turns: list[Turn], message: Message) -> None:
        if message.role == "user":
            blocks = answers_first(message.blocks)
        elif message.maker == self._provider.identity and message.raw:
            blocks = echoed(message) or said(message.blocks)
        else:
            blocks = said(message.blocks)
        if turns and turns[-1].role == message.role:
            turns[-1] = Turn(message.role, (*turns[-1].blocks, *blocks))
        else:
            turns.append(Turn(message.role, blocks))

    def _marked_lines(self) -> list[bytes]:
        lines = self._backlog.lines
        if not self._marks:
            return lines
        lines = lines.copy()
        turns = self._backlog.items
        marked: dict[int, set[int]] = {}
        for at, block in spots(turns):
            marked.setdefault(at, set()).add(block)
        for at, blocks in marked.items():
            turn = turns[at]
            if blocks == {len(turn.blocks) - 1}:
                lines[at] = lines[at][:-3] + self._tail
            else:
                lines[at] = write(Turn(turn.role, tuple(self._mark(turn.blocks, blocks))))
        return lines

    def _mark(self, blocks: tuple[JsonObject, ...], places: set[int]) -> Iterator[JsonObject]:
        for place, block in enumerate(blocks):
            yield block | {"cache_control": self._marker} if place in places else block


def spots(turns: list[Turn]) -> list[tuple[int, int]]:
    """Where markers go, as (turn, block): the two last user turns' ends, and one on the way where it is long."""
    users = [at for at in reversed(range(len(turns))) if turns[at].role == "user"][:2]
    ends = [(at, len(turns[at].blocks) - 1) for at in users]
    if len(ends) < 2:
        return ends
    last, before = ends
    way = [(at, block) for at in range(before[0] + 1, last[0] + 1) for block in range(len(turns[at].blocks))]
    if len(way) > LOOK_BACK:
        near = way[-LOOK_BACK:-1]
        ends += [spot for spot in near if turns[spot[0]].blocks[spot[1]]["type"] in MARKABLE][:1]
    return ends


def schema(tool: ToolSchema) -> JsonObject:
    """A tool as the API is told of it."""
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    }


def answers_first(blocks: tuple[Block, ...]) -> tuple[JsonObject, ...]:
    """A user's blocks: answers to tool calls must come before words."""
    answers: list[JsonObject] = []
    words: list[JsonObject] = []
    for block in blocks:
        if isinstance(block, ToolAnswer):
            answer: JsonObject = {
                "type": "tool_result",
                "tool_use_id": block.wire_id,
                "content": block.text or NO_TEXT,
            }
            answers.append(answer | {"is_error": True} if block.is_error else answer)
        elif isinstance(block, Text) and block.text.strip():
            words.append({"type": "text", "text": block.text})
    return (*answers, *words) or ({"type": "text", "text": NO_TEXT},)


def said(blocks: tuple[Block, ...]) -> tuple[JsonObject, ...]:
    """An assistant's blocks, in words that any maker can read."""
    made: list[JsonObject] = []
    for block in blocks:
        if isinstance(block, Text) and block.text.strip():
            made.append({"type": "text", "text": block.text})
        elif isinstance(block, ToolUse):
            made.append(
                {
                    "type": "tool_use",
                    "id": block.wire_id,
                    "name": block.name,
                    "input": block.args or {},
                }
            )
    return tuple(made) or ({"type": "text", "text": NO_TEXT},)


def echoed(message: Message) -> tuple[JsonObject, ...]:
    """The maker's own items, with the ids that the answers refer to; nothing if they no longer tell the same calls."""
    uses = [block for block in message.blocks if isinstance(block, ToolUse)]
    ids = iter([use.wire_id for use in uses])
    if sum(item.get("type") == "tool_use" for item in message.raw) != len(uses):
        return ()
    return tuple(item | {"id": next(ids)} if item.get("type") == "tool_use" else item for item in message.raw)
