"""What a request has changed of the one before it: the byte, and whose it is."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.messages import History, Message, Reply, Text, ToolAnswer, ToolSchema, ToolUse
from agentctl.models.prefix import Sent, common, difference, first, named
from tests.models import wires
from tests.models.wires import APIS, TOOLS, ask_for, open_fake

LONGER = (*TOOLS, ToolSchema("send", "Sends.", {"type": "object"}))
OTHER = (ToolSchema("add", "Adds two.", TOOLS[0].parameters), TOOLS[1])


async def asked(api: str, *requests: Any, **changes: Any) -> list[str]:
    """What each request is said to have changed of the one before it."""
    model = open_fake(api, lambda _: wires.whole_stream(api, "Hi."), **changes)
    said = []
    for request in requests:
        reply = await model.ask(request, lambda _: None)
        assert isinstance(reply, Reply)
        said.append(reply.changed)
    await model.close()
    return said


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-5.6-sol"])
@pytest.mark.parametrize(
    ("change", "whose"),
    [
        ({"system": "Be quick."}, "system"),
        ({"tools": OTHER}, "tools: add"),
        ({"tools": LONGER}, "tools: send"),
        ({"tools": TOOLS[1:]}, "tools: add is gone"),
        ({"tools": TOOLS[::-1]}, "tools: fs__read_file"),
    ],
)
async def test_a_change_of_the_head_is_told_with_its_owner(api, model, change, whose):
    """A53"""
    changes = {} if api == "messages" else {"model": model}
    before, after = await asked(api, ask_for(), ask_for(**change), **changes)

    assert before == ""
    assert after.endswith(f": {whose}")
    assert after.startswith("first differing byte ")


@pytest.mark.parametrize("api", APIS)
async def test_going_on_changes_nothing(api):
    history = History([Message("user", (Text("Go."),))])
    first_request = ask_for(history=history)
    requests = [first_request]
    for number in range(3):
        use = ToolUse("c", f"id{number}", "add", {})
        more = [Message("assistant", (use,)), Message("user", (ToolAnswer("c", use.wire_id, "1", is_error=False),))]
        history = History([*history.messages, *more])
        requests.append(ask_for(history=history))
    noted = History([*history.messages, Message("user", (Text("The last turn is gone on with."),))])

    assert {""} == set(await asked(api, *requests, ask_for(history=noted)))


async def test_a_message_that_was_rewritten_is_numbered_and_its_byte_counted():
    def talk(*texts: str) -> Any:
        roles = ("user", "assistant")
        messages = [Message(roles[at % 2], (Text(text),)) for at, text in enumerate(texts)]
        return ask_for(history=History(messages, epoch=next(epochs)))

    epochs = itertools.count()

    _, changed, gone = await asked("messages", talk("a", "b", "c"), talk("a", "B", "c"), talk("a"))
    head = sum(len(data) for _, data in named((b'{"tools":' + tools().encode() + b',"system":' + SYSTEM + b"}",)))
    line = len('{"role":"user","content":[{"type":"text","text":"a"}]}')
    start = len('{"role":"assistant","content":[{"type":"text","text":"')

    assert f"first differing byte {head + line + start + 1:,}: message 2" == changed
    assert gone.endswith("message 2 is gone")


SYSTEM = b'[{"type":"text","text":"Be good.","cache_control":{"type":"ephemeral"}}]'


def tools() -> str:
    from agentctl.models.messages_api import schema

    return json.dumps([schema(tool) for tool in TOOLS], separators=(",", ":"))


async def test_a_request_that_failed_is_not_compared_with():
    answers = iter([wires.whole_stream("messages", "Hi."), wires.stream(b""), wires.whole_stream("messages", "Hi.")])
    model = open_fake("messages", lambda _: next(answers))
    await model.ask(ask_for(), lambda _: None)
    await model.ask(ask_for(system="Other."), lambda _: None)
    reply = await model.ask(ask_for(), lambda _: None)
    await model.close()

    assert "" == reply.changed


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_the_first_differing_byte_is_exact(same, one, other):
    found = common(same + one, same + other)

    assert (same + one)[:found] == (same + other)[:found]
    assert found == min(len(same + one), len(same + other)) or (same + one)[found] != (same + other)[found]


def test_nothing_differs_between_equals_and_the_empty():
    sent = Sent((b"{}",), (b'{"a":"b"}',))

    assert "" == difference(sent, sent) == difference(Sent(), Sent()) == first([], [], 0)
