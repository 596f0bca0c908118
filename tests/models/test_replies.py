"""What a reply says, from all three APIs; and everything that can be wrong with one."""

import asyncio
import json
import math

import httpx2
import pytest

from agentctl.core.messages import Delta, Failure, Reply, Text, Thinking, ToolUse, Usage
from tests.models import wires
from tests.models.wires import APIS, answer, chunk, events, sse, stream, whole_stream

each_api = pytest.mark.parametrize("api", APIS)


@each_api
async def test_words(api):
    reply, deltas = await answer(api, whole_stream(api, "Grüße 🎈."))

    assert reply == Reply((Text("Grüße 🎈."),), (), usage(api), "end_turn", reply.model)
    assert "x" in reply.model
    assert "".join(delta.text for delta in deltas) == "Grüße 🎈."
    assert {delta.kind for delta in deltas} == {"text"}


def usage(api):
    return Usage(100, 9, 20, 20, 10) if api == "messages" else Usage(100, 9, 20, 30)


@each_api
async def test_parallel_calls(api):
    calls = (("id_1", "add", '{"a": 1}'), ("id_2", "fs__read_file", ""), ("id_2", "add", '{"a":'))

    reply, deltas = await answer(api, whole_stream(api, "Now:", calls))

    assert reply.stop == "tool_use"
    assert reply.blocks == (
        Text("Now:"),
        ToolUse("", "id_1", "add", {"a": 1}),
        ToolUse("", "id_2", "fs__read_file", {}),
        ToolUse("", "id_2", "add", None, '{"a":'),
    )
    assert [delta for delta in deltas if delta.kind == "tool"] == [
        Delta("tool", "add"),
        Delta("tool", "fs__read_file"),
        Delta("tool", "add"),
    ]


@each_api
async def test_thinking_is_shown_and_kept_for_its_maker(api):
    reply, deltas = await answer(api, whole_stream(api, "Yes.", (("i", "add", "{}"),), thinking="Hm."))

    assert reply.blocks == (Thinking("Hm."), Text("Yes."), ToolUse("", "i", "add", {}))
    assert Delta("thinking", "Hm.") in deltas
    if api == "messages":
        assert reply.raw[0] == {"type": "thinking", "thinking": "Hm.", "signature": "SIG"}
        assert reply.raw[1] == {"type": "text", "text": "Yes."}
    elif api == "responses":
        assert reply.raw[0]["encrypted_content"] == "SEALED"
        assert len(reply.raw) == 3
    else:
        assert reply.raw == ()


@pytest.mark.parametrize(
    ("api", "said", "stop"),
    [
        ("messages", "end_turn", "end_turn"),
        ("messages", "stop_sequence", "end_turn"),
        ("messages", "tool_use", "end_turn"),
        ("messages", "max_tokens", "max_tokens"),
        ("messages", "refusal", "refusal"),
        ("messages", "model_context_window_exceeded", "context_exceeded"),
        ("messages", "pause_turn", "pause"),
        ("messages", "invented_tomorrow", "end_turn"),
        ("responses", None, "end_turn"),
        ("responses", "max_output_tokens", "max_tokens"),
        ("responses", "content_filter", "refusal"),
        ("chat", "stop", "end_turn"),
        ("chat", "length", "max_tokens"),
        ("chat", "content_filter", "refusal"),
        ("chat", "invented_tomorrow", "end_turn"),
    ],
)
async def test_every_stop_reason(api, said, stop):
    reply, _ = await answer(api, whole_stream(api, "So.", stop=said))

    assert reply.stop == stop


@pytest.mark.parametrize(("api", "said"), [("messages", "end_turn"), ("chat", "stop")])
async def test_calls_count_whatever_the_stop_reason_says(api, said):
    reply, _ = await answer(api, whole_stream(api, "", (("i", "add", "{}"),), stop=said))

    assert reply.stop == "tool_use"


