"""Replies of Anthropic's Messages API: its events to our words. Knows no SDK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace

from agentctl.core.messages import (
    Block,
    Delta,
    Failure,
    Json,
    JsonObject,
    Outcome,
    Reply,
    StopReason,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from agentctl.models.faults import Broken, malformed, refused
from agentctl.models.wire import Ink, arguments, as_object, as_text, count, encode, guess, need_object, need_text, whole
from agentctl.records import dataclass

STOPS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_exceeded",
    "pause_turn": "pause",
}
PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


@dataclass(slots=True)
class Part:
    """A content block as it streams in."""

    start: JsonObject
    inks: dict[str, Ink] = field(default_factory=dict[str, Ink])

    @property
    def kind(self) -> str:
        """Its type."""
        return as_text(self.start.get("type"))

    def take(self, key: str, piece: str) -> None:
        """Take a delta."""
        self.inks.setdefault(key, Ink()).add(piece)

    def text(self, key: str) -> str:
        """What it began with and all that followed."""
        ink = self.inks.get(key)
        return whole(as_text(self.start.get(key))) + (ink.text() if ink else "")

    def call(self) -> ToolUse:
        """The tool call that this is."""
        if "partial_json" in self.inks:
            args, garbled = arguments(self.inks["partial_json"].text())
        else:
            # A start that holds all of the input already: some servers do not stream it.
            held = self.start.get("input")
            args, garbled = arguments(encode(held).decode() if held else "")
        name = whole(need_text(self.start.get("name"), "a tool call's name"))
        return ToolUse("", need_text(self.start.get("id"), "a tool call's id"), name, args, garbled)

    def item(self) -> JsonObject:
        """The block as it must be echoed."""
        made = {key: value for key, value in self.start.items() if key != "citations"}
        for key in self.inks.keys() & {"text", "thinking", "signature"}:
            made[key] = self.text(key)
        if "partial_json" in self.inks:
            made["input"] = arguments(self.inks["partial_json"].text())[0] or {}
        return made


class MessagesReading:
    """The reply, event by event."""

    def __init__(
        self, model: str, sent: int, on_delta: Callable[[Delta], None], on_reply: Callable[[str], None]
    ) -> None:
        """`on_reply` is told the id of a reply that came in whole."""
        self.done = False
        self._ident = ""
        """The message's id."""
        self._diagnosis = ""
        self._model = model
        self._sent = sent
        self._on_delta = on_delta
        self._on_reply = on_reply
        self._parts: dict[int, Part] = {}
        self._usage: JsonObject = {}
        self._begun = False
        self._stop: str | None = None
        self._refusal = ""
        self._streamed = 0
        self._told = False

    def feed(self, event: Json) -> None:
        """Take one event."""
        event = need_object(event, "an event")
        match event.get("type"):
            case "message_start":
                message = need_object(event.get("message"), "message_start")
                self._begun = True
                self._model = as_text(message.get("model")) or self._model
                self._ident = as_text(message.get("id"))
                self._diagnosis = diagnosed(message)
                self._merge_usage(message.get("usage"))
            case "content_block_start":
                self._start(event)
            case "content_block_delta":
                self._delta(event)
            case "message_delta":
                self._end(event)
            case "message_stop":
                self.done = True
            case "error":
                error = as_object(event.get("error"))
                kind, text = error.get("type"), error.get("message")
                raise Broken(refused(200, kind=kind, message=text))
            case _:
                pass  # pings, content_block_stop, and whatever is added tomorrow

    def _start(self, event: JsonObject) -> None:
        part = Part(need_object(event.get("content_block"), "a content block"))
        self._parts[self._index(event)] = part
        if part.kind == "tool_use":
            self._on_delta(Delta("tool", whole(as_text(part.start.get("name")))))

    def _delta(self, event: JsonObject) -> None:
        delta = need_object(event.get("delta"), "a delta")
        part = self._parts.get(self._index(event))
        if part is None:
            raise malformed("a delta of a block that never began")
        key = PIECES.get(as_text(delta.get("type")))
        if key is None:
            return
        piece = need_text(delta.get(key), key)
        part.take(key, piece)
        self._streamed += len(piece)
        if key == "text":
            self._on_delta(Delta("text", whole(piece)))
        elif key == "thinking":
            self._on_delta(Delta("thinking", whole(piece)))

    def _end(self, event: JsonObject) -> None:
        delta = need_object(event.get("delta"), "message_delta")
        self._stop = as_text(delta.get("stop_reason")) or self._stop
        details = as_object(delta.get("stop_details"))
        told = as_text(details.get("explanation")) or as_text(details.get("category"))
        self._refusal = whole(told) or self._refusal
        self._merge_usage(event.get("usage"))
        self._told = as_object(event.get("usage")).get("output_tokens") is not None

    def _merge_usage(self, usage: Json) -> None:
        if usage is not None:
            held = need_object(usage, "usage")
            self._usage |= {key: value for key, value in held.items() if value is not None}

    def _index(self, event: JsonObject) -> int:
        index = event.get("index")
        if type(index) is not int:
            raise malformed("a block without an index")
        return index

    def outcome(self) -> Outcome:
        """What it came to, once the stream has ended cleanly."""
        if not self._begun:
            raise malformed("no event of the Messages API in it")
        if not self.done or self._stop is None:
            raise Broken(Failure("truncated", "the reply broke off before its end"))
        parts = [self._parts[index] for index in sorted(self._parts)]
        blocks = tuple(block for part in parts for block in spoken(part))
        calls = any(isinstance(block, ToolUse) for block in blocks)
        stop = STOPS.get(self._stop, "end_turn")
        if stop in {"tool_use", "end_turn"}:
            stop = "tool_use" if calls else "end_turn"
        plain = all(part.kind in {"text", "tool_use"} for part in parts)
        raw = () if plain else tuple(part.item() for part in parts if not blank(part))
        refusal = self._refusal if stop == "refusal" else ""
        reply = Reply(blocks, raw, self._billed(), stop, self._model, refusal, self._diagnosis)
        self._on_reply(self._ident)
        return reply

    def partial(self, most: int) -> Usage | None:
        """What was billed at the most; None where the stream never said how large the prompt was.

        The output is told at the end alone. What came before it says little: thinking is streamed in part or not at
        all, and more may have been generated than arrived.
        """
        if count(self._usage.get("input_tokens"), "input_tokens") is None:
            return None
        usage = self._billed()
        return usage if self._told else replace(usage, output=max(usage.output, most))

    def _billed(self) -> Usage:
        told = {key: count(self._usage.get(key), key) for key in COUNTED}
        spans = as_object(self._usage.get("cache_creation"))
        hour = count(spans.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens") or 0
        five = count(spans.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens") or 0
        written = max(told["cache_creation_input_tokens"] or 0, hour + five)
        given, output = told["input_tokens"], told["output_tokens"]
        return Usage(
            guess(self._sent) if given is None else given,
            guess(self._streamed) if output is None else output,
            told["cache_read_input_tokens"] or 0,
            written - hour,
            hour,
        )


COUNTED = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def diagnosed(message: JsonObject) -> str:
    """Why the cache could not be read; nothing where the API compared and found no reason, or could not compare."""
    reason = as_object(as_object(message.get("diagnostics")).get("cache_miss_reason"))
    kind = as_text(reason.get("type"))
    return kind if kind.endswith("_changed") else ""


def blank(part: Part) -> bool:
    """A text block without text, which the API sends and then refuses to be sent."""
    return part.kind == "text" and not part.text("text").strip()


def spoken(part: Part) -> list[Block]:
    """What a block says in our words; nothing where only its maker can read it."""
    match part.kind:
        case "text":
            text = part.text("text")
            return [Text(text)] if text else []
        case "thinking":
            text = part.text("thinking")
            return [Thinking(text)] if text else []
        case "tool_use":
            return [part.call()]
        case _:
            return []
