"""OpenAI's Responses API: our words to its wire and back. Knows no SDK.

Nothing is stored at the provider: the whole history goes along each time, reasoning as the encrypted items it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
from agentctl.models.wire import (
    NO_TEXT,
    Backlog,
    Kept,
    arguments,
    as_list,
    as_object,
    as_text,
    count,
    encode,
    guess,
    join,
    need_object,
    need_text,
    whole,
)

LEAST_OUTPUT = 16
"""The API refuses less; the budget's own least is far above it."""
THOUGHTS = {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}
ENDS = {"response.completed", "response.incomplete", "response.failed"}


class Responses:
    """Translates the requests of one run for one provider."""

    path = "/responses"

    def __init__(self, provider: Provider, tag: str, cache_ttl: CacheTtl = "5m") -> None:
        self._provider = provider
        self._own = is_own(provider)
        self._tag = tag
        self._options = options(provider, cache_ttl)
        self._backlog: Backlog[JsonObject] = Backlog(self._add, encode)
        self._head = Kept()
        self._system = Kept()
        self._first: tuple[bytes, ...] = ()
        """The system prompt as the first item, where it ends with a breakpoint."""

    def body(self, request: Request) -> bytes:
        """The body of a streamed request."""
        self._backlog.sync(request.history)
        params: JsonObject = {
            "model": self._provider.model,
            "max_output_tokens": max(request.max_output_tokens, LEAST_OUTPUT),
            "stream": True,
            "store": False,
        }
        if self._provider.effort:
            params["reasoning"] = {"effort": self._provider.effort}
        if self._own:
            params["include"] = ["reasoning.encrypted_content"]
            if self._tag:
                params["prompt_cache_key"] = self._tag
        if self._options:
            params["prompt_cache_options"] = self._options
        if request.tools:
            params["tool_choice"] = "auto" if request.use_tools else "none"
        marked = request.system if self._options == OPTIONS else ""
        system = "" if marked else request.system
        head = self._head.get((system, request.tools), lambda: prefix(system, request.tools))
        lines = self._backlog.lines
        self._first = (self._system.get(marked, lambda: marked_system(marked)),) if marked else ()
        return join([encode(params), head], "input", [*self._first, *lines] if self._first else lines)

    def sent(self) -> Sent:
        """What caches look at of the last body."""
        return Sent((self._head.line, *self._first), tuple(self._backlog.lines))

    def reading(self, body: bytes, on_delta: Callable[[Delta], None]) -> ResponsesReading:
        """Where the events of the reply go."""
        return ResponsesReading(self._provider.model, len(body), on_delta)

    def _add(self, items: list[JsonObject], message: Message) -> None:
        if message.role == "user":
            items.extend(told(message.blocks))
        elif message.maker == self._provider.identity and message.raw:
            items.extend(echoed(message) or said(message.blocks))
        else:
            items.extend(said(message.blocks))


def prefix(system: str, tools: tuple[ToolSchema, ...]) -> JsonObject:
    """What never changes within a run."""
    made: JsonObject = {}
    if system:
        made["instructions"] = system
    if tools:
        made["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in tools
        ]
    return made


def marked_system(text: str) -> JsonObject:
    """The system prompt as a message that ends with a breakpoint: `instructions` have no place for one."""
    part: JsonObject = {"type": "input_text", "text": text, "prompt_cache_breakpoint": BREAKPOINT}
    return {"role": "developer", "content": [part]}


def told(blocks: tuple[Block, ...]) -> list[JsonObject]:
    """A user's blocks: answers to calls first, then words."""
    answers: list[JsonObject] = [
        {"type": "function_call_output", "call_id": block.wire_id, "output": block.text or NO_TEXT}
        for block in blocks
        if isinstance(block, ToolAnswer)
    ]
    words: list[JsonObject] = [
        {"role": "user", "content": block.text} for block in blocks if isinstance(block, Text) and block.text.strip()
    ]
    return [*answers, *words] or [{"role": "user", "content": NO_TEXT}]


def said(blocks: tuple[Block, ...]) -> list[JsonObject]:
    """An assistant's blocks, in words that any maker can read."""
    items: list[JsonObject] = []
    for block in blocks:
        if isinstance(block, Text) and block.text.strip():
            items.append({"role": "assistant", "content": block.text})
        elif isinstance(block, ToolUse):
            items.append(
                {
                    "type": "function_call",
                    "call_id": block.wire_id,
                    "name": block.name,
                    "arguments": encode(block.args or {}).decode(),
                }
            )
    return items or [{"role": "assistant", "content": NO_TEXT}]


def echoed(message: Message) -> list[JsonObject]:
    """The maker's own items, with the ids that the answers refer to; nothing if they no longer tell the same calls."""
    uses = [block for block in message.blocks if isinstance(block, ToolUse)]
    if sum(item.get("type") == "function_call" for item in message.raw) != len(uses):
        return []
    left = iter(uses)
    return [repaired(item, next(left)) if item.get("type") == "function_call" else item for item in message.raw]


def repaired(item: JsonObject, use: ToolUse) -> JsonObject:
    """A call as it came, unless its id was repaired or its arguments are no JSON."""
    changed: JsonObject = {}
    if item.get("call_id") != use.wire_id:
        changed["call_id"] = use.wire_id
    if use.args is None:
        changed["arguments"] = "{}"
    return item | changed if changed else item


