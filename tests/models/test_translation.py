"""What is sent: the same words for every API, the maker's own items for their maker, markers where they pay."""

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.messages import History, Message, Request, Text, Thinking, ToolAnswer, ToolUse
from agentctl.models.chat import Chat
from agentctl.models.messages_api import Messages
from agentctl.models.responses import Responses
from agentctl.models.wire import NO_TEXT
from tests.models import wires
from tests.models.wires import APIS, ask_for, provider

each_api = pytest.mark.parametrize("api", APIS)


def dialect(api: str, *, ttl: Any = "5m", tag: str = "", **changes: Any) -> Any:
    entry = provider(api, **changes)
    if api == "messages":
        return Messages(entry, ttl)
    return Chat(entry, tag, ttl) if api == "chat" else Responses(entry, tag, ttl)


def body(api: str, request: Request, **changes: Any) -> Any:
    return json.loads(dialect(api, **changes).body(request))


def user(*texts: str) -> Message:
    return Message("user", tuple(Text(text) for text in texts))


def step(number: int, calls: int = 1, *, maker: str = "", raw: Any = ()) -> list[Message]:
    uses = tuple(ToolUse(f"c{number}.{i}", f"id_{number}_{i}", "add", {"a": i}) for i in range(calls))
    answers = tuple(ToolAnswer(use.call_id, use.wire_id, f'{{"n":{number}}}', is_error=False) for use in uses)
    return [
        Message("assistant", (Thinking("Hm."), Text(f"Step {number}."), *uses), maker, raw),
        Message("user", answers),
    ]


# --- The whole body -------------------------------------------------------------------------------


def conversation() -> tuple[Message, ...]:
    return (
        user("Add 1."),
        Message(
            "assistant",
            (Text("Sure."), ToolUse("c1.0", "id_1", "add", {"a": 1}), ToolUse("c1.1", "id_2", "add", None, "{")),
        ),
        Message(
            "user", (Text("Go on."), ToolAnswer("c1.0", "id_1", "1", False), ToolAnswer("c1.1", "id_2", "bad", True))
        ),
    )


def test_a_messages_body():
    assert body("messages", ask_for(*conversation()), effort="high") == {
        "model": "claude-sonnet-4-6",
        "max_tokens": 1000,
        "stream": True,
        "diagnostics": {"previous_message_id": None},
        "output_config": {"effort": "high"},
        "tool_choice": {"type": "auto"},
        "tools": [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in wires.TOOLS
        ],
        "system": [{"type": "text", "text": "Be good.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Add 1.", "cache_control": {"type": "ephemeral"}}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Sure."},
                    {"type": "tool_use", "id": "id_1", "name": "add", "input": {"a": 1}},
                    {"type": "tool_use", "id": "id_2", "name": "add", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "id_1", "content": "1"},
                    {"type": "tool_result", "tool_use_id": "id_2", "content": "bad", "is_error": True},
                    {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}},
                ],
            },
        ],
    }


def test_a_responses_body():
    assert body("responses", ask_for(*conversation()), effort="high", tag="t") == {
        "model": "gpt-5.4",
        "max_output_tokens": 1000,
        "stream": True,
        "store": False,
        "reasoning": {"effort": "high"},
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "t",
        "tool_choice": "auto",
        "instructions": "Be good.",
        "tools": [
            {
                "type": "function",
                "name": t.name,
                "description": t.description,
                "parameters": t.parameters,
                "strict": False,
            }
            for t in wires.TOOLS
        ],
        "input": [
            {"role": "user", "content": "Add 1."},
            {"role": "assistant", "content": "Sure."},
            {"type": "function_call", "call_id": "id_1", "name": "add", "arguments": '{"a":1}'},
            {"type": "function_call", "call_id": "id_2", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "id_1", "output": "1"},
            {"type": "function_call_output", "call_id": "id_2", "output": "bad"},
            {"role": "user", "content": "Go on."},
        ],
    }


