"""Markers where they pay: every request reads what the last one wrote, and nobody is sent what they don't know."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.messages import History, Message, Text, ToolAnswer, ToolUse
from agentctl.core.policy import Provider
from agentctl.models.caching import least_tokens, lifetime_s, takes_breakpoints
from agentctl.models.messages_api import Messages
from agentctl.rehearsal import anthropic
from agentctl.rehearsal.cache import LOOK_BACK, MINIMUMS, Cache, minimum
from agentctl.rehearsal.prefix import measure
from tests.models import wires
from tests.models.test_translation import body
from tests.models.wires import ask_for, provider

SYSTEM = "Be careful. " * 600


class Reader:
    """Anthropic's cache, as the stand-in models it, for one conversation."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cache = Cache(lambda: self.now)

    def read(self, sent: Any) -> tuple[int, int, int]:
        """Tokens read, written and neither, for a body."""
        prompt = measure(anthropic.pieces(sent))
        marks = [piece for piece in prompt.pieces if piece.ttl]
        assert len(marks) <= 4
        found = self.cache.look_marked(prompt, "p", "claude-sonnet-4-6", "")
        self.cache.store(found)
        return found.figures.read, found.figures.write_5m + found.figures.write_1h, found.figures.fresh


def turn(number: int, blocks: int, note: str) -> list[Message]:
    uses = tuple(ToolUse("", f"id_{number}_{at}", "add", {"a": at}) for at in range(blocks))
    answers: tuple[Any, ...] = tuple(ToolAnswer("", use.wire_id, f"{number}", is_error=False) for use in uses)
    said = (Text(f"Step {number}."), *uses)
    return [Message("assistant", said), Message("user", (*answers, Text(note)) if note else answers)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["", "Go on."])), min_size=1, max_size=12),
    st.sampled_from(["5m", "1h"]),
    st.sampled_from([SYSTEM, ""]),
)
def test_every_request_reads_what_the_last_one_wrote(turns, ttl, system):
    """A53: also over turns of sixty blocks, side by side."""
    history = History([Message("user", (Text("Go. " * 2_000),))])
    dialect, reader, held = Messages(provider("messages"), ttl), Reader(), 0
    for number, (blocks, note) in enumerate(turns):
        read, written, fresh = reader.read(json.loads(dialect.body(ask_for(history=history, system=system))))
        assert (held, 0) == (read, fresh)
        held = read + written
        history.messages += turn(number, blocks, note)