class ResponsesReading:
    """The reply, event by event."""

    def __init__(self, model: str, sent: int, on_delta: Callable[[Delta], None]) -> None:
        self.done = False
        self._model = model
        self._sent = sent
        self._on_delta = on_delta
        self._items: dict[int, JsonObject] = {}
        self._begun = False
        self._final: JsonObject = {}

    def feed(self, event: Json) -> None:
        """Take one event."""
        event = need_object(event, "an event")
        kind = as_text(event.get("type"))
        if kind == "response.output_text.delta":
            self._show("text", event)
        elif kind in THOUGHTS:
            self._show("thinking", event)
        elif kind == "response.output_item.added":
            item = need_object(event.get("item"), "an output item")
            if item.get("type") == "function_call":
                self._on_delta(Delta("tool", whole(as_text(item.get("name")))))
        elif kind == "response.output_item.done":
            index = event.get("output_index")
            place = index if type(index) is int else len(self._items)
            self._items[place] = need_object(event.get("item"), "an output item")
        elif kind in ENDS:
            self._final = need_object(event.get("response"), kind)
            self.done = True
        elif kind == "error":
            nested = as_object(event.get("error")) or event
            code, text = nested.get("code"), nested.get("message")
            raise Broken(refused(200, code=code, kind=nested.get("type"), message=text))
        self._begun = self._begun or kind.startswith("response.")

    def _show(self, kind: str, event: JsonObject) -> None:
        piece = whole(need_text(event.get("delta"), "a delta"))
        self._on_delta(Delta("text" if kind == "text" else "thinking", piece))

    def outcome(self) -> Outcome:
        """What it came to, once the stream has ended cleanly."""
        if not self._begun:
            raise malformed("no event of the Responses API in it")
        if not self.done:
            raise Broken(Failure("truncated", "the reply broke off before its end"))
        if self._final.get("status") in {"failed", "cancelled"}:
            error = as_object(self._final.get("error"))
            raise Broken(refused(200, code=error.get("code"), message=error.get("message")))
        items = [self._items[place] for place in sorted(self._items)] or [
            need_object(item, "an output item") for item in as_list(self._final.get("output"))
        ]
        blocks = tuple(block for item in items for block in spoken(item))
        refusal = "\n".join(text for item in items for text in refusals(item))
        raw = tuple(items) if any(must_be_echoed(item) for item in items) else ()
        model = as_text(self._final.get("model")) or self._model
        return Reply(blocks, raw, self._billed(items), self._stop(blocks, refusal), model, refusal)

    def _stop(self, blocks: tuple[Block, ...], refusal: str) -> StopReason:
        reason = as_object(self._final.get("incomplete_details")).get("reason")
        if self._final.get("status") == "incomplete" and reason == "max_output_tokens":
            return "max_tokens"
        if refusal or reason == "content_filter":
            return "refusal"
        return "tool_use" if any(isinstance(block, ToolUse) for block in blocks) else "end_turn"

    def partial(self, most: int) -> Usage | None:
        """Nothing is told before the end; a failed reply may tell then."""
        usage = as_object(self._final.get("usage"))
        if type(usage.get("input_tokens")) is not int:
            return None
        return self._billed([]) if type(usage.get("output_tokens")) is int else replace(self._billed([]), output=most)

    def _billed(self, items: list[JsonObject]) -> Usage:
        usage = self._final.get("usage")
        held = {} if usage is None else need_object(usage, "usage")
        return total_usage(
            held.get("input_tokens"),
            held.get("output_tokens"),
            as_object(held.get("input_tokens_details")),
            guesses=(guess(self._sent), guess(len(encode(items)))),
        )


def total_usage(prompt: Json, output: Json, details: JsonObject, *, guesses: tuple[int, int]) -> Usage:
    """Usage of an API whose prompt tokens include those of the cache; guesses stand in where it says nothing."""
    whole_prompt = count(prompt, "input tokens")
    read = count(details.get("cached_tokens"), "cached_tokens") or 0
    written = count(details.get("cache_write_tokens"), "cache_write_tokens") or 0
    if whole_prompt is None:
        whole_prompt = max(guesses[0], read + written)
    if read + written > whole_prompt:
        raise malformed(f"usage: {read + written} cached tokens of {whole_prompt}")
    given = count(output, "output tokens")
    left = whole_prompt - read - written
    return Usage(left, guesses[1] if given is None else given, read, written)


def spoken(item: JsonObject) -> list[Block]:
    """What an output item says in our words; nothing where only its maker can read it."""
    match item.get("type"):
        case "message":
            parts = [as_object(part) for part in as_list(item.get("content"))]
            texts = [need_text(p.get("text"), "text") for p in parts if p.get("type") == "output_text"]
            return [Text(whole(text)) for text in texts if text]
        case "reasoning":
            summary = [*as_list(item.get("summary")), *as_list(item.get("content"))]
            texts = [as_text(as_object(part).get("text")) for part in summary]
            return [Thinking(whole(text)) for text in texts if text]
        case "function_call":
            args, garbled = arguments(need_text(item.get("arguments"), "arguments"))
            name = whole(need_text(item.get("name"), "a tool call's name"))
            wire_id = need_text(item.get("call_id"), "a tool call's id")
            return [ToolUse("", wire_id, name, args, garbled)]
        case _:
            return []


def refusals(item: JsonObject) -> list[str]:
    """Why the model would not."""
    parts = [as_object(part) for part in as_list(item.get("content"))]
    return [whole(as_text(part.get("refusal"))) for part in parts if part.get("type") == "refusal"]


def must_be_echoed(item: JsonObject) -> bool:
    """Whether our words lose something of it: reasoning, a message's phase, kinds that we do not know."""
    kind = item.get("type")
    return kind not in {"message", "function_call"} or bool(item.get("phase"))
