"""Chat Completions: what every compatible server speaks. Knows no SDK.

Sent is the common denominator; only OpenAI itself is told what only it understands. Thinking is never echoed: this API
has no place for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field, replace

from agentctl.core.messages import (
    Block,
    Delta,
    Failure,
    Json,
    JsonObject,
    Message,
    Outcome,
    Reply,
    Request,
    StopReason,
    Text,
    Thinking,
    ToolAnswer,
    ToolSchema,
    ToolUse,
    Usage,
)
from agentctl.core.policy import Provider
from agentctl.models.base import CacheTtl, is_own
from agentctl.models.caching import BREAKPOINT, OPTIONS, options
from agentctl.models.faults import Broken, malformed, refused
from agentctl.models.prefix import Sent
from agentctl.models.responses import total_usage
from agentctl.models.wire import (
    NO_TEXT,
    Backlog,
    Ink,
    Kept,
    arguments,
    as_object,
    as_text,
    encode,
    guess,
    join,
    need_list,
    need_object,
    need_text,
    whole,
)
from agentctl.records import dataclass

newer = re.compile(r"(.*/)?(gpt-[5-9]|o\d)")
"""OpenAI's models since o1 refuse `max_tokens`, also behind a proxy; other servers may know nothing else."""
STOPS: dict[str, StopReason] = {"length": "max_tokens", "content_filter": "refusal"}


class Chat:
    """Translates the requests of one run for one provider."""

    path = "/chat/completions"

    def __init__(self, provider: Provider, tag: str, cache_ttl: CacheTtl = "5m") -> None:
        self._provider = provider
        self._own = is_own(provider)
        self._limit = "max_completion_tokens" if self._own or newer.match(provider.model) else "max_tokens"
        self._tag = tag
        self._options = options(provider, cache_ttl)
        self._backlog: Backlog[JsonObject] = Backlog(add, encode)
        self._tools = Kept()
        self._system = Kept()
        self._first: tuple[bytes, ...] = ()
        """The system prompt, where there is one."""

    def body(self, request: Request) -> bytes:
        """The body of a streamed request."""
        self._backlog.sync(request.history)
        params: JsonObject = {
            "model": self._provider.model,
            self._limit: request.max_output_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._own:
            params["store"] = False
            if self._tag:
                params["prompt_cache_key"] = self._tag
        if self._options:
            params["prompt_cache_options"] = self._options
        if self._provider.effort:
            params["reasoning_effort"] = self._provider.effort
        if request.tools:
            params["tool_choice"] = "auto" if request.use_tools else "none"
        tools = self._tools.get(request.tools, lambda: schemas(request.tools))
        system, marked = request.system, self._options == OPTIONS
        self._first = (self._system.get(system, lambda: said_first(system, marked=marked)),) if system else ()
        return join([encode(params), tools], "messages", [*self._first, *self._backlog.lines])

    def sent(self) -> Sent:
        """What caches look at of the last body."""
        return Sent((self._tools.line, *self._first), tuple(self._backlog.lines))

    def reading(self, body: bytes, on_delta: Callable[[Delta], None]) -> ChatReading:
        """Where the chunks of the reply go."""
        return ChatReading(self._provider.model, len(body), on_delta)


def said_first(system: str, *, marked: bool) -> JsonObject:
    """The system prompt as a message; marked, it ends with a breakpoint."""
    part: JsonObject = {"type": "text", "text": system, "prompt_cache_breakpoint": BREAKPOINT}
    return {"role": "system", "content": [part] if marked else system}


def schemas(tools: tuple[ToolSchema, ...]) -> JsonObject:
    """The tools as the API is told of them."""
    made: list[JsonObject] = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            },
        }
        for tool in tools
    ]
    return {"tools": made} if made else {}


def add(items: list[JsonObject], message: Message) -> None:
    """Append a message: a tool answer is one of its own, and what a user says twice in a row is said at once."""
    if message.role == "assistant":
        items.append(said(message.blocks))
        return
    for block in message.blocks:
        if isinstance(block, ToolAnswer):
            text = block.text or NO_TEXT
            items.append({"role": "tool", "tool_call_id": block.wire_id, "content": text})
    texts = [b.text for b in message.blocks if isinstance(b, Text) and b.text.strip()]
    if not texts and any(isinstance(block, ToolAnswer) for block in message.blocks):
        return
    words = "\n\n".join(texts) or NO_TEXT
    if items and items[-1]["role"] == "user":
        items[-1] = {"role": "user", "content": f"{items[-1]['content']}\n\n{words}"}
    else:
        items.append({"role": "user", "content": words})


def said(blocks: tuple[Block, ...]) -> JsonObject:
    """An assistant's message."""
    text = "\n\n".join(b.text for b in blocks if isinstance(b, Text) and b.text.strip())
    calls: list[JsonObject] = [
        {
            "id": block.wire_id,
            "type": "function",
            "function": {"name": block.name, "arguments": encode(block.args or {}).decode()},
        }
        for block in blocks
        if isinstance(block, ToolUse)
    ]
    if not calls:
        return {"role": "assistant", "content": text or NO_TEXT}
    return {"role": "assistant", "content": text or None, "tool_calls": calls}