def test_a_chat_body():
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    garbled = {"type": "function", "function": {"name": "add", "arguments": "{}"}}
    tools = [
        {"name": t.name, "description": t.description, "parameters": t.parameters, "strict": False} for t in wires.TOOLS
    ]
    assert body("chat", ask_for(*conversation()), effort="low", tag="t") == {
        "model": "gpt-5.4",
        "max_completion_tokens": 1000,
        "stream": True,
        "stream_options": {"include_usage": True},
        "store": False,
        "prompt_cache_key": "t",
        "reasoning_effort": "low",
        "tool_choice": "auto",
        "tools": [{"type": "function", "function": tool} for tool in tools],
        "messages": [
            {"role": "system", "content": "Be good."},
            {"role": "user", "content": "Add 1."},
            {
                "role": "assistant",
                "content": "Sure.",
                "tool_calls": [{"id": "id_1", **call}, {"id": "id_2", **garbled}],
            },
            {"role": "tool", "tool_call_id": "id_1", "content": "1"},
            {"role": "tool", "tool_call_id": "id_2", "content": "bad"},
            {"role": "user", "content": "Go on."},
        ],
    }


def test_a_compatible_server_gets_the_common_denominator():
    local = {"base_url": "http://127.0.0.1:1/v1", "tag": "t"}
    chat = body("chat", ask_for(tools=()), model="llama3.2:3b", **local)
    assert chat.keys() == {"model", "max_tokens", "stream", "stream_options", "messages"}

    responses = body("responses", ask_for(), **local)
    assert responses["store"] is False
    assert not responses.keys() & {"include", "prompt_cache_key"}


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("gpt-5.4", "max_completion_tokens"),
        ("openai/o3", "max_completion_tokens"),
        ("gpt-oss:20b", "max_tokens"),
        ("llama3.2:3b", "max_tokens"),
    ],
)
def test_openai_s_newer_models_refuse_the_older_limit_behind_a_proxy_too(model, limit):
    sent = body("chat", ask_for(), base_url="http://127.0.0.1:1/v1", model=model)

    assert sent.keys() & {"max_tokens", "max_completion_tokens"} == {limit}


@each_api
def test_landing_sends_the_same_tools_and_forbids_them(api):
    free, landing = body(api, ask_for()), body(api, ask_for(use_tools=False))

    assert landing.pop("tool_choice") == ({"type": "none"} if api == "messages" else "none")
    free.pop("tool_choice")
    assert landing == free


@each_api
def test_without_system_and_tools(api):
    sent = body(api, ask_for(system="", tools=()))

    assert not sent.keys() & {"system", "instructions", "tools", "tool_choice"}
    assert "system" not in [item.get("role") for item in sent["input" if api == "responses" else "messages"]]


def test_responses_never_asks_for_fewer_tokens_than_the_api_takes():
    assert body("responses", ask_for(max_output_tokens=1))["max_output_tokens"] == 16


@each_api
def test_nothing_empty_is_ever_sent(api):
    messages = (user(""), Message("assistant", (Thinking("…"),)), Message("user", (ToolAnswer("c", "i", "", False),)))
    sent = body(api, ask_for(*messages, Message("assistant", ()), user(" ", "")))

    text = json.dumps(sent["input" if api == "responses" else "messages"])
    assert text.count(NO_TEXT) == 5
    assert '""' not in text
    assert "[]" not in text


def test_what_a_user_says_twice_in_a_row_is_said_at_once():
    history = (*step(1), user("And?", "Well?"), user("Hurry."))

    messages = body("messages", ask_for(*history))["messages"]
    assert [turn["role"] for turn in messages] == ["assistant", "user"]
    assert [block["type"] for block in messages[1]["content"]] == ["tool_result", "text", "text", "text"]
    chat = body("chat", ask_for(*history))["messages"]
    assert chat[-1] == {"role": "user", "content": "And?\n\nWell?\n\nHurry."}


@each_api
def test_half_a_character_does_not_stop_a_request(api):
    assert b"a?b" in dialect(api).body(ask_for(user("a\ud83cb")))


# --- Echoes ---------------------------------------------------------------------------------------

RAW = {
    "messages": (
        {"type": "thinking", "thinking": "", "signature": "SIG"},
        {"type": "text", "text": "Step 1."},
        {"type": "tool_use", "id": "id_1_0", "name": "add", "input": {"a": 0}},
    ),
    "responses": (
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "SEALED"},
        {"type": "function_call", "id": "fc", "call_id": "id_1_0", "name": "add", "arguments": '{"a": 0}'},
    ),
}