async def test_why_the_model_would_not():
    told = events("messages", "No.", stop="refusal")
    told[-2]["delta"]["stop_details"] = {"type": "refusal", "category": "cyber", "explanation": "Too risky."}
    reply, _ = await answer("messages", stream(sse(told)))
    assert (reply.stop, reply.refusal) == ("refusal", "Too risky.")

    told = [chunk({"refusal": "I can't."}), chunk({}, "stop"), "[DONE]"]
    reply, _ = await answer("chat", stream(sse(told)))
    assert (reply.stop, reply.refusal, reply.blocks) == ("refusal", "I can't.", ())

    told = events("responses", "x")
    part = {"type": "refusal", "refusal": "I can't."}
    told[-2]["item"]["content"] = [part]
    reply, _ = await answer("responses", stream(sse(told)))
    assert (reply.stop, reply.refusal, reply.blocks) == ("refusal", "I can't.", ())


async def test_unknown_blocks_are_kept_for_their_maker():
    told = events("messages", "Hi.")
    block = {"type": "hologram", "data": [1, 2]}
    told.insert(1, {"type": "content_block_start", "index": 7, "content_block": block})
    reply, _ = await answer("messages", stream(sse(told)))
    assert reply.blocks == (Text("Hi."),)
    assert block in reply.raw

    told = events("responses", "Hi.")
    told.insert(1, {"type": "response.output_item.done", "output_index": 9, "item": {"type": "hologram"}})
    reply, _ = await answer("responses", stream(sse(told)))
    assert reply.blocks == (Text("Hi."),)
    assert reply.raw[-1] == {"type": "hologram"}


async def test_a_message_with_a_phase_is_echoed():
    told = events("responses", "Hi.")
    told[-2]["item"]["phase"] = "commentary"
    reply, _ = await answer("responses", stream(sse(told)))

    assert reply.raw[0]["phase"] == "commentary"


async def test_halves_of_a_character_are_joined():
    told = [chunk({"content": "\ud83c"}), chunk({"content": "\udf88"}), chunk({"content": "\ud83c"}, "stop")]
    reply, deltas = await answer("chat", stream(sse(told)))

    assert reply.blocks == (Text("🎈�"),)
    assert all(delta.text.encode() for delta in deltas)


# --- Tool calls as servers send them --------------------------------------------------------------


@each_api
@pytest.mark.parametrize(
    "args",
    [
        "{",
        "[]",
        '"x"',
        "null",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 400 + "}",
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "\\ud83c"}',
        "[" * 100_000,
        '{"a": 1} trailing',
    ],
)
async def test_garbled_arguments(api, args):
    reply, _ = await answer(api, whole_stream(api, "", (("i", "add", args),)))

    (call,) = reply.blocks
    assert call.args is None
    assert call.garbled == args[:2000]


@pytest.mark.parametrize(
    "pieces",
    [
        [[{"id": "1", "function": {"name": "add", "arguments": "{}"}}, {"id": "2", "function": {"name": "sub"}}]],
        [
            [{"index": 0, "id": "1", "function": {"name": "add"}}],
            [{"index": 0, "id": "2", "function": {"name": "sub"}}],
        ],
        [[{"index": 0, "id": "1", "function": {"name": "add"}}, {"index": 1, "id": "2", "function": {"name": "sub"}}]],
        [
            [{"id": "1", "function": {"name": "add"}}],
            [{"function": {"arguments": "{}"}}],
            [{"id": "2", "function": {"name": "sub", "arguments": {}}}],
        ],
    ],
)
async def test_servers_that_count_calls_their_own_way(pieces):
    told = [chunk({"tool_calls": calls}) for calls in pieces] + [chunk({}, "stop")]
    reply, _ = await answer("chat", stream(sse(told)), base_url="http://127.0.0.1:1/v1")

    assert reply.stop == "tool_use"
    assert [(call.wire_id, call.name, call.args) for call in reply.blocks] == [("1", "add", {}), ("2", "sub", {})]


async def test_an_input_that_is_not_streamed():
    told = events("messages", "", (("i", "add", ""),))
    told[2]["content_block"]["input"] = {"a": 5}
    told = [event for event in told if event["type"] != "content_block_delta"]
    reply, _ = await answer("messages", stream(sse(told)))

    assert reply.blocks == (ToolUse("", "i", "add", {"a": 5}),)


