"""The first hour after a deploy: the cache is warmed before anybody comes, and they read from it. A46, A47, C46"""

from __future__ import annotations

import json

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.core.events import ModelReplied
from agentctl.core.messages import JsonObject
from agentctl.rehearsal.cache import minimum
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import Act, Change, Client, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Reply

INJECTED = "nothing is in the provider's cache; it is warmed, then clients come one after the other"
CLIENTS, EVERY_S, CALLS = 3, 60.0, 3
AUTOMATIC = 1_024
"""Tokens: what OpenAI and servers like it cache at the least."""
BYTES_PER_TOKEN = 4
LIMITS = frozenset({10, 11, 13, 19})
ENABLE = Change("cache.enabled", value=True)


def scene(ground: Ground) -> Scene | Skip:
    """Warm it; then a few clients. A prefix that is too small is filled up by what a tool answers."""
    target, least, about = _target(ground), _least(ground), _prefix_tokens(ground)
    if about < least and target is None:
        return Skip(f"its prefix is about {about:,} tokens: the provider caches nothing below {least:,}")
    replies = [Reply(text="I will look.", calls=(target.call(n),)) for n in range(CALLS) if target is not None]
    tools = {} if target is None or about >= least else {target.name: _long}
    return Scene((Act(ground.script(*replies), tools, CLIENTS, EVERY_S, warm=True),))


def judge(ground: Ground, seen: Seen) -> Finding:
    """The first request of the first client reads the prefix, and all together read their share."""
    least, about = _least(ground), _prefix_tokens(ground)
    first = next(iter(_replies(seen.clients[0])), None)
    prompt = sum(_prompt(each) for client in seen.clients for each in _replies(client))
    read = sum(each.usage.cache_read for client in seen.clients for each in _replies(client))
    ratio = read / prompt if prompt else 0.0
    came = f"{read:,} of {prompt:,} input tokens of {len(seen.clients)} clients read from the cache ({ratio:.1%})"
    if first is None:
        return failed(f"no client got an answer: {seen.clients[0].status}, {seen.clients[0].reason}")
    if about < least:
        small = f"its prefix is about {about:,} tokens, and the provider caches nothing below {least:,}"
        if not read and all(client.exit_code in LIMITS and not _could_read(client, least) for client in seen.clients):
            return held(
                f"{small}: nothing to warm; each run was stopped by {seen.clients[0].reason} before it could read"
            )
        if not read:
            return failed(f"{small}; within a run nothing was read either", ENABLE)
        return held(f"{small}: nothing to warm; within the runs {came}")
    if not first.usage.cache_read:
        why = str(seen.warmed.get("reason") or "it was warmed, and did not hold")
        return failed(f"the first client read nothing from the cache: {why}", ENABLE)
    if ratio < ground.policy.cache.min_hit_ratio:
        return failed(f"{came}, less than cache.min_hit_ratio = {ground.policy.cache.min_hit_ratio}", ENABLE)
    return held(f"the first client read {first.usage.cache_read:,} tokens; {came}")


def _target(ground: Ground) -> Target | None:
    return ground.reader()


def _least(ground: Ground) -> int:
    first = ground.answering[0]
    return minimum(first.model) if first.sdk == "anthropic" else AUTOMATIC


def _prefix_tokens(ground: Ground) -> int:
    """About how large the prefix of its runs is."""
    shown = {each.contract.wire: each.contract for each in ground.targets()}.values()
    tools = sum(len(json.dumps([each.wire, each.description, each.parameters])) for each in shown)
    return (len(ground.system.encode()) + tools) // BYTES_PER_TOKEN


def _long(_: JsonObject, number: int) -> Envelope:
    """A result that alone is worth caching."""
    lines = [f"line {line} of result {number}: nothing out of the ordinary was found here" for line in range(100)]
    return envelope.success({"lines": lines})


def _replies(client: Client) -> list[ModelReplied]:
    return [at.event for at in client.events if isinstance(at.event, ModelReplied)]


def _could_read(client: Client, least: int) -> bool:
    """Whether it asked again after a prompt that the provider caches; a last answer has a prefix of its own."""
    steps = [each for each in _replies(client) if each.purpose == "answer"]
    return any(_prompt(each) >= least for each in steps[:-1])


def _prompt(reply: ModelReplied) -> int:
    usage = reply.usage
    return usage.input + usage.cache_read + usage.cache_write + usage.cache_write_1h