@dataclass(slots=True)
class Call:
    """A tool call as it streams in."""

    wire_id: str = ""
    name: str = ""
    ink: Ink = field(default_factory=Ink)

    def block(self) -> ToolUse:
        """The call in our words."""
        args, garbled = arguments(self.ink.text())
        return ToolUse("", self.wire_id, whole(self.name), args, garbled)


class ChatReading:
    """The reply, chunk by chunk."""

    def __init__(self, model: str, sent: int, on_delta: Callable[[Delta], None]) -> None:
        self.done = False
        self._model = model
        self._sent = sent
        self._on_delta = on_delta
        self._text = Ink()
        self._thinking = Ink()
        self._refusal = Ink()
        self._calls: dict[int, Call] = {}
        self._finish = ""
        self._usage: JsonObject | None = None
        self._begun = False

    def feed(self, event: Json) -> None:
        """Take one chunk."""
        chunk = need_object(event, "a chunk")
        if chunk.get("error") or chunk.get("object") == "error":
            error = as_object(chunk.get("error")) or chunk
            code, text = error.get("code"), error.get("message")
            raise Broken(refused(200, code=code, kind=error.get("type"), message=text))
        self._model = as_text(chunk.get("model")) or self._model
        if chunk.get("usage") is not None:
            self._usage = need_object(chunk.get("usage"), "usage")
        choices = need_list(chunk.get("choices"), "choices")
        self._begun = self._begun or "choices" in chunk
        for choice in choices[:1]:
            self._choice(need_object(choice, "a choice"))
        self.done = bool(self._finish) and self._usage is not None

    def _choice(self, choice: JsonObject) -> None:
        delta = choice.get("delta")
        held = {} if delta is None else need_object(delta, "a delta")
        if text := need_text(held.get("content"), "content"):
            self._text.add(text)
            self._on_delta(Delta("text", whole(text)))
        # Not OpenAI's: what compatible servers call a model's thinking.
        if thought := as_text(held.get("reasoning_content")) or as_text(held.get("reasoning")):
            self._thinking.add(thought)
            self._on_delta(Delta("thinking", whole(thought)))
        self._refusal.add(need_text(held.get("refusal"), "refusal"))
        for call in need_list(held.get("tool_calls"), "tool_calls"):
            self._call(need_object(call, "a tool call"))
        self._finish = need_text(choice.get("finish_reason"), "finish_reason") or self._finish

    def _call(self, piece: JsonObject) -> None:
        function = need_object(piece.get("function") or {}, "a tool call's function")
        wire_id = need_text(piece.get("id"), "a tool call's id")
        name = need_text(function.get("name"), "a tool call's name")
        call = self._which(piece.get("index"), wire_id, name)
        call.wire_id = call.wire_id or wire_id
        if name and not call.name:
            call.name = name
            self._on_delta(Delta("tool", whole(name)))
        given = function.get("arguments")
        # Some servers send the arguments as the object that they are text of.
        held = as_object(given)
        text = encode(held).decode() if held else need_text(given or None, "arguments")
        call.ink.add(text)

    def _which(self, index: Json, wire_id: str, name: str) -> Call:
        """The call that a piece belongs to. Some servers count no index, others call every call the first."""
        last = max(self._calls, default=-1)
        if type(index) is not int or index < 0:
            index = last if not name else last + 1
        held = self._calls.get(index)
        if held and name and wire_id and held.wire_id and wire_id != held.wire_id:
            index = last + 1
        return self._calls.setdefault(max(index, 0), Call())

    def outcome(self) -> Outcome:
        """What it came to, once the stream has ended cleanly."""
        if not self._begun:
            raise malformed("no chunk of a chat completion in it")
        if not self._finish:
            raise Broken(Failure("truncated", "the reply broke off before its end"))
        calls = [self._calls[index].block() for index in sorted(self._calls)]
        thinking, text, refusal = self._thinking.text(), self._text.text(), self._refusal.text()
        blocks: tuple[Block, ...] = (
            *([Thinking(thinking)] if thinking else []),
            *([Text(text)] if text else []),
            *calls,
        )
        stop = STOPS.get(self._finish)
        if stop is None:
            stop = "refusal" if refusal else "tool_use" if calls else "end_turn"
        return Reply(blocks, (), self._billed(), stop, self._model, refusal)

    def partial(self, most: int) -> Usage | None:
        """What was billed at the most, if the stream came to tell it; some servers tell with every chunk so far."""
        usage = self._usage or {}
        if type(usage.get("prompt_tokens")) is not int:
            return None
        told = self.done and type(usage.get("completion_tokens")) is int
        return self._billed() if told else replace(self._billed(), output=most)

    def _billed(self) -> Usage:
        usage = self._usage or {}
        streamed = self._text.size + self._thinking.size + self._refusal.size
        streamed += sum(call.ink.size for call in self._calls.values())
        return total_usage(
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            as_object(usage.get("prompt_tokens_details")),
            guesses=(guess(self._sent), guess(streamed)),
        )