# --- Usage ----------------------------------------------------------------------------------------

FIELDS = {"messages": "input_tokens", "responses": "input_tokens", "chat": "prompt_tokens"}


@each_api
@pytest.mark.parametrize("absurd", [-1, "many", 1.5, 10**10, True, [1], math.nan, math.inf])
async def test_absurd_usage_is_no_reply(api, absurd):
    """H5: NaN least of all."""
    failure, _ = await answer(api, whole_stream(api, "Hi.", usage={FIELDS[api]: absurd, "output_tokens": 1}))

    assert (failure.kind, failure.usage) == ("malformed", None)
    assert "usage" in failure.message


@each_api
@pytest.mark.parametrize("missing", [None, {}])
async def test_missing_usage_is_estimated(api, missing):
    told = events(api, "Hi. " * 100, usage=missing)
    if api == "messages":
        told[-2]["usage"] = None
    reply, _ = await answer(api, stream(sse(told)))

    assert reply.usage.input > 50
    assert 90 <= reply.usage.output < 400


async def test_usage_that_contradicts_itself():
    wrong = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}}
    failure, _ = await answer("chat", whole_stream("chat", "Hi.", usage=wrong))

    assert failure.kind == "malformed"


async def test_details_that_are_null():
    told = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": None}}
    reply, _ = await answer("chat", whole_stream("chat", "Hi.", usage=told))

    assert reply.usage == Usage(5, 1)


# --- Faults of the stream -------------------------------------------------------------------------


def cut(api, *, keep=-2):
    """A reply without its end."""
    return events(api, "Hello there.")[:keep]


@each_api
async def test_a_clean_truncation(api):
    failure, deltas = await answer(api, stream(sse(cut(api, keep=3 if api != "messages" else 4))))

    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == ("truncated", True)
    assert deltas


@pytest.mark.parametrize(("keep", "output"), [(1, 1000), (4, 1000), (-2, 1000), (-1, 9)])
async def test_what_was_billed_at_the_most_before_a_truncation_is_known(keep, output):
    """A18: the prompt from the first event on; the output, which is told at the end, is all that was allowed before."""
    failure, _ = await answer("messages", stream(sse(cut("messages", keep=keep))))

    assert failure.kind == "truncated"
    assert failure.usage == Usage(100, output, 20, 20, 10)


async def test_a_server_that_counts_with_every_chunk_has_not_told_the_end():
    """The output so far is no bound of what is billed."""
    so_far = {"prompt_tokens": 150, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 20}}
    told = [event | {"usage": so_far} for event in cut("chat", keep=3)]
    failure, _ = await answer("chat", stream(sse(told)))

    assert (failure.kind, failure.usage) == ("truncated", Usage(130, 1000, 20))


async def test_a_failed_response_that_tells_its_prompt_alone():
    told = events("responses", "Hi.")
    told[-1]["type"], told[-1]["response"] = "response.failed", told[-1]["response"] | {"status": "failed"}
    whole, _ = await answer("responses", stream(sse(told)))
    told[-1]["response"]["usage"] = {"input_tokens": 150}
    half, _ = await answer("responses", stream(sse(told)))

    assert (whole.usage, half.usage) == (Usage(100, 9, 20, 30), Usage(150, 1000))


@each_api
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx2.RemoteProtocolError("peer closed"), "connection"),
        (httpx2.ReadError("reset"), "connection"),
        (httpx2.ReadTimeout("slow"), "timeout"),
        (httpx2.DecodingError("gzip"), "malformed"),
    ],
)
async def test_a_cut_in_the_middle(api, error, kind):
    failure, _ = await answer(api, stream(sse(cut(api, keep=3)), error))

    assert (failure.kind, failure.sent, failure.status) == (kind, True, None)


