"""Every byte that the server emits is what the SDKs' own types describe, with no field unknown."""

import json

import pytest
from pydantic import BaseModel, TypeAdapter

REPLIES = {
    "text": 'text = "Hello there, you."',
    "nothing": "",
    "calls": 'calls = [{ tool = "t", args = { a = [1, "x"] } }, { tool = "u" }]',
    "text and calls": 'text = "Well."\ncalls = [{ tool = "t" }]',
    "thinking": 'thinking = "Hm, let me see."\ntext = "Yes."',
    "thinking and calls": 'thinking = "Hm."\ncalls = [{ tool = "t" }]',
    "refusal": 'text = "No."\nstop = "refusal"',
    "max_tokens": 'text = "And then"\nstop = "max_tokens"',
    "context": 'text = "And then"\nstop = "context_exceeded"',
    "unicode": 'text = "naïve 漢字 🙂 \\u2028 end"',
}
SCHEMA = {"type": "object", "properties": {}}
USER = [{"role": "user", "content": "x"}]
OPENAI_TOOL = {"name": "t", "parameters": SCHEMA}
REQUESTS = {
    "/v1/messages": {
        "model": "claude-sonnet-4-6",
        "max_tokens": 9,
        "messages": USER,
        "tools": [{"name": "t", "input_schema": SCHEMA}],
    },
    "/v1/chat/completions": {
        "model": "gpt-5.4",
        "messages": USER,
        "tools": [{"type": "function", "function": OPENAI_TOOL}],
    },
    "/v1/responses": {
        "model": "gpt-5.4",
        "input": USER,
        "tools": [{"type": "function", **OPENAI_TOOL}],
        "instructions": "y",
        "reasoning": {"effort": "low", "summary": "auto"},
    },
}


def types(path):
    """The SDK's types of a whole reply and of one event."""
    if path == "/v1/messages":
        from anthropic.types import Message, RawMessageStreamEvent

        return TypeAdapter(Message), TypeAdapter(RawMessageStreamEvent)
    if path == "/v1/responses":
        from openai.types.responses import Response, ResponseStreamEvent

        return TypeAdapter(Response), TypeAdapter(ResponseStreamEvent)
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    return TypeAdapter(ChatCompletion), TypeAdapter(ChatCompletionChunk)


def unknown(value, place="$"):
    """The places of fields that the SDK's types have no name for."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{place}.{name}"
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from unknown(part, f"{place}[{index}]")


def assert_known(adapter, data):
    found = adapter.validate_python(data)
    assert [] == list(unknown(found)), data


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("name", REPLIES)
async def test_a_whole_reply_is_one_of_the_sdks_type(start, raw, path, name):
    standin = await start(f"[[reply]]\n{REPLIES[name]}")

    reply = (await raw(standin).post(path, REQUESTS[path])).json()

    assert_known(types(path)[0], reply)


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("name", REPLIES)
async def test_every_event_of_a_stream_is_one_of_the_sdks_types(start, raw, path, name):
    standin = await start(f"[[reply]]\n{REPLIES[name]}")
    options = {"stream_options": {"include_usage": True}} if "chat" in path else {}

    response = await raw(standin).post(path, REQUESTS[path] | options | {"stream": True})
    events = list(frames(response.text))

    for kind, event in events:
        assert kind == event.get("type", kind)
        if kind != "ping":
            assert_known(types(path)[1], event)
    if path == "/v1/responses":
        assert list(range(len(events))) == [event["sequence_number"] for _, event in events]


def frames(text):
    """The named events of a stream; [DONE] is left out."""
    assert text.endswith("\n\n")
    for frame in text[:-2].split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.split("\n"))
        if lines["data"] != "[DONE]":
            yield lines.get("event", ""), json.loads(lines["data"])


async def test_a_stream_and_a_whole_reply_say_the_same(start, raw):
    from anthropic.types import Message

    caller = raw(await start('[[reply]]\nthinking = "Hm."\ncalls = [{ tool = "t" }]'))
    path = "/v1/responses"

    whole = (await caller.post(path, REQUESTS[path])).json()
    streamed = (await caller.post(path, REQUESTS[path] | {"stream": True})).text
    last = list(frames(streamed))[-1][1]["response"]

    assert whole.keys() == last.keys()
    assert [item["type"] for item in whole["output"]] == [item["type"] for item in last["output"]]
    assert "cache_creation" in Message.model_fields["usage"].annotation.model_fields


async def test_anthropic_streams_in_the_order_of_the_real_one(start, raw):
    standin = await start('[[reply]]\nthinking = "Hm."\ntext = "x"\ncalls = [{ tool = "t" }]')
    path = "/v1/messages"

    text = (await raw(standin).post(path, REQUESTS[path] | {"stream": True})).text

    kinds = [event.get("delta", event).get("type", kind) for kind, event in frames(text)]
    block = ["content_block_start", "content_block_stop"]
    assert [
        "message_start",
        "ping",
        block[0],
        *["thinking_delta"] * 3,
        "signature_delta",
        block[1],
        block[0],
        "text_delta",
        block[1],
        block[0],
        *["input_json_delta"] * 3,
        block[1],
        "message_delta",
        "message_stop",
    ] == kinds


async def test_chat_streams_in_the_order_of_the_real_one(start, raw):
    standin = await start('[[reply]]\ntext = "x"\ncalls = [{ tool = "t" }]')
    path = "/v1/chat/completions"

    text = (await raw(standin).post(path, REQUESTS[path] | {"stream": True})).text

    deltas = [event["choices"][0]["delta"] for _, event in frames(text)]
    assert [["role", "content", "refusal"], ["content"]] == [list(delta) for delta in deltas[:2]]
    assert [0, 0, 0] == [delta["tool_calls"][0]["index"] for delta in deltas[2:-1]]
    assert {} == deltas[-1]
    assert text.endswith("data: [DONE]\n\n")
    assert "usage" not in text
