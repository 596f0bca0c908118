"""The Messages API's wire format: prompts in, replies, streams and errors out."""

import json
from collections.abc import Iterator

from agentctl.rehearsal.anthropic_checks import check
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
from agentctl.rehearsal.prefix import Piece, Seal

__all__ = ["check", "error", "error_event", "events", "pieces", "too_long", "whole"]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

STOPS = {"context_exceeded": "model_context_window_exceeded"}


def pieces(body: Json) -> Iterator[Piece]:
    """Cut the prompt into tools, system blocks and content blocks, in the order they render in."""
    held = list(_pieces(body))
    automatic = as_object(body.get("cache_control"))
    if automatic is not None and held:
        held[-1] = held[-1]._replace(ttl=str(automatic.get("ttl", "5m")))
    yield from held


def _pieces(body: Json) -> Iterator[Piece]:
    for tool in map(as_object, as_list(body.get("tools")) or []):
        bare = {key: value for key, value in (tool or {}).items() if key != "cache_control"}
        yield Piece(encode(bare).encode(), "head", _ttl(tool or {}))
    for block in _blocks(body.get("system") or []):
        yield Piece(b"system" + _canonical(block), "head", _ttl(block))
    for at, message in enumerate(map(as_object, as_list(body.get("messages")) or [])):
        role = str((message or {}).get("role")).encode()
        for index, block in enumerate(_blocks((message or {}).get("content"))):
            yield Piece(role + _canonical(block), "messages", _ttl(block), _seal(block, at, index))


def _seal(block: Json, message: int, index: int) -> Seal | None:
    if block.get("type") != "thinking":
        return None
    where = f"messages.{message}.content.{index}"
    return Seal(str(block.get("signature")), str(block.get("thinking")), where)


def _blocks(content: object) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in map(as_object, as_list(content) or []) if block is not None]


def _canonical(block: Json) -> bytes:
    """Spell a block by what it says, so that a text and a list of one text block are the same."""
    kind = block.get("type")
    said: list[object]
    if kind == "text":
        said = ["text", block.get("text")]
    elif kind == "tool_use":
        said = ["tool_use", block.get("id"), block.get("name"), block.get("input")]
    elif kind == "tool_result":
        parts = [_canonical(part).decode() for part in _blocks(block.get("content"))]
        said = ["tool_result", block.get("tool_use_id"), parts, bool(block.get("is_error"))]
    elif kind == "thinking":
        said = ["thinking", block.get("thinking"), block.get("signature")]
    else:
        said = [json.dumps({**block, "cache_control": None}, sort_keys=True)]
    return encode(said).encode()


def _ttl(block: Json) -> str:
    control = as_object(block.get("cache_control"))
    if control is not None:
        return str(control.get("ttl", "5m"))
    nested = map(as_object, as_list(block.get("content")) or [])
    return next((_ttl(part) for part in nested if part and part.get("cache_control")), "")


def whole(said: Said, asked: Asked, body: Json) -> bytes:  # noqa: ARG001 - every format's shape
    """Put a reply into one message."""
    message = _message(said, asked)
    message["content"] = _content(said)
    message |= _ending(said)
    _set_usage(message, said, _usage(said.figures))
    return encode(message).encode()


def events(said: Said, asked: Asked, body: Json) -> Parts:  # noqa: ARG001 - every format's shape
    """Put a reply into the events of a stream."""
    message = _message(said, asked) | {"stop_details": None, "stop_reason": None}
    usage = _usage(said.figures) | {"output_tokens": min(1, said.figures.output)}
    _set_usage(message, said, usage)
    sent: list[Json] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    for index, (block, deltas) in enumerate(_streamed(said)):
        sent.append({"type": "content_block_start", "index": index, "content_block": block})
        sent.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        sent.append({"type": "content_block_stop", "index": index})
    ending: Json = {"type": "message_delta", "delta": _ending(said)}
    figures = said.figures
    _set_usage(
        ending,
        said,
        {
            "input_tokens": figures.fresh,
            "cache_creation_input_tokens": figures.write_5m + figures.write_1h,
            "cache_read_input_tokens": figures.read,
            "output_tokens": figures.output,
        },
    )
    sent.extend((ending, {"type": "message_stop"}))
    return tuple(map(_event, sent))


def _event(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {encode(event)}\n\n".encode()


def _message(said: Said, asked: Asked) -> Json:
    return {
        "id": f"msg_01{said.ident}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_sequence": None,
        "diagnostics": said.diagnostics,
    }


def _content(said: Said) -> list[Json]:
    blocks: list[Json] = []
    if said.signature:
        blocks.append({"type": "thinking", "thinking": said.thinking, "signature": said.signature})
    if said.text:
        blocks.append({"type": "text", "text": said.text, "citations": None})
    blocks.extend(
        {"type": "tool_use", "id": _call_id(said, at), "name": call.name, "input": call.args}
        for at, call in enumerate(said.calls)
    )
    return blocks


def _streamed(said: Said) -> Iterator[tuple[Json, list[Json]]]:
    """Give each block as it starts, with its deltas."""
    if said.signature:
        start: Json = {"type": "thinking", "thinking": "", "signature": ""}
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": part} for part in thirds(said.thinking)]
        yield start, [*deltas, {"type": "signature_delta", "signature": said.signature}]
    if said.text:
        texts: list[Json] = [{"type": "text_delta", "text": part} for part in thirds(said.text)]
        yield {"type": "text", "text": "", "citations": None}, texts
    for at, call in enumerate(said.calls):
        tool: Json = {"type": "tool_use", "id": _call_id(said, at), "name": call.name, "input": {}}
        cut = ["", *thirds(call.text)]
        yield tool, [{"type": "input_json_delta", "partial_json": part} for part in cut]


def _call_id(said: Said, at: int) -> str:
    return f"toolu_01{said.ident}{at:02x}"


def _ending(said: Said) -> Json:
    details: Json | None = None
    if said.stop == "refusal":
        details = {"type": "refusal", "category": None, "explanation": said.text or None}
    return {
        "stop_reason": STOPS.get(said.stop, said.stop),
        "stop_sequence": None,
        "stop_details": details,
    }


def _usage(figures: Figures) -> Json:
    return {
        "input_tokens": figures.fresh,
        "cache_creation_input_tokens": figures.write_5m + figures.write_1h,
        "cache_read_input_tokens": figures.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": figures.write_5m,
            "ephemeral_1h_input_tokens": figures.write_1h,
        },
        "output_tokens": figures.output,
        "output_tokens_details": {"thinking_tokens": figures.thought},
        "service_tier": "standard",
    }


def _set_usage(message: Json, said: Said, usage: Json) -> None:
    if said.absurd != "missing":
        message["usage"] = bent(usage, said.absurd)


def too_long(tokens: int, limit: int) -> RefusedError:
    """Refuse a prompt that is larger than the window."""
    return RefusedError(f"prompt is too long: {tokens} tokens > {limit} maximum")


def error(refused: RefusedError, request_id: str) -> bytes:
    """Put an error into a response body."""
    return encode({**_error(refused), "request_id": request_id}).encode()


def error_event(refused: RefusedError) -> bytes:
    """Put an error into a stream that has begun."""
    return _event(_error(refused))


def _error(refused: RefusedError) -> Json:
    usual = "api_error" if refused.status >= 500 else "invalid_request_error"
    inner: Json = {
        "type": ERROR_TYPES.get(refused.status, usual),
        "message": refused.message,
    }
    if refused.code:
        inner["details"] = {"error_code": refused.code}
    return {"type": "error", "error": inner}