@pytest.mark.parametrize("api", RAW)
def test_the_maker_is_sent_its_own_items(api):
    raw = RAW[api]
    sent = body(api, ask_for(user("Hi."), *step(1, maker=provider(api).identity, raw=raw)))

    if api == "messages":
        assert sent["messages"][1]["content"] == list(raw)
    else:
        assert sent["input"][1:3] == list(raw)


@pytest.mark.parametrize("api", RAW)
@pytest.mark.parametrize("to", APIS)
def test_nobody_else_is(api, to):
    maker = provider(api, model="another").identity
    sent = json.dumps(body(to, ask_for(user("Hi."), *step(1, maker=maker, raw=RAW[api]))))

    assert "SIG" not in sent
    assert "SEALED" not in sent
    assert "Hm." not in sent
    assert "Step 1." in sent


@pytest.mark.parametrize("api", RAW)
def test_a_repaired_id_is_repaired_in_the_echo(api):
    assistant, answers = step(1, maker=provider(api).identity, raw=RAW[api])
    use = ToolUse("c1.0", "repaired", "add", {"a": 0})
    message = Message("assistant", (use,), assistant.maker, assistant.raw)
    sent = json.dumps(
        body(api, ask_for(user("Hi."), message, Message("user", (ToolAnswer("c1.0", "repaired", "x", False),))))
    )

    assert "id_1_0" not in sent
    assert sent.count('"repaired"') == 2
    assert len(answers.blocks) == 1


@pytest.mark.parametrize("api", RAW)
def test_an_echo_that_tells_other_calls_is_not_used(api):
    message = Message("assistant", (Text("No calls."),), provider(api).identity, RAW[api])
    sent = json.dumps(body(api, ask_for(user("Hi."), message)))

    assert "No calls." in sent
    assert "id_1_0" not in sent


def test_chat_never_echoes_items_of_another_api():
    sent = body("chat", ask_for(user("Hi."), *step(1, maker=provider("chat").identity, raw=RAW["responses"])))

    assert "SEALED" not in json.dumps(sent)


# --- Step by step is all at once ------------------------------------------------------------------

texts = st.text(max_size=8)
turns = st.one_of(
    st.builds(lambda t: [user(*t)], st.lists(texts, max_size=3)),
    st.builds(step, st.integers(0, 9), st.integers(0, 4)),
    st.builds(lambda t: [Message("assistant", (Text(t),))], texts),
)


@each_api
@given(st.lists(st.tuples(turns, st.booleans(), st.booleans()), max_size=12))
@settings(max_examples=60, deadline=None)
def test_incremental_equals_rebuilt(api, moves):
    history = History()
    grown = dialect(api)
    for messages, rewrite, look in moves:
        if rewrite and history.messages:
            history.messages = history.messages[len(history.messages) // 2 :]
            history.epoch += 1
        history.messages += messages
        if look:
            request = ask_for(history=history)
            assert grown.body(request) == dialect(api).body(request)


@each_api
def test_two_histories_of_one_epoch_are_told_apart(api):
    one, other = dialect(api), dialect(api)
    one.body(ask_for(user("A."), user("B.")))
    request = ask_for(user("A."), user("C."), user("D."))

    assert one.body(request) == other.body(request)


@each_api
def test_other_tools_or_system_are_noticed(api):
    held = dialect(api)
    held.body(ask_for())
    request = ask_for(system="Be quick.", tools=wires.TOOLS[:1])

    assert held.body(request) == dialect(api).body(request)


# --- Cache markers --------------------------------------------------------------------------------


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: stripped(inner) for key, inner in value.items() if key != "cache_control"}
    return [stripped(inner) for inner in value] if isinstance(value, list) else value


def marks(sent: Any) -> list[int]:
    """The places of markers among all blocks of the messages."""
    blocks = [block for turn in sent["messages"] for block in turn["content"]]
    return [place for place, block in enumerate(blocks) if "cache_control" in block]