@each_api
async def test_what_breaks_after_the_end_is_nobodys_loss(api):
    told = [event for event in events(api, "Done.") if event != "[DONE]"]
    reply, _ = await answer(api, stream(sse(told), httpx2.RemoteProtocolError("peer closed")))

    assert reply.blocks == (Text("Done."),)


async def test_a_stream_that_never_ends_after_its_end():
    class Hang(httpx2.AsyncByteStream):
        async def __aiter__(self):
            yield sse(events("messages", "Done."))
            await asyncio.sleep(60)

    reply, _ = await answer("messages", httpx2.Response(200, stream=Hang(), headers=wires.SSE))

    assert reply.blocks == (Text("Done."),)


def failed(error):
    return {"type": "response.failed", "response": {"status": "failed", "error": error}}


IN_STREAM = [
    ("messages", {"type": "error", "error": {"type": "overloaded_error", "message": "Over"}}, "overloaded", 529),
    ("messages", {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}, "rate_limit", 429),
    ("messages", {"type": "error", "error": {"type": "api_error", "message": "Oops"}}, "server", 500),
    ("messages", {"type": "error", "error": {"type": "billing_error", "message": "Pay"}}, "quota", None),
    ("messages", {"type": "error", "error": "what"}, "server", 500),
    ("responses", {"type": "error", "code": "rate_limit_exceeded", "message": "Slow"}, "rate_limit", 429),
    ("responses", {"type": "error", "error": {"code": "server_is_overloaded"}}, "overloaded", 529),
    ("responses", failed({"code": "server_error"}), "server", 500),
    ("responses", failed({"code": "invalid_prompt"}), "invalid", None),
    ("responses", failed(None), "server", 500),
    ("chat", {"error": {"message": "boom", "type": "server_error", "code": "server_error"}}, "server", 500),
    ("chat", {"error": {"message": "boom", "code": "context_length_exceeded"}}, "context", None),
    ("chat", {"error": {"message": "boom", "type": "insufficient_quota"}}, "quota", None),
    ("chat", {"error": "boom"}, "server", 500),
    ("chat", {"object": "error", "message": "boom", "code": 400}, "server", 500),
]


@pytest.mark.parametrize(("api", "error", "kind", "status"), IN_STREAM)
@pytest.mark.parametrize("first", [True, False])
async def test_errors_in_the_stream(api, error, kind, status, first):
    failure, _ = await answer(api, stream(sse(([] if first else cut(api, keep=3)) + [error])))

    assert isinstance(failure, Failure), failure
    assert (failure.kind, failure.status) == (kind, status)


GARBAGE = {
    "nothing": b"",
    "html": b"<!doctype html><html><body>Sign in</body></html>",
    "json instead of a stream": b'{"choices": [{"message": {"content": "Hi"}}]}',
    "no json": b"event: message_start\ndata: hello\n\n",
    "half json": b'event: message_start\ndata: {"type": "mess\n\n',
    "a list": b"event: message_start\ndata: [1, 2]\n\n",
    "a number": b"event: message_start\ndata: 7\n\n",
    "not utf-8": b"event: message_start\ndata: \xff\xfe\n\n",
    "deep": b"event: message_start\ndata: " + b"[" * 100_000 + b"\n\n",
    "another API's object": b'event: message_start\ndata: {"hello": 1}\n\n',
    "binary": bytes(range(256)) * 40,
}


@each_api
@pytest.mark.parametrize("what", GARBAGE)
async def test_garbage_with_status_200(api, what):
    failure, _ = await answer(api, stream(GARBAGE[what]))

    assert isinstance(failure, Failure)
    assert failure.kind == "malformed"
    assert "\n" not in failure.message
    assert len(failure.message) <= 300


