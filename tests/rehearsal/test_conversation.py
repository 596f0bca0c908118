"""The real SDKs talk to the stand-in, streamed and not, and hear what the script says."""

import asyncio
import json

import pytest

TALK = """
[[reply]]
thinking = "The order must be looked up."
text = "Let me look."
calls = [
    { tool = "lookup", args = { order = "A-1", deep = { list = [1, 2] } } },
    { tool = "lookup", args = {} },
]
usage = { input = 100, output = 20, cache_read = 30, cache_write = 40 }
[[reply]]
text = "It is on its way."
usage = { input = 7, output = 5 }
"""
SCHEMA = {"type": "object", "properties": {}}
MODEL = "claude-sonnet-4-6"
GPT = "gpt-5.4"


async def ask_anthropic(client, stream, messages, **extra):
    arguments = {
        "model": MODEL,
        "max_tokens": 100,
        "messages": messages,
        "tools": [{"name": "lookup", "input_schema": SCHEMA}],
    } | extra
    if not stream:
        return await client.messages.create(**arguments)
    async with client.messages.stream(**arguments) as events:
        return await events.get_final_message()


async def ask_chat(client, stream, messages, **extra):
    """Returns text, calls as (id, name, arguments), finish reason, refusal, usage."""
    tools = [{"type": "function", "function": {"name": "lookup", "parameters": SCHEMA}}]
    arguments = {"model": GPT, "messages": messages, "tools": tools} | extra
    if not stream:
        reply = await client.chat.completions.create(**arguments)
        choice = reply.choices[0]
        calls = choice.message.tool_calls or []
        return (
            choice.message.content or "",
            [(call.id, call.function.name, call.function.arguments) for call in calls],
            choice.finish_reason,
            choice.message.refusal or "",
            reply.usage,
        )
    text, refusal, calls, finish, usage = "", "", {}, None, None
    options = {"stream": True, "stream_options": {"include_usage": True}}
    async for chunk in await client.chat.completions.create(**arguments, **options):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            refusal += choice.delta.refusal or ""
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or []:
                held = calls.setdefault(call.index, ["", "", ""])
                held[0] += call.id or ""
                held[1] += call.function.name or ""
                held[2] += call.function.arguments or ""
    return text, [tuple(call) for call in calls.values()], finish, refusal, usage


async def ask_responses(client, stream, entries, **extra):
    tools = [{"type": "function", "name": "lookup", "parameters": SCHEMA, "strict": False}]
    arguments = {
        "model": GPT,
        "input": entries,
        "tools": tools,
        "store": False,
        "reasoning": {"summary": "auto"},
    } | extra
    if not stream:
        return await client.responses.create(**arguments)
    last = None
    async for event in await client.responses.create(**arguments, stream=True):
        last = event
    return last.response


