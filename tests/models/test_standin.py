"""Whole conversations with the stand-in, which refuses what the real servers refuse."""

import itertools
from typing import Any

import pytest
from pydantic import TypeAdapter

from agentctl.core.messages import History, Message, Reply, Text, ToolAnswer, ToolUse
from agentctl.models.base import open_model
from agentctl.rehearsal.script import Script
from agentctl.rehearsal.server import StandIn
from tests.models.wires import APIS, TOOLS, ask_for, provider

SYSTEM = "You are careful. " * 400
CALLS = [{"tool": "add", "args": {"a": number}} for number in range(3)]


def script(**entries: Any) -> Script:
    return TypeAdapter(Script).validate_python(entries)


def open_at(standin: StandIn, api: str, **changes: Any) -> Any:
    sdk = "anthropic" if api == "messages" else "openai"
    return open_model(provider(api, **changes), None, endpoint=standin.base_url(api, sdk))


def carry_on(history: History, reply: Reply, maker: str) -> None:
    """What the runner does with a reply, in short."""
    number = len(history.messages)
    assert len({block.wire_id for block in reply.blocks if isinstance(block, ToolUse)}) == len(CALLS)
    history.messages.append(Message("assistant", reply.blocks, maker, reply.raw))
    uses = [block for block in reply.blocks if isinstance(block, ToolUse)]
    answers = [ToolAnswer(f"c{number}.{i}", use.wire_id, '{"sum":1}', i == 1) for i, use in enumerate(uses)]
    history.messages.append(Message("user", tuple(answers)))


@pytest.mark.parametrize("api", APIS)
async def test_a_long_conversation_with_thinking_and_parallel_calls(api):
    played = script(reply=[{"text": "Adding.", "thinking": "Hm.", "calls": CALLS}])
    history = History([Message("user", (Text("Go."),))])
    async with StandIn(played) as standin:
        model = open_at(standin, api)
        reads = []
        for _ in range(30):
            reply = await model.ask(ask_for(history=history, system=SYSTEM), lambda _: None)
            assert isinstance(reply, Reply), reply
            assert reply.stop == "tool_use"
            reads.append(reply.usage.cache_read)
            carry_on(history, reply, model.provider.identity)
        landing = await model.ask(ask_for(history=history, system=SYSTEM, use_tools=False), lambda _: None)
        await model.close()

    assert isinstance(landing, Reply), landing
    assert reads[0] == 0
    assert all(later >= sooner for sooner, later in itertools.pairwise(reads))
    assert reads[-1] > 1000


@pytest.mark.parametrize("first", APIS)
@pytest.mark.parametrize("then", APIS)
async def test_another_provider_takes_over(first, then):
    played = script(reply=[{"text": "Adding.", "thinking": "Hm.", "calls": CALLS}])
    history = History([Message("user", (Text("Go."),))])
    async with StandIn(played) as standin:
        models = [open_at(standin, first), open_at(standin, then)]
        for model in (*models, *models):
            reply = await model.ask(ask_for(history=history, tools=TOOLS), lambda _: None)
            assert isinstance(reply, Reply), reply
            carry_on(history, reply, model.provider.identity)
            history.epoch += 1
        for model in models:
            await model.close()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ({"kind": "status", "status": 529, "headers": {"retry-after": "0.1"}}, {"overloaded"}),
        ({"kind": "status", "status": 429}, {"rate_limit"}),
        ({"kind": "hang"}, {"timeout"}),
        ({"kind": "reset"}, {"connection"}),
        ({"kind": "truncate"}, {"truncated", "connection"}),
        ({"kind": "garbage"}, {"malformed"}),
    ],
)
async def test_every_fault_of_the_script(api, fault, kinds):
    played = script(reply=[{"text": "Hi."}], fault=[fault | {"requests": "1"}])
    async with StandIn(played) as standin:
        model = open_at(standin, api, timeout_s=0.8)
        failure = await model.ask(ask_for(), lambda _: None)
        reply = await model.ask(ask_for(), lambda _: None)
        await model.close()

    assert failure.kind in kinds, failure
    assert reply.blocks == (Text("Hi."),)
