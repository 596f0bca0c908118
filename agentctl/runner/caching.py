"""What the provider's cache did for a run, recorded after each reply; and why, where it did not do what it should."""

from __future__ import annotations

import json

from agentctl.core.events import CacheSeen, Purpose, RunStarted
from agentctl.core.guards import cache
from agentctl.core.messages import Reply
from agentctl.core.policy import Provider
from agentctl.journal.store import Store
from agentctl.models.base import CacheTtl
from agentctl.models.caching import least_tokens, lifetime_s
from agentctl.runner.plan import Plan
from agentctl.runner.world import World

WARMING = " (cache warm)"
"""What the name of a task ends with in the runs that warm its cache."""
HARDLY = 0.5
"""Share of system prompt and tools, as estimated, below which a run's first read is a miss of what others wrote."""


def ttl_of(rules: cache.Rules) -> CacheTtl:
    """What the adapters are told of the policy's `[cache]`."""
    return rules.ttl if rules.enabled else "off"


def tell(world: World, provider: Provider, before: cache.State, reply: Reply, purpose: Purpose) -> None:
    """Record what the cache did so far; `before` is what was known of it when the request was made."""
    rules, totals = world.setup.policy.cache, world.recorder.totals
    why = _why(world, provider, before, reply, purpose) if rules.enabled else ""
    usage = totals.usage
    written = usage.cache_write + usage.cache_write_1h
    if usage.cache_read or written or why:
        ratio = round(totals.cache_hit_ratio or 0.0, 4)
        world.recorder.record(CacheSeen(ratio, usage.cache_read, written, world.scrub.text(why)))


def _why(world: World, provider: Provider, before: cache.State, reply: Reply, purpose: Purpose) -> str:
    if purpose == "summary":
        return ""
    read, identity = reply.usage.cache_read, provider.identity
    if identity not in before.known:
        fixed = world.state.run.fixed_tokens
        unread = read < fixed * HARDLY and fixed >= least_tokens(provider) * HARDLY
        return world.changed_since(provider) if unread and not before.known else ""
    if not cache.missed(before, identity, read):
        return ""
    life = lifetime_s(provider, ttl_of(world.setup.policy.cache))
    request = cache.Request(
        read, reply.usage.prompt, purpose, life, least_tokens(provider), reply.diagnosis, reply.changed
    )
    return cache.why(before, identity, request)


def since_last_run(journal: Store, plan: Plan, run_id: str, provider: Provider) -> str:
    """What this run changed of the prefix that the last run of its task had, if that one may still be in the cache.

    Others are asked only if their prefix may live: a cold cache is no surprise after its time.
    """
    now, name = journal.clock(), plan.task.task.name.removesuffix(WARMING)
    since = now - lifetime_s(provider, ttl_of(plan.policy.cache))
    rehearsed = plan.script is not None
    listed = [
        row
        for task in (name, name + WARMING)
        for row in journal.runs(task=task, since=since, limit=2, rehearsed=rehearsed)
        if row.run_id != run_id
    ]
    own = _started(journal, run_id)
    for row in sorted(listed, key=lambda row: row.created, reverse=True)[:1]:
        other = _started(journal, row.run_id)
        changed = cache.rewritten(other, own) if own and other else ""
        if changed:
            return f"the prefix has changed since {row.run_id}: {changed}"
    return ""


def _started(journal: Store, run_id: str) -> RunStarted | None:
    events = journal.events(run_id, limit=1)
    return events[0].event if events and isinstance(events[0].event, RunStarted) else None


def digests(world: World, plan: Plan, system: str) -> tuple[str, str]:
    """Keyed digests of the system prompt and of the tools, in their order: what caches are bound to."""
    tools = [[schema.name, schema.description, schema.parameters] for schema in plan.schemas]
    return world.call_key(json.dumps(system).encode()), world.call_key(json.dumps(tools).encode())
