"""Every way to misbehave, as the real SDKs experience it."""

import asyncio

import anthropic
import httpx2
import openai
import pytest

USER = [{"role": "user", "content": "x"}]
SCHEMA = {"type": "object"}
REPLY = '[[reply]]\ntext = "Hello there."\ncalls = [{ tool = "t", args = { a = "long enough" } }]\n'
DROPPED = (httpx2.HTTPError, anthropic.APIConnectionError, openai.APIConnectionError)


async def ask(api, stream, clients, standin):
    """Ask once; return the last event or the reply."""
    connect_anthropic, connect_openai = clients
    if api == "messages":
        client = await connect_anthropic(standin)
        asked = client.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=9,
            messages=USER,
            stream=stream,
            tools=[{"name": "t", "input_schema": SCHEMA}],
        )
    elif api == "chat":
        client = await connect_openai(standin)
        asked = client.chat.completions.create(
            model="gpt-5.4",
            messages=USER,
            stream=stream,
            tools=[{"type": "function", "function": {"name": "t", "parameters": SCHEMA}}],
            **({"stream_options": {"include_usage": True}} if stream else {}),
        )
    else:
        client = await connect_openai(standin)
        asked = client.responses.create(
            model="gpt-5.4",
            input=USER,
            stream=stream,
            tools=[{"type": "function", "name": "t", "parameters": SCHEMA, "strict": False}],
        )
    reply = await asked
    return [event async for event in reply] if stream else reply


@pytest.fixture
def clients(anthropic_client, openai_client):
    return anthropic_client, openai_client


APIS = pytest.mark.parametrize("api", ["messages", "chat", "responses"])
STREAMS = pytest.mark.parametrize("stream", [False, True])


def fault(kind, **keys):
    lines = [f"{key} = {value!r}" for key, value in keys.items()]
    return REPLY + "\n".join(["[[fault]]", f'kind = "{kind}"', *lines])


@APIS
@STREAMS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
async def test_a_scripted_status_arrives_with_its_body_and_headers(start, clients, api, stream, status):
    script = fault("status", status=status, requests="1")
    standin = await start(script + '\nheaders = { "retry-after" = "7" }\ncode = "odd"')

    with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as caught:
        await ask(api, stream, clients, standin)
    await ask(api, stream, clients, standin)

    assert status == caught.value.status_code
    assert "7" == caught.value.response.headers["retry-after"]
    assert "odd" == (caught.value.error_code if api == "messages" else caught.value.code)
    assert [status, 200] == [seen.status for seen in standin.requests]
    assert 1 == standin.position()


@APIS
@STREAMS
@pytest.mark.parametrize("kind", ["hang", "stall"])
async def test_a_silent_server_stays_silent_until_the_client_leaves(start, clients, api, stream, kind):
    standin = await start(fault(kind))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(api, stream, clients, standin), 0.2)

    assert 0 == standin.position()


@APIS
@STREAMS
async def test_a_reset_tears_the_connection_down(start, clients, api, stream):
    standin = await start(fault("reset"))

    with pytest.raises(DROPPED):
        await ask(api, stream, clients, standin)

    assert 0 == standin.position()


@APIS
async def test_a_truncated_stream_ends_cleanly_after_some_content(start, clients, api):
    standin = await start(fault("truncate"))

    events = await ask(api, True, clients, standin)

    assert "message_stop" not in {getattr(event, "type", "") for event in events}
    assert "response.completed" not in {getattr(event, "type", "") for event in events}
    assert any(getattr(event, "type", "") in CONTENT or has_text(event) for event in events)
    assert 0 == standin.position()


CONTENT = {"content_block_delta", "response.output_text.delta"}


def has_text(event):
    choices = getattr(event, "choices", None)
    return bool(choices and choices[0].delta.content)


@pytest.mark.parametrize("kind", ["truncate", "bad_json", "garbage", "empty"])
@APIS
async def test_a_whole_reply_that_is_no_json_is_no_reply(start, raw, api, kind):
    standin = await start(fault(kind))
    path, body = REQUESTS[api]

    response = await raw(standin).post(path, body)

    assert 200 == response.status_code
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        response.json()
    assert 0 == standin.position()


REQUESTS = {
    "messages": (
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": USER},
    ),
    "chat": ("/v1/chat/completions", {"model": "m", "messages": USER}),
    "responses": ("/v1/responses", {"model": "m", "input": USER}),
}


@APIS
async def test_a_cut_event_in_a_stream_is_seen_by_the_sdk(start, clients, api):
    standin = await start(fault("bad_json"))

    with pytest.raises((ValueError, anthropic.APIError, openai.APIError)):
        await ask(api, True, clients, standin)


