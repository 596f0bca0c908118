"""Streams as the three APIs send them, and models that read them from a transport of ours."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx2

from agentctl.core.messages import Delta, History, Message, Outcome, Request, Text, ToolSchema
from agentctl.core.policy import Provider

APIS = ("messages", "responses", "chat")
KEY = "sk-secret-0123456789"
SSE = {"content-type": "text/event-stream"}
TOOLS = (
    ToolSchema("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}}),
    ToolSchema("fs__read_file", "Reads.", {"type": "object"}),
)


def provider(api: str, **changes: Any) -> Provider:
    sdk = "anthropic" if api == "messages" else "openai"
    model = "claude-sonnet-4-6" if api == "messages" else "gpt-5.4"
    entry: dict[str, Any] = {"name": "p", "sdk": sdk, "model": model}
    if api != "messages":
        entry["api"] = api
    return Provider(**(entry | changes))


def open_fake(
    api: str, handler: Callable[[httpx2.Request], httpx2.Response], *, ttl: Any = "5m", tag: str = "", **changes: Any
) -> Any:
    from agentctl.models.anthropic import Anthropic
    from agentctl.models.openai import OpenAI

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    entry = provider(api, **changes)
    if api == "messages":
        return Anthropic(entry, KEY, cache_ttl=ttl, http_client=client)
    return OpenAI(entry, KEY, cache_ttl=ttl, tag=tag, http_client=client)


def ask_for(*messages: Message, **changes: Any) -> Request:
    history = History(list(messages) or [Message("user", (Text("Hello."),))])
    entry: dict[str, Any] = {"system": "Be good.", "tools": TOOLS, "history": history, "max_output_tokens": 1000}
    return Request(**(entry | changes))


async def answer(api: str, reply: httpx2.Response | Callable[[httpx2.Request], httpx2.Response], **changes: Any) -> Any:
    """The outcome and the deltas of one call that is answered so."""
    deltas: list[Delta] = []
    model = open_fake(api, reply if callable(reply) else lambda _: reply, **changes)
    try:
        outcome: Outcome = await model.ask(ask_for(), deltas.append)
    finally:
        await model.close()
    return outcome, deltas


def stream(*chunks: bytes | Exception) -> httpx2.Response:
    class Stream(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

    return httpx2.Response(200, stream=Stream(), headers=SSE)


def sse(events: Iterable[Any]) -> bytes:
    """Events as bytes; chat's chunks have no name, the others' events have their type."""
    parts: list[str] = []
    for event in events:
        if isinstance(event, dict) and "type" in event:
            parts.append(f"event: {event['type']}\n")
        parts.append(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
    return "".join(parts).encode()


# --- A whole reply: words, calls, thinking --------------------------------------------------------

Call = tuple[str, str, str]
"""Id, name, arguments as text."""


def events(
    api: str,
    text: str = "",
    calls: tuple[Call, ...] = (),
    *,
    thinking: str = "",
    stop: str | None = None,
    usage: Any = "default",
) -> list[Any]:
    make = {"messages": messages_events, "responses": responses_events, "chat": chat_events}[api]
    return make(text, calls, thinking, stop, usage)


def messages_events(text: str, calls: tuple[Call, ...], thinking: str, stop: str | None, usage: Any) -> list[Any]:
    if usage == "default":
        usage = {"input_tokens": 100, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30}
        usage |= {"cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}}
        usage |= {"output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "usage": usage}
    out: list[Any] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if thinking:
        deltas = [{"type": "thinking_delta", "thinking": thinking}, {"type": "signature_delta", "signature": "SIG"}]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if text:
        half = len(text) // 2
        deltas = [{"type": "text_delta", "text": text[:half]}, {"type": "text_delta", "text": text[half:]}]
        blocks.append(({"type": "text", "text": "", "citations": None}, deltas))
    for wire_id, name, args in calls:
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", args[:3], args[3:])]
        blocks.append(({"type": "tool_use", "id": wire_id, "name": name, "input": {}}, deltas))
    for index, (start, deltas) in enumerate(blocks):
        out.append({"type": "content_block_start", "index": index, "content_block": start})
        out += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        out.append({"type": "content_block_stop", "index": index})
    final = {"stop_reason": stop or ("tool_use" if calls else "end_turn"), "stop_sequence": None}
    out.append({"type": "message_delta", "delta": final, "usage": {"output_tokens": 9}})
    out.append({"type": "message_stop"})
    return out


def responses_events(text: str, calls: tuple[Call, ...], thinking: str, stop: str | None, usage: Any) -> list[Any]:
    if usage == "default":
        usage = {"input_tokens": 150, "output_tokens": 9, "total_tokens": 159}
        usage |= {"input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30}}
    items: list[dict[str, Any]] = []
    if thinking:
        summary = [{"type": "summary_text", "text": thinking}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "SEALED"})
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    for wire_id, name, args in calls:
        call = {"type": "function_call", "id": "fc_1", "call_id": wire_id, "name": name, "arguments": args}
        items.append(call | {"status": "completed"})
    base = {"id": "r", "object": "response", "model": "gpt-x", "status": "in_progress", "output": []}
    out: list[Any] = [{"type": "response.created", "response": base}]
    for index, item in enumerate(items):
        out.append({"type": "response.output_item.added", "output_index": index, "item": item})
        if item["type"] == "message":
            out.append({"type": "response.output_text.delta", "output_index": index, "delta": text})
        if item["type"] == "reasoning":
            out.append({"type": "response.reasoning_summary_text.delta", "delta": thinking})
        out.append({"type": "response.output_item.done", "output_index": index, "item": item})
    final = base | {"status": "completed", "usage": usage, "output": items}
    if stop:
        final |= {"status": "incomplete", "incomplete_details": {"reason": stop}}
    out.append({"type": f"response.{final['status']}", "response": final})
    return out


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "gpt-x", "choices": [choice], **more}


def chat_events(text: str, calls: tuple[Call, ...], thinking: str, stop: str | None, usage: Any) -> list[Any]:
    if usage == "default":
        usage = {"prompt_tokens": 150, "completion_tokens": 9, "total_tokens": 159}
        usage |= {"prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30}}
    out: list[Any] = [chunk({"role": "assistant", "content": ""})]
    if thinking:
        out.append(chunk({"reasoning_content": thinking}))
    if text:
        half = len(text) // 2
        out += [chunk({"content": text[:half]}), chunk({"content": text[half:]})]
    for index, (wire_id, name, args) in enumerate(calls):
        start = {"name": name, "arguments": ""}
        out.append(chunk({"tool_calls": [{"index": index, "id": wire_id, "type": "function", "function": start}]}))
        out += [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
            for piece in (args[:3], args[3:])
        ]
    out.append(chunk({}, stop or ("tool_calls" if calls else "stop")))
    if usage is not None:
        out.append({"id": "c", "object": "chat.completion.chunk", "model": "gpt-x", "choices": [], "usage": usage})
    out.append("[DONE]")
    return out


def whole_stream(api: str, *args: Any, **changes: Any) -> httpx2.Response:
    return stream(sse(events(api, *args, **changes)))