@pytest.mark.parametrize("stream", [False, True])
async def test_anthropic_hears_thinking_text_parallel_calls_and_usage(start, anthropic_client, stream):
    standin = await start(TALK)
    client = await anthropic_client(standin)
    messages = [{"role": "user", "content": "Where is it?"}]

    first = await ask_anthropic(client, stream, messages)
    thinking, text, one, two = first.content
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "x"} for call in (one, two)]
    messages += [first.to_param(), {"role": "user", "content": results}]
    second = await ask_anthropic(client, stream, messages)

    assert "tool_use" == first.stop_reason
    assert "The order must be looked up." == thinking.thinking
    assert thinking.signature
    assert "Let me look." == text.text
    assert [{"order": "A-1", "deep": {"list": [1, 2]}}, {}] == [one.input, two.input]
    assert one.id.startswith("toolu_")
    assert one.id != two.id
    usage = first.usage
    assert (100, 20, 30, 40) == (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )
    assert ("end_turn", "It is on its way.") == (second.stop_reason, second.content[0].text)
    assert 2 == standin.position()


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_hears_text_parallel_calls_and_usage(start, openai_client, stream):
    client = await openai_client(await start(TALK))
    messages = [{"role": "user", "content": "Where is it?"}]

    text, calls, finish, _, usage = await ask_chat(client, stream, messages)
    messages.append(
        {
            "role": "assistant",
            "content": text,
            "tool_calls": [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls],
        }
    )
    messages += [{"role": "tool", "tool_call_id": call[0], "content": "x"} for call in calls]
    again = await ask_chat(client, stream, messages)

    assert ("Let me look.", "tool_calls") == (text, finish)
    assert ["lookup", "lookup"] == [name for _, name, _ in calls]
    assert [{"order": "A-1", "deep": {"list": [1, 2]}}, {}] == [json.loads(a) for *_, a in calls]
    assert len({ident for ident, *_ in calls}) == 2
    assert (170, 20, 30) == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens_details.cached_tokens,
    )
    assert ("It is on its way.", [], "stop") == again[:3]


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_hears_reasoning_text_parallel_calls_and_usage(start, openai_client, stream):
    client = await openai_client(await start(TALK))
    entries = [{"role": "user", "content": "Where is it?"}]

    first = await ask_responses(client, stream, entries)
    reasoning, message, one, two = first.output
    entries += [
        *first.output,
        {"type": "function_call_output", "call_id": one.call_id, "output": "x"},
        {"type": "function_call_output", "call_id": two.call_id, "output": "x"},
    ]
    second = await ask_responses(client, stream, entries)

    assert "completed" == first.status
    assert "The order must be looked up." == reasoning.summary[0].text
    assert reasoning.encrypted_content
    assert "Let me look." == message.content[0].text
    assert {"order": "A-1", "deep": {"list": [1, 2]}} == json.loads(one.arguments)
    assert (one.id[:3], one.call_id[:5]) == ("fc_", "call_")
    assert one.call_id != two.call_id
    assert (170, 20, 30, 40) == (
        first.usage.input_tokens,
        first.usage.output_tokens,
        first.usage.input_tokens_details.cached_tokens,
        first.usage.input_tokens_details.cache_write_tokens,
    )
    assert "It is on its way." == second.output_text