@APIS
async def test_garbage_is_a_page_with_status_200(start, raw, api):
    path, body = REQUESTS[api]

    response = await raw(await start(fault("garbage"))).post(path, body | {"stream": True})

    assert (200, "text/html") == (response.status_code, response.headers["content-type"])
    assert "<html>" in response.text


@APIS
async def test_the_wrong_shape_is_json_that_is_no_reply(start, raw, api):
    path, body = REQUESTS[api]
    caller = raw(await start(fault("wrong_shape")))

    whole = await caller.post(path, body)
    streamed = await caller.post(path, body | {"stream": True})

    assert not {"content", "choices", "output"} & set(whole.json())
    assert streamed.text.startswith("data: {")


async def test_an_error_event_follows_some_content(start, clients):
    script = fault("error_event", status=529, message="Overloaded")

    with pytest.raises(anthropic.APIStatusError) as caught:
        await ask("messages", True, clients, await start(script))
    with pytest.raises(openai.APIError) as chat:
        await ask("chat", True, clients, await start(script))
    responses = await ask("responses", True, clients, await start(script))

    assert (200, "overloaded_error") == (caught.value.status_code, caught.value.type)
    assert "Overloaded" in str(chat.value)
    assert ("error", "Overloaded") == (responses[-1].type, responses[-1].message)


@APIS
@STREAMS
async def test_a_slow_server_trickles_the_whole_reply(start, clients, api, stream):
    standin = await start(fault("slow", delay_s=0.01))
    begun = asyncio.get_running_loop().time()

    await ask(api, stream, clients, standin)

    assert asyncio.get_running_loop().time() - begun >= 0.06
    assert 1 == standin.position()


@APIS
async def test_broken_arguments_come_in_a_reply_that_is_otherwise_whole(start, clients, api):
    standin = await start(fault("bad_args"))
    broken = '{"a":"long enough"'

    reply = await ask(api, False, clients, standin)

    if api == "messages":
        assert broken == reply.content[-1].input
    elif api == "chat":
        assert broken == reply.choices[0].message.tool_calls[0].function.arguments
    else:
        assert broken == reply.output[-1].arguments
    assert 1 == standin.position()


@APIS
@STREAMS
@pytest.mark.parametrize("how", ["negative", "huge", "null", "hollow", "missing"])
async def test_absurd_usage_comes_in_a_reply_that_is_otherwise_whole(start, raw, api, stream, how):
    path, body = REQUESTS[api]
    options = {"stream_options": {"include_usage": True}} if api == "chat" and stream else {}
    standin = await start(fault("absurd_usage", usage=how))

    response = await raw(standin).post(path, body | options | {"stream": stream})

    marks = {
        "negative": ":-7",
        "huge": ":1000000000000000",
        "null": '"usage":null',
        "hollow": '_tokens":null',
    }
    if how in marks:
        assert marks[how] in response.text
    else:
        assert '"usage":{' not in response.text
    assert 1 == standin.position()


@APIS
async def test_the_context_error_is_each_providers_own(start, clients, api):
    with pytest.raises((anthropic.BadRequestError, openai.BadRequestError)) as caught:
        await ask(api, True, clients, await start(fault("context_exceeded")))

    if api == "messages":
        assert "prompt is too long: 210000 tokens > 200000 maximum" in str(caught.value)
    else:
        assert "context_length_exceeded" == caught.value.code


async def test_faults_count_the_requests_of_each_provider_and_run_alone(start, raw):
    standin = await start(REPLY + '[[fault]]\nkind = "status"\nrequests = "2-3"\nprovider = "p"')
    caller = raw(standin)
    path, body = REQUESTS["messages"]

    async def statuses(count, **whom):
        return [(await caller.post(path, body, **whom)).status_code for _ in range(count)]

    assert [200, 529, 529, 200] == await statuses(4)
    assert [200, 200, 200] == await statuses(3, provider="other")
    assert [200, 529] == await statuses(2, run="r_2")
    assert 4 == standin.request_count("p")

    standin.set_request_count("p", 1)
    assert [529, 529, 200] == await statuses(3)


async def test_counting_tokens_is_no_model_request(start, raw):
    standin = await start(fault("status", requests="1"))
    caller = raw(standin)
    path, body = REQUESTS["messages"]

    counted = await caller.post(path + "/count_tokens", {"model": "m", "messages": USER})

    assert 200 == counted.status_code
    assert 529 == (await caller.post(path, body)).status_code
