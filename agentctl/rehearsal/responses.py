"""The Responses wire format: prompts in, replies, streams and errors out."""

import time
from collections.abc import Iterator

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
)
from agentctl.rehearsal.openai_errors import error_body
from agentctl.rehearsal.prefix import Piece, Seal
from agentctl.rehearsal.responses_checks import check
from agentctl.rehearsal.responses_stream import item_events

__all__ = ["check", "error", "error_event", "events", "pieces", "too_long", "whole"]

ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, with what is assumed where the request is silent."""


def pieces(body: Json) -> Iterator[Piece]:
    """Cut the prompt into tools, instructions and input items, in the order they render in."""
    for tool in as_list(body.get("tools")) or []:
        yield Piece(encode(tool).encode(), "head")
    if body.get("instructions"):
        yield Piece(b"instructions" + encode(body["instructions"]).encode(), "head")
    entries = body.get("input")
    if isinstance(entries, str):
        entries = [{"role": "user", "content": entries}]
    for index, item in enumerate(map(as_object, as_list(entries) or [])):
        yield _piece(item or {}, index)


def _piece(item: Json, index: int) -> Piece:
    """Spell an item by what it says: ids, statuses and notes do not count."""
    kind = item.get("type", "message")
    said: list[object]
    seal = None
    if kind == "message":
        said = [kind, item.get("role"), _texts(item.get("content"))]
    elif kind == "function_call":
        said = [kind, item.get("call_id"), item.get("name"), item.get("arguments")]
    elif kind == "function_call_output":
        said = [kind, item.get("call_id"), item.get("output")]
    elif kind == "reasoning":
        said = [kind, item.get("encrypted_content")]
        token = item.get("encrypted_content")
        if isinstance(token, str):
            seal = Seal(token, _thought(item), f"input[{index}]")
    else:
        said = [item]
    return Piece(encode(said).encode(), "messages", ttl(item.get("content")), seal)


def ttl(content: object) -> str:
    """Lifetime of the entry that a breakpoint in a message ends: the request's own; empty for none."""
    parts = [part or {} for part in map(as_object, as_list(content) or [])]
    return "30m" if any(part.get("prompt_cache_breakpoint") for part in parts) else ""


def _texts(content: object) -> list[object]:
    if isinstance(content, str):
        return [content]
    parts = [part or {} for part in map(as_object, as_list(content) or [])]
    return [part.get("text", part.get("refusal", part)) for part in parts]


def _thought(item: Json) -> str:
    parts = map(as_object, as_list(item.get("summary")) or [])
    return "".join(str((part or {}).get("text")) for part in parts)


def whole(said: Said, asked: Asked, body: Json) -> bytes:
    """Put a reply into one response."""
    return encode(_finished(said, asked, body)).encode()


def events(said: Said, asked: Asked, body: Json) -> Parts:
    """Put a reply into the events of a stream."""
    begun: Json = _envelope(said, asked, body)
    begun |= {"status": "in_progress", "output": list[Json]()}
    finished = _finished(said, asked, body)
    sent: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(_items(said)):
        sent += item_events(item, index)
    sent.append({"type": f"response.{finished['status']}", "response": finished})
    return tuple(_event(event, number) for number, event in enumerate(sent))


def _event(event: Json, number: int) -> bytes:
    event["sequence_number"] = number
    return f"event: {event['type']}\ndata: {encode(event)}\n\n".encode()


def _finished(said: Said, asked: Asked, body: Json) -> Json:
    cut = said.stop in {"max_tokens", "context_exceeded"}
    response = _envelope(said, asked, body)
    response |= {
        "status": "incomplete" if cut else "completed",
        "output": _items(said),
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
    }
    if not cut:
        response["completed_at"] = response["created_at"]
    if said.absurd != "missing":
        response["usage"] = bent(_usage(said.figures), said.absurd)
    return response


def _envelope(said: Said, asked: Asked, body: Json) -> Json:
    echoed = {key: body.get(key, usual) for key, usual in ECHOED.items()}
    echoed["tools"] = [
        {"strict": True, "parameters": None, **(as_object(tool) or {})} for tool in as_list(echoed["tools"]) or []
    ]
    return {
        "id": f"resp_{said.ident}",
        "object": "response",
        "created_at": int(time.time()),
        "model": asked.model,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "service_tier": "default",
        "usage": None,
        **echoed,
    }


def _items(said: Said) -> list[Json]:
    items: list[Json] = []
    if said.signature:
        summary = [{"type": "summary_text", "text": said.thinking}] if said.thinking else []
        items.append(
            {
                "id": f"rs_{said.ident}",
                "type": "reasoning",
                "summary": summary,
                "encrypted_content": said.signature,
            }
        )
    if said.text or not said.calls:
        items.append(_spoken(said))
    items.extend(
        {
            "id": f"fc_{said.ident}{at:02x}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{said.ident}{at:02x}",
            "name": call.name,
            "arguments": call.text,
        }
        for at, call in enumerate(said.calls)
    )
    return items


def _spoken(said: Said) -> Json:
    part: Json = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    if said.stop == "refusal":
        part = {"type": "refusal", "refusal": said.text}
    cut = said.stop in {"max_tokens", "context_exceeded"}
    return {
        "id": f"msg_{said.ident}",
        "type": "message",
        "status": "incomplete" if cut else "completed",
        "role": "assistant",
        "content": [part],
    }


def _usage(figures: Figures) -> Json:
    return {
        "input_tokens": figures.prompt,
        "input_tokens_details": {
            "cached_tokens": figures.read,
            "cache_write_tokens": figures.write_5m + figures.write_1h,
        },
        "output_tokens": figures.output,
        "output_tokens_details": {"reasoning_tokens": figures.thought},
        "total_tokens": figures.prompt + figures.output,
    }


def too_long(tokens: int, limit: int) -> RefusedError:
    """Refuse a prompt that is larger than the window."""
    return RefusedError(
        "Your input exceeds the context window of this model. Please adjust your input and try"
        f" again. ({tokens} tokens > {limit})",
        param="input",
        code="context_length_exceeded",
    )


def error(refused: RefusedError, request_id: str) -> bytes:  # noqa: ARG001 - every format's shape
    """Put an error into a response body."""
    return encode({"error": error_body(refused)}).encode()


def error_event(refused: RefusedError) -> bytes:
    """Put an error into a stream that has begun; here the error is the event itself."""
    inner = error_body(refused)
    flat = {key: inner[key] for key in ("code", "message", "param")}
    return _event({"type": "error", **flat}, 99)