@pytest.mark.parametrize("calls", [1, 5, 12, 19, 30])
def test_markers_over_sixty_steps(calls):
    history = History([user("Go.")])
    held = dialect("messages")
    written: set[int] = set()
    before: Any = []
    for number in range(60):
        sent = json.loads(held.body(ask_for(history=history)))
        places = marks(sent)
        total = sum(len(turn["content"]) for turn in sent["messages"])

        assert "cache_control" in sent["system"][0]
        assert len(places) <= 3
        assert places[-1] == total - 1
        # Where the last request ended there is an entry, and a marker stands exactly there.
        assert not written or max(written) in places
        gaps = [right - left for left, right in itertools.pairwise(places)]
        assert calls > 18 or all(gap <= 20 for gap in gaps)
        assert stripped(sent["messages"])[: len(before)] == before

        before = stripped(sent["messages"])
        written |= set(places)
        history.messages += step(number, calls)


def test_markers_never_stand_on_thinking():
    raw = tuple({"type": "thinking", "thinking": "", "signature": "S"} for _ in range(25))
    maker = provider("messages").identity
    message = Message("assistant", (), maker, raw)
    sent = body("messages", ask_for(user("Hi."), message, user("So?")))

    assert all("cache_control" not in block for block in sent["messages"][1]["content"])


def test_markers_of_an_hour_and_none():
    hour = body("messages", ask_for(), ttl="1h")
    assert hour["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert hour["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}

    assert b"cache_control" not in dialect("messages", ttl="off").body(ask_for())


def test_without_a_system_prompt_the_last_tool_is_marked():
    sent = body("messages", ask_for(system=""))

    assert ["cache_control" in tool for tool in sent["tools"]] == [False, True]
    assert "cache_control" not in wires.TOOLS[-1].parameters


# --- The SDKs' own view of a body -----------------------------------------------------------------


def long_history() -> tuple[Message, ...]:
    return (*conversation(), *step(1, 3), *step(2), user("Grüße, 🎈."), Message("assistant", ()), user(""))


@each_api
@pytest.mark.parametrize("effort", [None, "high"])
async def test_the_sdk_would_send_the_same(api, effort):
    """Body for body and header for header, given the same as parameters."""
    seen: list[Any] = []

    def record(request):
        seen.append(request)
        return wires.whole_stream(api, "Hi.")

    model = wires.open_fake(api, record, tag="t", effort=effort)
    await model.ask(ask_for(*long_history()), lambda _: None)
    params = json.loads(seen[0].content)
    client = model._client
    resource = {"messages": "messages", "responses": "responses", "chat": "chat"}[api]
    create = client.chat.completions.create if api == "chat" else getattr(client, resource).create
    async for _ in await create(**params):
        pass
    await model.close()

    ours, theirs = seen
    assert json.loads(ours.content) == json.loads(theirs.content)
    assert ours.url == theirs.url
    assert dict(ours.headers) | {"content-length": ""} == dict(theirs.headers) | {"content-length": ""}
    assert ours.extensions["timeout"] == theirs.extensions["timeout"]


@each_api
def test_the_sdk_s_types_accept_the_body(api):
    from pydantic import TypeAdapter

    sent = body(api, ask_for(*long_history()), tag="t", effort="high")
    if api == "messages":
        from anthropic.types.message_create_params import MessageCreateParamsStreaming as Params
    elif api == "responses":
        from openai.types.responses.response_create_params import ResponseCreateParamsStreaming as Params
    else:
        from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming as Params

    TypeAdapter(Params).validate_python(sent)
    with pytest.raises(ValueError, match="validation error"):
        TypeAdapter(Params).validate_python(sent | {"model": 7})


# --- Speed: what a step costs must not grow with what lies behind it ------------------------------


@each_api
def test_a_message_is_translated_once(api, monkeypatch):
    """B60"""
    translated: list[Message] = []
    held = dialect(api)
    backlog = held._backlog
    monkeypatch.setattr(backlog, "_translate", lambda m, do=backlog._translate: (translated.append(m), do(m)))
    history = History([user("Go.")])
    for number in range(50):
        held.body(ask_for(history=history))
        history.messages += step(number)

    assert translated == history.messages[:-2]


@each_api
def test_models_of_one_provider_do_not_share_a_history(api):
    async def both():
        models = [wires.open_fake(api, lambda _: wires.whole_stream(api, "Hi.")) for _ in range(2)]
        replies = await asyncio.gather(*(model.ask(ask_for(), lambda _: None) for model in models))
        for model in models:
            await model.close()
        return replies

    assert [reply.stop for reply in asyncio.run(both())] == ["end_turn"] * 2
