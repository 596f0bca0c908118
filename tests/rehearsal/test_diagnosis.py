"""The stand-in says why a prefix could not be reused, as Anthropic does."""

import pytest

from tests.rehearsal.conftest import HEADERS

BETA = HEADERS | {"anthropic-beta": "cache-diagnosis-2026-04-07"}
TOOLS = [{"name": "t", "input_schema": {"type": "object"}}]
FIRST = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "Be good.", "cache_control": {"type": "ephemeral"}}],
    "tools": TOOLS,
    "messages": [{"role": "user", "content": "Hi."}],
}
MORE = [*FIRST["messages"], {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Bye."}]


@pytest.fixture
async def ask(start, raw):
    caller = raw(await start('[[reply]]\ntext = "ok"'))

    async def send(body, previous=None, headers=BETA):
        asked = body | {"diagnostics": {"previous_message_id": previous}}
        response = await caller.post("/v1/messages", asked, headers=headers)
        assert 200 == response.status_code, response.text
        return response.json()

    return send


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"messages": MORE}, None),
        ({"system": "Be good.", "messages": MORE}, None),
        ({"model": "claude-sonnet-4-5"}, "model_changed"),
        ({"tools": [TOOLS[0] | {"name": "u"}]}, "tools_changed"),
        ({"tools": [], "system": "Be bad."}, "tools_changed"),
        ({"system": "Be bad."}, "system_changed"),
        ({"messages": [{"role": "user", "content": "Ho."}]}, "messages_changed"),
    ],
)
async def test_what_changed_is_named(ask, changes, reason):
    """A53: a moved marker is no change, and messages may be appended."""
    first = await ask(FIRST)
    second = await ask(FIRST | changes, first["id"])

    assert first["diagnostics"] is None
    told = (second["diagnostics"] or {}).get("cache_miss_reason") or {}
    assert reason == told.get("type")
    assert reason is None or told["cache_missed_input_tokens"] > 10


async def test_a_message_that_nobody_knows_is_not_found(ask):
    told = await ask(FIRST, "msg_01gone")

    assert {"type": "previous_message_not_found"} == told["diagnostics"]["cache_miss_reason"]


async def test_without_the_beta_nothing_is_said(ask):
    first = await ask(FIRST)

    assert None is (await ask(FIRST | {"system": "Other."}, first["id"], HEADERS))["diagnostics"]


async def test_a_previous_message_is_a_text(start, raw):
    caller = raw(await start('[[reply]]\ntext = "ok"'))

    response = await caller.post("/v1/messages", FIRST | {"diagnostics": {"previous_message_id": 7}})

    assert 400 == response.status_code
