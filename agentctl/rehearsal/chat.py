"""The Chat Completions wire format: prompts in, replies, streams and errors out."""

import time
from collections.abc import Iterator

from agentctl.rehearsal.chat_checks import check
from agentctl.rehearsal.exchange import (
    Asked,
    Figures,
    Json,
    Parts,
    RefusedError,
    Said,
    as_list,
    as_object,
    bent,
    encode,
    thirds,
)
from agentctl.rehearsal.openai_errors import error_body
from agentctl.rehearsal.prefix import Piece
from agentctl.rehearsal.responses import ttl

__all__ = ["check", "error", "error_event", "events", "pieces", "too_long", "whole"]

FINISHES = {"max_tokens": "length", "context_exceeded": "length", "tool_use": "tool_calls"}
NO_CHOICES: list[object] = []
DONE = b"data: [DONE]\n\n"


def pieces(body: Json) -> Iterator[Piece]:
    """Cut the prompt into tools and messages, in the order they render in."""
    for tool in as_list(body.get("tools")) or []:
        yield Piece(encode(tool).encode(), "head")
    for message in map(as_object, as_list(body.get("messages")) or []):
        yield Piece(encode(message).encode(), "messages", ttl((message or {}).get("content")))


def whole(said: Said, asked: Asked, body: Json) -> bytes:  # noqa: ARG001 - every format's shape
    """Put a reply into one completion."""
    refused = said.stop == "refusal"
    message: Json = {
        "role": "assistant",
        "content": None if refused else said.text or None,
        "refusal": said.text if refused else None,
        "annotations": [],
    }
    if said.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(said, at),
                "type": "function",
                "function": {"name": call.name, "arguments": call.text},
            }
            for at, call in enumerate(said.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    completion = _envelope(said, asked, "chat.completion") | {"choices": [choice]}
    if said.absurd != "missing":
        completion["usage"] = bent(_usage(said.figures), said.absurd)
    return encode(completion).encode()


def events(said: Said, asked: Asked, body: Json) -> Parts:  # noqa: ARG001 - every format's shape
    """Put a reply into the chunks of a stream."""
    envelope = _envelope(said, asked, "chat.completion.chunk")
    if asked.usage_chunk:
        envelope["usage"] = None

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(envelope | {"choices": [choice]})

    sent = [chunk({"role": "assistant", "content": "", "refusal": None})]
    key = "refusal" if said.stop == "refusal" else "content"
    sent += (chunk({key: part}) for part in thirds(said.text))
    sent += (chunk({"tool_calls": [delta]}) for delta in _call_deltas(said))
    sent.append(chunk({}, _finish(said)))
    if asked.usage_chunk and said.absurd != "missing":
        usage = bent(_usage(said.figures), said.absurd)
        sent.append(_event(envelope | {"choices": NO_CHOICES, "usage": usage}))
    return (*sent, DONE)


def _call_deltas(said: Said) -> Iterator[Json]:
    for at, call in enumerate(said.calls):
        yield {
            "index": at,
            "id": _call_id(said, at),
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        for part in thirds(call.text):
            yield {"index": at, "function": {"arguments": part}}


def _event(event: Json) -> bytes:
    return f"data: {encode(event)}\n\n".encode()


def _envelope(said: Said, asked: Asked, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{said.ident}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _call_id(said: Said, at: int) -> str:
    return f"call_{said.ident}{at:02x}"


def _finish(said: Said) -> str:
    return FINISHES.get(said.stop, "stop")


def _usage(figures: Figures) -> Json:
    return {
        "prompt_tokens": figures.prompt,
        "completion_tokens": figures.output,
        "total_tokens": figures.prompt + figures.output,
        "prompt_tokens_details": {
            "cached_tokens": figures.read,
            "cache_write_tokens": figures.write_5m + figures.write_1h,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": figures.thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def too_long(tokens: int, limit: int) -> RefusedError:
    """Refuse a prompt that is larger than the window."""
    return RefusedError(
        f"This model's maximum context length is {limit} tokens. However, your messages resulted in"
        f" {tokens} tokens. Please reduce the length of the messages.",
        param="messages",
        code="context_length_exceeded",
    )


def error(refused: RefusedError, request_id: str) -> bytes:  # noqa: ARG001 - every format's shape
    """Put an error into a response body."""
    return encode({"error": error_body(refused)}).encode()


def error_event(refused: RefusedError) -> bytes:
    """Put an error into a stream that has begun."""
    return _event({"error": error_body(refused)})