STOPS = ["end_turn", "max_tokens", "refusal", "context_exceeded"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stop", STOPS)
async def test_every_stop_is_worded_as_each_api_words_it(start, anthropic_client, openai_client, stop, stream):
    standin = await start(f'[[reply]]\ntext = "No."\nstop = "{stop}"')
    user = [{"role": "user", "content": "x"}]
    openai = await openai_client(standin)

    message = await ask_anthropic(await anthropic_client(standin), stream, user)
    text, _, finish, refusal, _ = await ask_chat(openai, stream, user)
    response = await ask_responses(openai, stream, user)

    reasons = {"context_exceeded": "model_context_window_exceeded"}
    assert reasons.get(stop, stop) == message.stop_reason
    assert (stop == "refusal") == (message.stop_details is not None)
    cut = stop in {"max_tokens", "context_exceeded"}
    assert ("length" if cut else "stop") == finish
    assert ("", "No.") == ((text, refusal) if stop == "refusal" else (refusal, text))
    assert ("incomplete" if cut else "completed") == response.status
    assert ("refusal" if stop == "refusal" else "output_text") == response.output[0].content[0].type


async def test_tool_choice_none_is_never_answered_with_calls(start, anthropic_client, openai_client):
    standin = await start('[[reply]]\ncalls = [{ tool = "lookup" }]')
    user = [{"role": "user", "content": "x"}]
    openai = await openai_client(standin)

    message = await ask_anthropic(await anthropic_client(standin), True, user, tool_choice={"type": "none"})
    chat = await ask_chat(openai, True, user, tool_choice="none")
    response = await ask_responses(openai, True, user, tool_choice="none")

    said = "Here is what I have so far."
    assert ("end_turn", said) == (message.stop_reason, message.content[0].text)
    assert (said, [], "stop") == chat[:3]
    assert said == response.output_text


async def test_one_call_at_a_time_is_kept_to(start, anthropic_client, openai_client):
    standin = await start(TALK)
    user = [{"role": "user", "content": "x"}]
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    message = await ask_anthropic(await anthropic_client(standin), True, user, tool_choice=choice)
    standin.set_position("", 0)
    chat = await ask_chat(await openai_client(standin), True, user, parallel_tool_calls=False)

    assert 1 == sum(block.type == "tool_use" for block in message.content)
    assert 1 == len(chat[1])


async def test_omitted_thinking_is_empty_and_signed(start, anthropic_client):
    standin = await start(TALK)
    messages = [{"role": "user", "content": "x"}]

    thinking = {"type": "adaptive", "display": "omitted"}
    message = await ask_anthropic(await anthropic_client(standin), True, messages, thinking=thinking)
    assert "" == message.content[0].thinking
    assert message.content[0].signature


async def test_runs_on_one_server_hear_the_script_each_from_its_beginning(start, anthropic_client):
    standin = await start('[[reply]]\ntext = "1"\n[[reply]]\ntext = "2"\n[[reply]]\ntext = "3"')
    user = [{"role": "user", "content": "x"}]

    async def hear(run):
        client = await anthropic_client(standin, run=run)
        return [(await ask_anthropic(client, True, user)).content[0].text for _ in range(3)]

    heard = await asyncio.gather(*(hear(f"r_{n}/ä") for n in range(8)))

    assert [["1", "2", "3"]] * 8 == heard
    assert 0 == standin.position()
    assert 3 == standin.position("r_0/ä")
    assert {f"r_{n}/ä" for n in range(8)} == {seen.run for seen in standin.requests}


async def test_a_second_stand_in_goes_on_where_the_first_one_was(start, anthropic_client):
    text = TALK + '[[reply]]\nthinking = "m"\ntext = "Third."'
    first = await start(text)
    messages = [{"role": "user", "content": "x"}]
    reply = await ask_anthropic(await anthropic_client(first), True, messages)
    calls = [block.id for block in reply.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call} for call in calls]
    messages += [reply.to_param(), {"role": "user", "content": results}]

    second = await start(text, position=first.position())
    client = await anthropic_client(second)
    resumed = await ask_anthropic(client, True, messages)

    assert "It is on its way." == resumed.content[0].text
    assert 2 == second.position()


async def test_the_same_rehearsal_is_the_same_to_the_letter(start, anthropic_client):
    user = [{"role": "user", "content": "x"}]
    heard = [await ask_anthropic(await anthropic_client(await start(TALK)), True, user) for _ in range(2)]

    assert heard[0] == heard[1]


async def test_silence_before_a_reply_is_kept_and_a_client_that_leaves_does_not_use_it_up(start, anthropic_client):
    standin = await start('[[reply]]\ntext = "1"\ndelay_s = 0.3\n[[reply]]\ntext = "2"')
    client = await anthropic_client(standin)
    user = [{"role": "user", "content": "x"}]

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask_anthropic(client, True, user), 0.1)
    begun = asyncio.get_running_loop().time()
    reply = await ask_anthropic(client, True, user)

    assert "1" == reply.content[0].text
    assert asyncio.get_running_loop().time() - begun >= 0.3
    assert [0, 200] == [seen.status for seen in standin.requests]


async def test_requests_are_remembered(start, openai_client):
    standin = await start(keep_bodies=True)
    client = await openai_client(standin, provider="backup", run="r_1")

    await client.responses.create(model=GPT, input="x", store=False)

    seen = standin.requests[0]
    assert ("backup", "r_1", "responses", 200, "") == (
        seen.provider,
        seen.run,
        seen.api,
        seen.status,
        seen.fault,
    )
    assert seen.body == {"model": GPT, "input": "x", "store": False}
    assert "Bearer key" == seen.headers["authorization"]
