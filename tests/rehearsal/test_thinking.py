"""Thinking is bound to the exact prefix before it, as the real ones bind it."""

import copy

import pytest

MODEL = "claude-opus-5-5"
SCRIPT = '[[reply]]\nthinking = "Look it up."\ncalls = [{ tool = "t", args = { b = 1, a = 2 } }]\n'
TOOL = {"name": "t", "input_schema": {"type": "object"}}


@pytest.fixture
async def conversation(start, raw):
    """A valid request that echoes a thought, and a way to send it."""
    caller = raw(await start(SCRIPT))
    body = {
        "model": MODEL,
        "max_tokens": 100,
        "system": "Be brief.",
        "tools": [TOOL],
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "y"},
            {"role": "user", "content": "z"},
        ],
    }
    reply = (await caller.post("/v1/messages", body)).json()
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "r"}
        for block in reply["content"]
        if block["type"] == "tool_use"
    ]
    body["messages"] += [
        {"role": "assistant", "content": reply["content"]},
        {"role": "user", "content": results},
    ]

    async def send(changed, **headers):
        response = await caller.post("/v1/messages", changed)
        return response.status_code, response.json().get("error", {}).get("message", "")

    return body, send


SAME = {
    "nothing": lambda body: None,
    "a marker": lambda body: body["messages"][2].update(
        content=[{"type": "text", "text": "z", "cache_control": {"type": "ephemeral"}}]
    ),
    "text as a block": lambda body: body.update(system=[{"type": "text", "text": "Be brief."}]),
    "what follows": lambda body: body["messages"][-1]["content"][0].update(content="other"),
    "tool choice": lambda body: body.update(tool_choice={"type": "none"}),
    "the thought left out": lambda body: body["messages"][3]["content"].pop(0),
    "another model": lambda body: body.update(model="claude-opus-5"),
}

CHANGED = {
    "system": lambda body: body.update(system="Be brief!"),
    "no system": lambda body: body.pop("system"),
    "a tool's description": lambda body: body["tools"][0].update(description="d"),
    "one more tool": lambda body: body["tools"].append(TOOL | {"name": "u"}),
    "an earlier message": lambda body: body["messages"][0].update(content="X"),
    "messages dropped": lambda body: body.update(messages=body["messages"][2:]),
    "the message before": lambda body: body["messages"][2].update(content="Z"),
    "drop_block not asked for": lambda body: body.update(system="", thinking={"type": "adaptive", "block_binding": {}}),
}


@pytest.mark.parametrize("what", SAME)
async def test_a_thought_is_still_valid_after_a_change_of(what, conversation):
    body, send = conversation
    SAME[what](body)

    assert (200, "") == await send(body)


@pytest.mark.parametrize("what", CHANGED)
async def test_a_thought_is_refused_after_a_change_of(what, conversation):
    body, send = conversation
    CHANGED[what](body)

    status, message = await send(body)

    assert 400 == status
    assert "does not belong here" in message


async def test_a_thought_whose_prefix_changed_is_dropped_where_that_is_asked_for(conversation):
    body, send = conversation
    body["system"] = "Other."
    body["thinking"] = {
        "type": "adaptive",
        "block_binding": {"prefix_mismatch_behavior": "drop_block"},
    }

    assert (200, "") == await send(body)


@pytest.mark.parametrize("part", ["thinking", "signature"])
async def test_an_altered_thought_is_refused(conversation, part):
    body, send = conversation
    block = body["messages"][3]["content"][0]
    block[part] = block[part].swapcase()

    assert (400, "messages.3.content.0: Invalid `signature` in `thinking` block") == await send(body)


async def test_a_stand_in_started_again_accepts_what_the_first_one_signed(conversation, start, raw):
    body, _ = conversation
    again, other = await start(SCRIPT), await start(SCRIPT, seed=1)

    assert 200 == (await raw(again).post("/v1/messages", body)).status_code
    assert 400 == (await raw(other).post("/v1/messages", body)).status_code


async def test_no_thinking_is_sent_when_it_is_disabled(start, raw):
    body = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "x"}],
        "thinking": {"type": "disabled"},
    }

    reply = (await raw(await start(SCRIPT)).post("/v1/messages", body)).json()

    assert {"thinking"} & {block["type"] for block in reply["content"]} == set()


async def test_a_reasoning_item_is_bound_to_its_prefix(start, raw):
    caller = raw(await start(SCRIPT))
    body = {
        "model": "gpt-5.4",
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "name": "t", "parameters": {"type": "object"}}],
    }
    output = (await caller.post("/v1/responses", body)).json()["output"]
    body["input"] += [
        *output,
        {"type": "function_call_output", "call_id": output[-1]["call_id"], "output": "r"},
    ]
    changed = copy.deepcopy(body) | {"instructions": "Other."}
    forged = copy.deepcopy(body)
    forged["input"][1]["encrypted_content"] = output[0]["encrypted_content"].swapcase()

    fine, moved, broken = [await caller.post("/v1/responses", sent) for sent in (body, changed, forged)]

    assert 200 == fine.status_code
    for refused in (moved, broken):
        assert 400 == refused.status_code
        assert "invalid_encrypted_content" == refused.json()["error"]["code"]
