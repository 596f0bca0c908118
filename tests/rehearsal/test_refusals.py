"""What the real ones refuse is refused, with their status and the shape of their errors."""

import copy

import pytest

SCHEMA = {"type": "object", "properties": {}}
USER = {"role": "user", "content": "x"}

# --- Messages -------------------------------------------------------------------------------------

TOOL = {"name": "t", "input_schema": SCHEMA}
USE = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
MARK = {"cache_control": {"type": "ephemeral"}}
TEXT = {"type": "text", "text": "x"}
MESSAGES = {"model": "claude-sonnet-4-6", "max_tokens": 100, "messages": [USER], "tools": [TOOL]}


def said(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def heard(*blocks):
    return {"role": "user", "content": list(blocks)}


def history(*messages):
    return {"messages": [USER, *messages]}


def tool(**keys):
    return {"tools": [TOOL | keys]}


ANTHROPIC_REFUSES = {
    "no model": ({"model": None}, "model"),
    "no max_tokens": ({"max_tokens": None}, "max_tokens: Field required"),
    "negative max_tokens": ({"max_tokens": -1}, "greater than or equal to 0"),
    "max_tokens that is text": ({"max_tokens": "9"}, "valid integer"),
    "temperature": ({"temperature": 1.0}, "temperature: Extra inputs"),
    "top_p": ({"top_p": 0.9}, "top_p: Extra inputs"),
    "top_k": ({"top_k": 5}, "top_k: Extra inputs"),
    "unknown parameter": ({"colour": 1}, "colour: Extra inputs"),
    "beta parameter without its header": ({"context_management": {}}, "context_management"),
    "no messages": ({"messages": []}, "at least one message"),
    "messages that are no list": ({"messages": {}}, "valid list"),
    "first message not user": ({"messages": [said(TEXT), USER]}, 'first message must use the "user"'),
    "unknown role": ({"messages": [USER, {"role": "tool", "content": "x"}]}, "role"),
    "system role on a model without it": (history({"role": "system", "content": "x"}), "system"),
    "system role first": (
        {"model": "claude-opus-5", "messages": [{"role": "system", "content": "x"}]},
        "first message",
    ),
    "two system messages": (
        {"model": "claude-opus-5"} | history(*[{"role": "system", "content": "x"}] * 2),
        "must follow a user message",
    ),
    "user after system": (
        {"model": "claude-opus-5"} | history({"role": "system", "content": "x"}, USER),
        "last or followed by assistant",
    ),
    "prefill": (history(said(TEXT)), "prefill"),
    "empty content": (history(said(TEXT), {"role": "user", "content": ""}), "non-empty content"),
    "no blocks": (history(said(), USER), "non-empty content"),
    "empty text": (history(said({"type": "text", "text": ""}), USER), "must be non-empty"),
    "blank text": (history(said({"type": "text", "text": " \n"}), USER), "non-whitespace"),
    "empty system block": ({"system": [{"type": "text", "text": ""}]}, "must be non-empty"),
    "empty text in a result": (
        history(said(USE), heard(RESULT | {"content": [{"type": "text", "text": ""}]})),
        "must be non-empty",
    ),
    "call without result": (history(said(USE), USER), "without `tool_result` blocks immediately"),
    "call at the end": (history(said(USE)), "without `tool_result` blocks immediately"),
    "one of two calls without result": (
        history(said(USE, USE | {"id": "toolu_2"}), heard(RESULT)),
        "toolu_2",
    ),
    "result after text": (history(said(USE), heard(TEXT, RESULT)), "without `tool_result` blocks"),
    "result without call": (history(said(TEXT), heard(RESULT)), "unexpected `tool_use_id`"),
    "two results for one call": (history(said(USE), heard(RESULT, RESULT)), "single result"),
    "duplicate call ids": (
        history(said(USE), heard(RESULT), said(USE), heard(RESULT)),
        "ids must be unique",
    ),
    "call id of odd letters": (history(said(USE | {"id": "a b"}), heard(RESULT)), "tool_use.id"),
    "call whose input is text": (history(said(USE | {"input": "{}"}), heard(RESULT)), "input"),
    "call by the user": (history(said(TEXT), heard(USE)), "only be in `assistant`"),
    "result by the assistant": (history(said(RESULT), USER), "can't be in `assistant`"),
    "five cache markers": ({"system": [TEXT | MARK] * 5}, "maximum of 4 blocks"),
    "automatic marker as the fifth": ({"system": [TEXT | MARK] * 4} | MARK, "maximum of 4 blocks"),
    "long marker after a short one": (
        {
            "system": [
                TEXT | MARK,
                TEXT | {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ]
        },
        "must not come after",
    ),
    "marker with an unknown lifetime": (
        {"system": [TEXT | {"cache_control": {"type": "ephemeral", "ttl": "1d"}}]},
        "cache_control",
    ),
    "tool name with a dot": (tool(name="a.b"), "should match pattern"),
    "tool name of 129 letters": (tool(name="a" * 129), "should match pattern"),
    "tool without name": ({"tools": [{"input_schema": SCHEMA}]}, "name"),
    "duplicate tool names": ({"tools": [TOOL, TOOL]}, "must be unique"),
    "tool without schema": ({"tools": [{"name": "t"}]}, "input_schema: Field required"),
    "schema of no object": (tool(input_schema={"type": "string"}), "'object'"),
    "unknown tool choice": ({"tool_choice": {"type": "required"}}, "tool_choice"),
    "tool choice that is text": ({"tool_choice": "none"}, "tool_choice"),
    "tool choice without tools": ({"tool_choice": {"type": "none"}, "tools": []}, "tool_choice"),
    "choice of an unknown tool": ({"tool_choice": {"type": "tool", "name": "x"}}, "'x' not found"),
    "thinking without budget": ({"thinking": {"type": "enabled"}}, "budget_tokens"),
    "budget above max_tokens": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "must be greater than",
    ),
    "unknown thinking": ({"thinking": {"type": "hard"}}, "thinking"),
    "thinking left out of an open tool loop": (
        {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
        | history(said(USE), heard(RESULT)),
        "must start with a thinking block",
    ),
    "forged signature": (
        history(said({"type": "thinking", "thinking": "hm", "signature": "AAAA"}, TEXT), USER),
        "Invalid `signature`",
    ),
    "thinking without signature": (
        history(said({"type": "thinking", "thinking": "hm"}, TEXT), USER),
        "signature: Field required",
    ),
    "prewarming with a stream": ({"max_tokens": 0, "stream": True}, "stream"),
    "prewarming with a forced tool": (
        {"max_tokens": 0, "tool_choice": {"type": "any"}},
        "tool_choice",
    ),
    "prewarming with thinking": (
        {"max_tokens": 0, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "thinking",
    ),
}


@pytest.mark.parametrize("case", ANTHROPIC_REFUSES)
async def test_anthropic_refuses(case, start, raw):
    change, words = ANTHROPIC_REFUSES[case]
    body = {key: value for key, value in (MESSAGES | change).items() if value is not None}
    standin = await start()

    response = await raw(standin).post("/v1/messages", body)

    error = response.json()
    assert 400 == response.status_code, error
    assert ("error", "invalid_request_error") == (error["type"], error["error"]["type"])
    assert words in error["error"]["message"]
    assert error["request_id"] == response.headers["request-id"]
    assert 0 == standin.position()


ANTHROPIC_ACCEPTS = {
    "plain": {},
    "results, then text": history(said(USE), heard(RESULT, TEXT)),
    "two users in a row": {"messages": [USER, USER]},
    "a system message at the end": {"model": "claude-opus-5"} | history({"role": "system", "content": "x"}),
    "prefill on an old model": {"model": "claude-haiku-4-5"} | history(said(TEXT)),
    "four markers": {"system": [TEXT | MARK] * 4},
    "tool choice none": {"tool_choice": {"type": "none"}},
    "an image": history(said(TEXT), heard({"type": "image", "source": {}})),
    "a result of no content": history(said(USE), heard({"type": "tool_result", "tool_use_id": "toolu_1"})),
}


@pytest.mark.parametrize("case", ANTHROPIC_ACCEPTS)
async def test_anthropic_accepts(case, start, raw):
    response = await raw(await start()).post("/v1/messages", MESSAGES | ANTHROPIC_ACCEPTS[case])

    assert 200 == response.status_code, response.text


async def test_anthropic_wants_its_version_and_an_old_one_still_knows_temperature(start, raw):
    caller = raw(await start())

    missing = await caller.post("/v1/messages", MESSAGES, headers={"x-api-key": "k"})
    odd = {"x-api-key": "k", "anthropic-version": "2020-01-01"}
    unknown = await caller.post("/v1/messages", MESSAGES, headers=odd)
    old = {"authorization": "Bearer k", "anthropic-version": "2023-06-01"}
    tempered = await caller.post("/v1/messages", MESSAGES | {"temperature": 1}, headers=old)

    assert (400, 400, 200) == (missing.status_code, unknown.status_code, tempered.status_code)


async def test_counting_tokens_is_checked_alike(start, raw):
    caller = raw(await start())
    body = {key: value for key, value in MESSAGES.items() if key != "max_tokens"}

    fine = await caller.post("/v1/messages/count_tokens", body)
    wrong = await caller.post("/v1/messages/count_tokens", body | history(said(USE)))

    assert fine.json()["input_tokens"] > 0
    assert 400 == wrong.status_code


# --- Chat Completions -----------------------------------------------------------------------------

FUNCTION = {"name": "t", "parameters": SCHEMA}
CALL = {"id": "call_1", "type": "function", "function": {"name": "t", "arguments": "{}"}}
ANSWER = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
CHAT = {
    "model": "gpt-5.4",
    "messages": [USER],
    "tools": [{"type": "function", "function": FUNCTION}],
}


def called(*calls):
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def function(**keys):
    return {"tools": [{"type": "function", "function": FUNCTION | keys}]}


CHAT_REFUSES = {
    "no model": ({"model": None}, "missing_required_parameter"),
    "no messages": ({"messages": None}, "missing_required_parameter"),
    "empty messages": ({"messages": []}, "empty_array"),
    "unknown parameter": ({"colour": 1}, "unknown_parameter"),
    "unknown role": (history({"role": "robot", "content": "x"}), "invalid_value"),
    "answer without call": (history(ANSWER), None),
    "answer of another call": (history(called(CALL), ANSWER | {"tool_call_id": "x"}), None),
    "call without answer": (history(called(CALL), USER), None),
    "call at the end": (history(called(CALL)), None),
    "one of two calls without answer": (history(called(CALL, CALL | {"id": "2"}), ANSWER), None),
    "two answers to one call": (history(called(CALL), ANSWER, ANSWER), None),
    "duplicate call ids": (history(called(CALL), ANSWER, called(CALL), ANSWER), None),
    "no calls in the list": (history(called()), "empty_array"),
    "arguments that are no text": (
        history(called(CALL | {"function": {"name": "t", "arguments": {}}}), ANSWER),
        "missing_required_parameter",
    ),
    "content null": (history({"role": "assistant", "content": None}), None),
    "content of no parts": (history({"role": "user", "content": []}), "empty_array"),
    "part of another API": (
        history({"role": "user", "content": [{"type": "input_text", "text": "x"}]}),
        "invalid_value",
    ),
    "max_tokens on a model that thinks": ({"max_tokens": 5}, "unsupported_parameter"),
    "max_completion_tokens of 0": ({"max_completion_tokens": 0}, "integer_below_min_value"),
    "effort with tools": ({"reasoning_effort": "high"}, None),
    "stream options without a stream": ({"stream_options": {"include_usage": True}}, None),
    "tool name with a dot": (function(name="a.b"), "invalid_value"),
    "tool name of 65 letters": (function(name="a" * 65), "string_above_max_length"),
    "duplicate tool names": ({"tools": CHAT["tools"] * 2}, "invalid_value"),
    "schema of no object": (function(parameters={"type": "array"}), "invalid_function_parameters"),
    "strict schema that is open": (function(strict=True), "invalid_function_parameters"),
    "tool in the shape of the other API": (
        {"tools": [{"type": "function", **FUNCTION}]},
        "missing_required_parameter",
    ),
    "unknown tool choice": ({"tool_choice": "any"}, "invalid_value"),
    "tool choice without tools": ({"tool_choice": "none", "tools": None}, "invalid_value"),
    "choice of an unknown tool": (
        {"tool_choice": {"type": "function", "function": {"name": "x"}}},
        "invalid_value",
    ),
}

# --- Responses ------------------------------------------------------------------------------------

CALLED = {"type": "function_call", "call_id": "call_1", "name": "t", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}
RESPONSES = {
    "model": "gpt-5.4",
    "input": [USER],
    "tools": [{"type": "function", "strict": False, **FUNCTION}],
    "store": False,
}


def entries(*items):
    return {"input": [USER, *items]}


def flat(**keys):
    return {"tools": [RESPONSES["tools"][0] | keys]}


RESPONSES_REFUSES = {
    "no model": ({"model": None}, "missing_required_parameter"),
    "no input": ({"input": None}, "missing_required_parameter"),
    "unknown parameter": ({"messages": []}, "unknown_parameter"),
    "output below the minimum": ({"max_output_tokens": 1}, "integer_below_min_value"),
    "a response that was not stored": (
        {"previous_response_id": "resp_1"},
        "previous_response_not_found",
    ),
    "unknown role": (entries({"role": "tool", "content": "x"}), "invalid_value"),
    "output without call": (entries(OUTPUT), None),
    "output before its call": (entries(OUTPUT, CALLED), None),
    "call without output": (entries(CALLED), None),
    "duplicate calls": (entries(CALLED, CALLED, OUTPUT), None),
    "duplicate outputs": (entries(CALLED, OUTPUT, OUTPUT), None),
    "call without arguments": (
        entries({key: CALLED[key] for key in ("type", "call_id", "name")}),
        "missing_required_parameter",
    ),
    "output that is missing": (
        entries(CALLED, {"type": "function_call_output", "call_id": "call_1"}),
        "missing_required_parameter",
    ),
    "input text by the assistant": (
        entries({"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}),
        "invalid_value",
    ),
    "output text by the user": (
        entries({"role": "user", "content": [{"type": "output_text", "text": "x"}]}),
        "invalid_value",
    ),
    "call id in the place of the item's": (
        entries(CALLED | {"id": "call_1"}, OUTPUT),
        "invalid_value",
    ),
    "a thought alone": (entries(THOUGHT), None),
    "a thought before an output": (entries(CALLED, THOUGHT, OUTPUT), None),
    "a forged thought": (
        entries(THOUGHT | {"encrypted_content": "AAAA"}, CALLED, OUTPUT),
        "invalid_encrypted_content",
    ),
    "tool name with a dot": (flat(name="a.b"), "invalid_value"),
    "duplicate tool names": ({"tools": RESPONSES["tools"] * 2}, "invalid_value"),
    "schema of no object": (flat(parameters={"type": "null"}), "invalid_function_parameters"),
    "tool in the shape of the other API": ({"tools": CHAT["tools"]}, "missing_required_parameter"),
    "unknown tool choice": ({"tool_choice": "any"}, "invalid_value"),
    "choice of an unknown tool": (
        {"tool_choice": {"type": "function", "name": "x"}},
        "invalid_value",
    ),
}

OPENAI_REFUSES = [
    *(("/v1/chat/completions", CHAT, case) for case in CHAT_REFUSES.values()),
    *(("/v1/responses", RESPONSES, case) for case in RESPONSES_REFUSES.values()),
]


@pytest.mark.parametrize(
    ("path", "valid", "case"),
    OPENAI_REFUSES,
    ids=[
        *(f"chat: {name}" for name in CHAT_REFUSES),
        *(f"responses: {name}" for name in RESPONSES_REFUSES),
    ],
)
async def test_openai_refuses(path, valid, case, start, raw):
    change, code = case
    body = {key: value for key, value in (valid | change).items() if value is not None}
    standin = await start()

    response = await raw(standin).post(path, body)

    error = response.json()["error"]
    assert 400 == response.status_code
    assert {"message", "type", "param", "code"} == set(error)
    assert ("invalid_request_error", code) == (error["type"], error["code"]), error
    assert 0 == standin.position()


OPENAI_ACCEPTS = [
    ("/v1/chat/completions", CHAT, history(called(CALL), ANSWER)),
    ("/v1/chat/completions", CHAT, history({"role": "system", "content": "x"})),
    ("/v1/chat/completions", CHAT, {"model": "qwen3", "max_tokens": 5}),
    ("/v1/chat/completions", CHAT, {"tool_choice": "none"}),
    ("/v1/responses", RESPONSES, entries(CALLED, OUTPUT)),
    ("/v1/responses", RESPONSES, {"input": "x", "instructions": "y"}),
    ("/v1/responses", RESPONSES, entries(THOUGHT, CALLED | {"id": "fc_1"}, OUTPUT)),
    ("/v1/responses", RESPONSES, {"store": True, "tool_choice": "required"}),
]


@pytest.mark.parametrize(("path", "valid", "change"), OPENAI_ACCEPTS)
async def test_openai_accepts(path, valid, change, start, raw):
    response = await raw(await start()).post(path, valid | change)

    assert 200 == response.status_code, response.text


# --- All ------------------------------------------------------------------------------------------

ALL = [
    ("/v1/messages", MESSAGES),
    ("/v1/chat/completions", CHAT),
    ("/v1/responses", RESPONSES),
]
PATHS = pytest.mark.parametrize(("path", "body"), ALL)


@PATHS
async def test_nobody_is_let_in_without_a_key(start, raw, path, body):
    caller = raw(await start())
    version = {"anthropic-version": "2026-10-21"}

    none = await caller.post(path, body, headers=version)
    bearer = await caller.post(path, body, headers=version | {"authorization": "Bearer k"})

    assert (401, 200) == (none.status_code, bearer.status_code)


@PATHS
async def test_a_prompt_larger_than_the_window_is_refused(start, raw, path, body):
    large = copy.deepcopy(body)
    key = "input" if "input" in body else "messages"
    large[key][0]["content"] = "x" * 4_000
    caller = raw(await start(context_tokens=900))

    refused = await caller.post(path, large)

    assert 200 == (await caller.post(path, body)).status_code
    assert 400 == refused.status_code
    assert "900" in refused.json()["error"]["message"]


@PATHS
async def test_a_body_over_32_megabytes_is_refused(start, raw, path, body):
    response = await raw(await start()).post(path, b" " * (32 * 1024 * 1024 + 1))

    assert 413 == response.status_code
    assert response.json()["error"]["message"]


@PATHS
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(start, raw, path, body, content):
    assert 400 == (await raw(await start()).post(path, content)).status_code


async def test_other_paths_and_methods_are_not_found(start, raw):
    standin = await start()
    caller = raw(standin)

    lost = await caller.post("/v1/completions", {})
    got = await caller.client.get(standin.base_url("p", "openai") + "/responses")

    assert (404, 405) == (lost.status_code, got.status_code)
