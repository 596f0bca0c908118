"""A long run: its memory is bounded by its context, not by its length, and no request ever outgrows the limit."""

import itertools
import json

import pytest

from agentctl.core import state as states
from agentctl.core.events import ContextTrimmed
from agentctl.runner import conversation
from tests.runner.stage import APIS, Fault, ModelAsked, ModelFailed, ModelReplied, Reply, calls, sent

STEPS = 300


def sizes(value, path=""):
    """How many things each collection of a state holds."""
    found = {}
    for name in getattr(type(value), "__dataclass_fields__", {}):
        held, here = getattr(value, name), f"{path}.{name}"
        if isinstance(held, tuple | dict | frozenset | set):
            found[here] = len(held)
            inner = held.values() if isinstance(held, dict) else held
            for one in itertools.islice(inner, 3):
                found |= {f"{here}[]{key}": size for key, size in sizes(one).items()}
        else:
            found |= sizes(held, here)
    return found


@pytest.mark.slow
async def test_three_hundred_steps_stay_within_the_context(stage, monkeypatch):
    """A22 C04 C83: no request above the limit, the goal always there, nothing that grows with the run."""
    held = []
    real = conversation.Conversation.sync

    def sync(self, state):
        history = real(self, state)
        held.append((len(self._bodies), len(history.messages)))
        return history

    monkeypatch.setattr(conversation.Conversation, "sync", sync)
    stage.policy(
        budget={"max_steps": 400, "max_tool_calls": 400, "run_usd": 1000.0},
        tokens={"total": 100_000_000},
        context={"max_tokens": 8_000, "hard_limit_tokens": 10_000},
        progress={"enabled": False},
    )
    stage.tool(
        "lookup", "printf '\"'; head -c 1200 /dev/zero | tr '\\0' 'w'; sed 's/[^0-9]//g' | tr -d '\\n'; printf '\"'"
    )
    stage.replies = [calls(("lookup", {"id": str(n)}), text="On.", thinking="Hm.") for n in range(STEPS)]
    stage.replies.append(Reply(text="At the end."))

    result = await stage.run()

    assert (0, "At the end.", STEPS + 1) == (result.exit_code, result.answer, result.body["steps"])
    assert len(stage.events(ContextTrimmed)) > 5
    assert all(asked.estimated_tokens <= 10_000 for asked in stage.events(ModelAsked))
    bodies = [sent(seen) for seen in stage.asked()]
    assert all("Do what has to be done." in body and "You are a clerk." in body for body in bodies)
    assert max(map(len, bodies[150:])) <= 1.1 * max(map(len, bodies[:150]))

    middle, end = sizes(stage.states[len(stage.states) // 2]), sizes(stage.states[-1])
    most = {key: max(sizes(state).get(key, 0) for state in stage.states[::25]) for key in end}
    assert {} == {key: size for key, size in most.items() if size > 160}
    assert sum(end.values()) <= 1.5 * sum(middle.values())
    assert max(bodies for bodies, _ in held) <= 3 * max(messages for _, messages in held)
    assert max(messages for _, messages in held) < 120
    assert isinstance(stage.states[-1], states.State)
    json.dumps(result.body)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("api", "strategy"), [("messages", "oldest"), ("messages", "summary"), ("chat", "oldest"), ("responses", "summary")]
)
async def test_three_hundred_turns_of_two_thousand_tokens_are_never_refused(stages, api, strategy):
    """A23 C04 C11: by the estimate and by the provider's own count no request reaches 75,000 tokens."""
    stage = stages(api)
    stage.providers.append({"name": "brief", "api": api, "roles": ["summary"], "priority": 9, "max_output_tokens": 512})
    stage.policy(
        budget={"max_steps": 400, "max_tool_calls": 400, "run_usd": 1000.0},
        tokens={"total": 100_000_000},
        progress={"enabled": False},
        context={"strategy": strategy},
    )
    stage.tool("lookup", "printf '\"'; head -c 6400 /dev/zero | tr '\\0' 'w'; printf '\"'")
    stage.replies = [calls(("lookup", {"id": str(n)}), provider="main") for n in range(STEPS)]
    stage.replies += [Reply(text="At the end.", provider="main"), Reply(text="- Looked up.", provider="brief")]

    result = await stage.run()

    assert (0, STEPS + 1) == (result.exit_code, result.body["steps"])
    assert [] == stage.events(ModelFailed)
    assert all(asked.estimated_tokens < 75_000 for asked in stage.events(ModelAsked))
    assert all(replied.usage.prompt < 75_000 for replied in stage.events(ModelReplied))
    trims = stage.events(ContextTrimmed)
    assert 10 < len(trims) < 40
    assert (len(trims) if strategy == "summary" else 0) == len(stage.asked("brief"))
    assert all("Do what has to be done." in sent(seen) for seen in stage.asked("main"))


NESTED = {"box": {"rows": [{"name": f"row {n}", "cells": [n, n + 1, None, True]} for n in range(100)]}}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("usage", ["told", "missing"])
async def test_structured_content_is_never_counted_as_nothing(stages, api, usage):
    """H7: schemas, arguments and results are half of what they are in bytes at the least, whoever counts."""
    stage = stages(api)
    columns = {f"column_{n}": {"type": "string", "enum": ["a", "b", "c"]} for n in range(100)}
    schema = {"type": "object", "properties": {"box": {"type": "object"}, **columns}}
    stage.tool("pack", f"printf '%s' '{json.dumps(NESTED)}'", parameters=schema)
    stage.replies = [calls(("pack", NESTED)), Reply(text="Packed.")]
    stage.faults = [Fault("absurd_usage", usage="missing")] if usage == "missing" else []

    result = await stage.run()

    first, second = (asked.estimated_tokens for asked in stage.events(ModelAsked))
    assert "Packed." == result.answer
    assert first >= len(json.dumps(schema)) / 8
    assert second - first >= 2 * len(json.dumps(NESTED)) / 8