WRONG = [
    ("messages", 0, {"type": "message_start", "message": "hi"}),
    ("messages", 2, {"type": "content_block_start", "index": "x", "content_block": {"type": "text"}}),
    ("messages", 2, {"type": "content_block_start", "index": 0, "content_block": None}),
    ("messages", 2, {"type": "content_block_delta", "index": 5, "delta": {"type": "text_delta", "text": "x"}}),
    ("messages", 3, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}}),
    ("messages", 3, {"type": "content_block_delta", "index": 0, "delta": []}),
    ("messages", 3, {"type": "message_delta", "delta": {}, "usage": []}),
    ("responses", 1, {"type": "response.output_item.done", "item": 3}),
    ("responses", 1, {"type": "response.output_text.delta", "delta": {"x": 1}}),
    ("responses", 1, {"type": "response.completed", "response": "done"}),
    ("chat", 0, {"choices": "none"}),
    ("chat", 0, {"choices": [7]}),
    ("chat", 0, chunk({"content": 7})),
    ("chat", 0, chunk({"tool_calls": {}})),
    ("chat", 0, chunk({"tool_calls": [3]})),
    ("chat", 0, chunk({"tool_calls": [{"function": {"name": 3}}]})),
    ("chat", 0, chunk([1])),
]


@pytest.mark.parametrize(("api", "place", "event"), WRONG)
async def test_events_of_the_wrong_shape(api, place, event):
    told = events(api, "Hello.")
    told.insert(place, event)
    failure, _ = await answer(api, stream(sse(told)))

    assert isinstance(failure, Failure), failure
    assert failure.kind == "malformed"


async def test_a_reply_without_end(monkeypatch):
    monkeypatch.setattr("agentctl.models.wire.LONGEST_REPLY", 1000)
    for api in ("messages", "chat"):
        failure, _ = await answer(api, whole_stream(api, "x" * 1001))
        assert (failure.kind, "longer" in failure.message) == ("malformed", True)


async def test_the_deadline_holds_while_bytes_still_come():
    class Drip(httpx2.AsyncByteStream):
        async def __aiter__(self):
            yield sse(cut("messages", keep=3))
            while True:
                yield sse([{"type": "ping"}])
                await asyncio.sleep(0.01)

    reply = httpx2.Response(200, stream=Drip(), headers=wires.SSE)
    failure, _ = await answer("messages", reply, deadline_s=0.2)

    assert failure.kind == "timeout"
    assert "deadline_s = 0.2" in failure.message
    assert failure.usage is not None


@each_api
async def test_cancelling_is_not_a_failure(api):
    class Hang(httpx2.AsyncByteStream):
        closed = False

        async def __aiter__(self):
            yield sse(cut(api, keep=2))
            await asyncio.sleep(60)

        async def aclose(self):
            self.closed = True

    hang = Hang()
    model = wires.open_fake(api, lambda _: httpx2.Response(200, stream=hang, headers=wires.SSE))
    task = asyncio.create_task(model.ask(wires.ask_for(), lambda _: None))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await model.close()

    assert hang.closed


async def test_a_defect_of_the_listener_is_not_hidden():
    def broken(_):
        raise ValueError("mine")

    model = wires.open_fake("messages", lambda _: whole_stream("messages", "Hi."))
    with pytest.raises(ValueError, match="mine"):
        await model.ask(wires.ask_for(), broken)
    await model.close()


# --- Errors with a status -------------------------------------------------------------------------


def refusal(api, status, kind=None, message="Told you so", *, code=None, headers=None):
    error = {"type": kind, "message": message, "code": code}
    if api == "messages":
        error["details"] = {"error_code": code}
    return httpx2.Response(status, json={"type": "error", "error": error}, headers=headers or {})