def test_a_marker_on_the_way_catches_what_a_rewritten_turn_would_lose():
    """A turn that another process rebuilt with one block more still reads the entry on the way to it."""
    history = History([Message("user", (Text("Go. " * 2_000),)), *turn(1, LOOK_BACK + 5, "")])
    reader = Reader()
    reader.read(body("messages", ask_for(history=history, system=SYSTEM)))
    note = History([*history.messages, Message("user", (Text("And now?"),))])

    read, written, _ = reader.read(body("messages", ask_for(history=note, system=SYSTEM)))

    assert read > 2_000
    assert written < 50


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("gpt-5.6-sol", True), ("gpt-5.6", True), ("gpt-5.10-mini", True), ("gpt-6-astra", True), ("gpt-6.1-sol", True),
        ("gpt-5.5-pro", False), ("gpt-5.4", False), ("gpt-5", False), ("gpt-4o", False), ("gpt-35-turbo", False),
        ("o3", False), ("llama3.2:3b", False), ("openai/gpt-5.6", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_breakpoints_are_for_models_that_take_them(api, model, takes):
    sent = body(api, ask_for(), model=model, tag="t")
    text = json.dumps(sent)

    assert takes == ("prompt_cache_breakpoint" in text) == ("prompt_cache_options" in sent)
    assert "t" == sent["prompt_cache_key"]


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_system_prompt_ends_with_the_breakpoint(api):
    sent = body(api, ask_for(), model="gpt-5.6-sol")
    head = sent["input" if api == "responses" else "messages"][0]
    kind, role = ("input_text", "developer") if api == "responses" else ("text", "system")

    part = {"type": kind, "text": "Be good.", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert {"role": role, "content": [part]} == head
    assert "instructions" not in sent
    assert {"mode": "implicit", "ttl": "30m"} == sent["prompt_cache_options"]


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_sdk_s_types_accept_breakpoints(api):
    from pydantic import TypeAdapter

    if api == "responses":
        from openai.types.responses.response_create_params import ResponseCreateParamsStreaming as Params
    else:
        from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming as Params
    sent = body(api, ask_for(), model="gpt-6-luna", tag="t")

    TypeAdapter(Params).validate_python(sent)
    with pytest.raises(ValueError, match="validation error"):
        TypeAdapter(Params).validate_python(sent | {"prompt_cache_options": {"ttl": "1h"}})


@pytest.mark.parametrize("api", wires.APIS)
def test_a_compatible_server_is_sent_nothing_of_it(api):
    model = "claude-sonnet-4-6" if api == "messages" else "gpt-5.6-sol"
    sent = body(api, ask_for(), model=model, base_url="http://127.0.0.1:1/v1", tag="t")

    assert not sent.keys() & {"prompt_cache_key", "prompt_cache_options", "diagnostics"}
    assert "prompt_cache" not in json.dumps(sent)


@pytest.mark.parametrize(
    ("api", "model"), [("messages", "claude-sonnet-4-6"), ("responses", "gpt-5.6"), ("chat", "gpt-6")]
)
def test_a_cache_that_is_off_is_neither_marked_nor_written(api, model):
    sent = body(api, ask_for(), model=model, ttl="off")
    text = json.dumps(sent)

    assert "cache_control" not in text
    assert "breakpoint" not in text
    assert "diagnostics" not in sent
    assert api == "messages" or {"mode": "explicit"} == sent["prompt_cache_options"]


# --- Diagnoses ------------------------------------------------------------------------------------


async def test_anthropic_is_asked_to_compare_with_the_last_reply():
    """A53"""
    seen: list[Any] = []

    def reply(request):
        seen.append(request)
        return wires.whole_stream("messages", "Hi.")

    model = wires.open_fake("messages", reply, headers={"Anthropic-Beta": "mine-2026-01-01"})
    for _ in range(2):
        await model.ask(ask_for(), lambda _: None)
    await model.close()

    sent = [json.loads(request.content)["diagnostics"] for request in seen]
    assert [{"previous_message_id": None}, {"previous_message_id": "m"}] == sent
    assert "mine-2026-01-01,cache-diagnosis-2026-04-07" == seen[0].headers["anthropic-beta"]


async def test_nobody_else_is_asked_for_a_diagnosis():
    seen: list[Any] = []

    def reply(request):
        seen.append(request)
        return wires.whole_stream("messages", "Hi.")

    model = wires.open_fake("messages", reply, base_url="http://127.0.0.1:1")
    await model.ask(ask_for(), lambda _: None)
    await model.close()

    assert "diagnostics" not in json.loads(seen[0].content)
    assert "anthropic-beta" not in seen[0].headers


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"cache_miss_reason": {"type": "tools_changed", "cache_missed_input_tokens": 9}}, "tools_changed"),
        ({"cache_miss_reason": {"type": "previous_message_not_found"}}, ""),
        ({"cache_miss_reason": {"type": "unavailable"}}, ""),
        ({"cache_miss_reason": None}, ""),
        (None, ""),
        ("nonsense", ""),
    ],
)
async def test_a_diagnosis_is_read_where_there_is_one(told, word):
    events = wires.events("messages", "Hi.")
    events[0]["message"]["diagnostics"] = told
    reply, _ = await wires.answer("messages", wires.stream(wires.sse(events)))

    assert word == reply.diagnosis


# --- What is known of each provider ---------------------------------------------------------------


def test_minimums_are_those_of_the_stand_in():
    names = [*(start for start, _ in MINIMUMS), "claude-opus-5-5", "claude-haiku-5-5", "claude-fable-5-1"]
    entries = [Provider(name="p", sdk="anthropic", model=name) for name in names]

    assert [minimum(name) for name in names] == [least_tokens(entry) for entry in entries]
    assert 1_024 == least_tokens(Provider(name="p", sdk="openai", model="gpt-5.4"))


def test_lifetimes():
    claude, old, new = provider("messages"), provider("responses"), provider("responses", model="gpt-6")

    assert [300, 3_600, 0] == [lifetime_s(claude, ttl) for ttl in ("5m", "1h", "off")]
    assert (300, 1_800) == (lifetime_s(old, "1h"), lifetime_s(new, "1h"))
    assert not takes_breakpoints(claude)
