"""What was said, in the conventions' JSON: told under `include_content` alone, as scrubbed as the journal has it."""

from __future__ import annotations

import json

from agentctl.core import events as e
from agentctl.core.messages import Json, JsonObject
from agentctl.telemetry.span import Attributes
from agentctl.telemetry.words import FINISH

MOST = 16_384
"""Characters of one text; what is longer ends in an ellipsis."""


def cut(text: str) -> str:
    """At most so much of a text."""
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def text(value: Json) -> str:
    """A value as JSON, or the beginning of it."""
    return cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def system(words: str) -> str:
    """The system prompt."""
    return json.dumps([_part(words)], ensure_ascii=False)


def user(words: str) -> JsonObject:
    """A message of the user's side."""
    return {"role": "user", "parts": [_part(words)]}


def answered(wire_id: str, finished: e.ToolFinished) -> JsonObject:
    """A tool's answer, as the model is given it."""
    part: JsonObject = {"type": "tool_call_response", "id": wire_id, "result": text(finished.result)}
    return {"role": "tool", "parts": [part]}


def asked(messages: list[JsonObject]) -> Attributes:
    """What is new in a request: what stood in the one before stands on its span, and would be sent over and over."""
    return {"gen_ai.input.messages": json.dumps(messages, ensure_ascii=False)} if messages else {}


def replied(reply: e.ModelReplied, thoughts: list[str]) -> Attributes:
    """What the model said, thought and asked for."""
    parts: list[JsonObject] = [{"type": "reasoning", "content": cut(each)} for each in thoughts]
    if reply.text:
        parts.append(_part(reply.text))
    parts += [
        {"type": "tool_call", "id": call.wire_id, "name": call.tool, "arguments": _bounded(call.args)}
        for call in reply.calls
    ]
    why = FINISH.get(reply.stop_reason, reply.stop_reason)
    message = {"role": "assistant", "parts": parts, "finish_reason": why}
    return {"gen_ai.output.messages": json.dumps([message], ensure_ascii=False)}


def _part(words: str) -> JsonObject:
    return {"type": "text", "content": cut(words)}


def _bounded(value: Json) -> Json:
    shown = text(value)
    return value if len(shown) < MOST else shown