STATUSES = [
    (400, "invalid_request_error", "messages.0: empty content", None, "invalid"),
    (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", None, "context"),
    (400, "invalid_request_error", "x", "context_length_exceeded", "context"),
    (400, "invalid_request_error", "This model's maximum context length is 8192 tokens", None, "context"),
    (400, "invalid_request_error", "You have reached your specified API usage limits.", None, "quota"),
    (400, "invalid_request_error", "Your credit balance is too low", None, "quota"),
    (401, "authentication_error", "no", None, "auth"),
    (401, "invalid_request_error", "no", "invalid_api_key", "auth"),
    (402, "billing_error", "pay", None, "quota"),
    (403, "permission_error", "no", None, "auth"),
    (404, "not_found_error", "model: x", None, "invalid"),
    (408, None, "late", None, "server"),
    (409, None, "conflict", None, "server"),
    (413, "request_too_large", "too large", None, "invalid"),
    (422, None, "what", None, "invalid"),
    (429, "rate_limit_error", "slow", None, "rate_limit"),
    (429, "rate_limit_error", "ramp", "ramp_limit_exceeded", "rate_limit"),
    (429, "rate_limit_error", "spent", "enforced_spend_limit_reached", "quota"),
    (429, "rate_limit_error", "spent", "contract_spend_limit_reached", "quota"),
    (429, "insufficient_quota", "spent", "insufficient_quota", "quota"),
    (429, "tokens", "slow", "rate_limit_exceeded", "rate_limit"),
    (500, "api_error", "oops", None, "server"),
    (500, "overloaded_error", "busy", None, "overloaded"),
    (502, None, "bad gateway", None, "server"),
    (503, None, "busy", None, "overloaded"),
    (504, "timeout_error", "late", None, "timeout"),
    (529, "overloaded_error", "busy", None, "overloaded"),
]


@each_api
@pytest.mark.parametrize("case", STATUSES)
async def test_statuses(api, case):
    status, kind, message, code, expected = case
    failure, _ = await answer(api, refusal(api, status, kind, message, code=code))

    assert (failure.kind, failure.status, failure.sent) == (expected, status, True)
    assert str(status) in failure.message
    assert message in failure.message


@each_api
async def test_a_message_is_one_bounded_line_without_the_key(api):
    message = f"bad key {wires.KEY}\r\nsecond\u202e line\x1b[31m " + "x" * 5000
    failure, _ = await answer(api, refusal(api, 401, "authentication_error", message))

    assert wires.KEY not in failure.message
    assert "[key]" in failure.message
    assert failure.message.isprintable()
    assert len(failure.message) <= 300


@each_api
@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b"null", b"[]", b'"x"', b'{"error": 7}', b"\xff\xfe", b"{" * 9999]
)
async def test_error_bodies_that_are_none(api, body):
    failure, _ = await answer(api, httpx2.Response(502, content=body))

    assert (failure.kind, failure.status) == ("server", 502)
    assert failure.message.startswith("HTTP 502")


@each_api
async def test_one_request_and_no_more(api):
    seen = []

    def busy(request):
        seen.append(request)
        return refusal(api, 529, "overloaded_error", headers={"retry-after": "0", "x-should-retry": "true"})

    failure, _ = await answer(api, busy)

    assert (failure.kind, failure.retry_after_s, len(seen)) == ("overloaded", 0.0, 1)


@each_api
@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (httpx2.ConnectError("refused"), "connection", False),
        (httpx2.ConnectTimeout("slow"), "timeout", False),
        (httpx2.PoolTimeout("full"), "timeout", False),
        (httpx2.ProxyError("no"), "connection", False),
        (httpx2.UnsupportedProtocol("gopher"), "connection", False),
        (httpx2.LocalProtocolError("header"), "invalid", False),
        (httpx2.ReadTimeout("slow"), "timeout", True),
        (httpx2.WriteTimeout("slow"), "timeout", True),
        (httpx2.RemoteProtocolError("gone"), "connection", True),
        (httpx2.TooManyRedirects("round"), "connection", True),
    ],
)
async def test_no_reply_at_all(api, error, kind, sent):
    def fail(_):
        raise error

    failure, _ = await answer(api, fail)

    assert (failure.kind, failure.sent, failure.status, failure.usage) == (kind, sent, None, None)
    assert json.dumps(failure.message)


@each_api
async def test_a_real_refused_connection(api, unused_tcp_port):
    entry = wires.provider(api, base_url=f"http://127.0.0.1:{unused_tcp_port}")
    from agentctl.models.base import open_model

    model = open_model(entry, "k")
    failure = await model.ask(wires.ask_for(), lambda _: None)
    await model.close()

    assert (failure.kind, failure.sent) == ("connection", False)
