"""What a warming does once it is a run: send the prefix, prove that the cache took it, keep it there.

The proof is a second request with another text, so that what is read is what any run will read. Letters are obeyed
between requests and while nothing is to be done. A warming is never resumed: a pause ends it as a cancellation does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field, replace
from functools import partial

from agentctl.core import decisions as do
from agentctl.core.decide import after_failure, before_model
from agentctl.core.messages import Delta, History, Message, Outcome, Reply, Request, Text, Usage
from agentctl.core.policy import Provider
from agentctl.core.prices import Price
from agentctl.models.base import Model
from agentctl.models.caching import least_tokens, lifetime_s
from agentctl.records import dataclass
from agentctl.runner.caching import ttl_of
from agentctl.runner.loop import obey
from agentctl.runner.people import POLL_S
from agentctl.runner.wishes import wish
from agentctl.runner.world import Interrupted, World

GATE = 17
"""The exit code of a cache that is not warm."""
READY = "Ready."
"""A49"""
AGAIN = "Ready?"
"""What the proof says."""
MARGIN = 0.1
"""Share of its lifetime before whose end a prefix is asked for again."""


@dataclass(frozen=True, slots=True)
class How:
    """What is asked of a warming beside the order."""

    provider: str = ""
    """A name, `all`, or empty: the first that answers."""
    min_ratio: float | None = None
    """None: the policy's."""
    keep_s: float = 0.0
    """For how long it is to stay warm, in seconds from now; 0: as long as it stays by itself."""


@dataclass(slots=True)
class Warmed:
    """What came of it at one provider."""

    provider: str = ""
    """The one that was asked last; where none was, the one that would have been first."""
    model: str = ""
    write_tokens: int = 0
    read_tokens: int = 0
    hit_ratio: float | None = None
    """Of the proof."""
    cost_micro: int = 0
    saved_micro: int = 0
    """What the first request of each run costs less than it would have, cold."""
    expires: float | None = None
    """Seconds since the epoch."""
    reason: str = "nothing was sent"
    """Why it did not take; empty: it did."""
    exit_code: int = GATE
    run_id: str = ""

    @property
    def warmed(self) -> bool:
        """Whether runs will find it."""
        return not self.reason


@dataclass(slots=True)
class Seed:
    """A run's model, asked with a conversation that is nothing but `text`. Calls in its reply are nobody's."""

    model: Model
    came: Warmed
    text: str = READY
    replies: list[Reply] = field(default_factory=list[Reply])

    @property
    def provider(self) -> Provider:
        """The entry of the policy that this is."""
        return self.model.provider

    async def ask(self, request: Request, on_delta: Callable[[Delta], None]) -> Outcome:
        """One HTTP request, streamed."""
        self.came.provider, self.came.model = self.provider.name, self.provider.model
        history = History([Message("user", (Text(self.text),))])
        outcome = await self.model.ask(replace(request, history=history), on_delta)
        if not isinstance(outcome, Reply):
            return outcome
        self.replies.append(outcome)
        return replace(outcome, blocks=tuple(b for b in outcome.blocks if isinstance(b, Text)), raw=())

    async def close(self) -> None:
        """Let the connections go."""
        await self.model.close()


async def warmed(world: World, how: How, came: Warmed) -> do.Stop:
    """Send it, prove it, keep it alive. What ends the drive."""
    seeds: dict[str, Seed] = {}
    opened = world.open_model

    def seed(provider: Provider) -> Seed:
        return seeds.setdefault(provider.name, Seed(opened(provider), came))

    world.open_model = seed
    try:
        stop = await _asked(world) or await _proved(world, how, came, seeds)
        if stop is None and came.warmed:
            stop = await _kept(world, how, came, seeds[came.provider])
    except Interrupted as signal:
        if came.warmed:
            return do.Stop("completed", "done", 0)
        stop = do.Stop("cancelled", signal.reason, signal.code, "cut short")
    if stop is not None and not (came.warmed and stop.status == "cancelled"):
        came.reason, came.exit_code = stop.message or stop.reason, stop.exit_code or GATE
    if stop is not None:
        return stop
    return do.Stop("completed", "done", 0) if came.warmed else do.Stop("failed", "cache", GATE, came.reason)


async def _asked(world: World) -> do.Stop | None:
    """One request that is answered, by whoever answers; or why none is."""
    before = world.state.run.step
    while world.state.run.step == before:
        world.interrupt.check()
        wanted = _wish(world)
        if wanted is not None:
            return wanted
        failed, now = world.state.inflight.failed, world.clock()
        if failed is None:
            action = before_model(world.setup, world.state, now)
        else:
            action = after_failure(world.setup, world.state, failed, now, world.dice())
        if isinstance(action, do.Land):
            return do.Stop("stopped", action.reason, 10, action.message)
        stop = await obey(world, action)
        if stop is not None:
            return stop
    return None


async def _proved(world: World, how: How, came: Warmed, seeds: dict[str, Seed]) -> do.Stop | None:
    """Ask whoever answered once more, and see what is read."""
    last = world.state.inflight.last
    if last is None:
        raise TypeError("a request was answered and left no reply")
    seed = seeds[last.provider]
    seed.text = AGAIN
    world.setup = replace(world.setup, ready=frozenset({last.provider}))
    came.provider, came.model = last.provider, seed.provider.model
    came.reason = "the proof was not answered"
    stop = await _asked(world)
    if stop is None:
        _judge(world, how, came, seed)
    return stop


def _judge(world: World, how: How, came: Warmed, seed: Seed) -> None:
    first, proof = seed.replies[-2], seed.replies[-1]
    rules, provider = world.setup.policy.cache, seed.provider
    least = rules.min_hit_ratio if how.min_ratio is None else how.min_ratio
    came.write_tokens = written(first.usage) + written(proof.usage)
    came.read_tokens = proof.usage.cache_read
    came.hit_ratio = proof.usage.cache_read / proof.usage.prompt if proof.usage.prompt else 0.0
    came.expires = world.state.cache.asked + lifetime_s(provider, ttl_of(rules))
    came.saved_micro = saved(world.setup.prices.get(provider.name), came.read_tokens, hourly=rules.ttl == "1h")
    came.reason = "" if came.read_tokens and came.hit_ratio >= least else _why_not(came, provider, proof, least)
    came.exit_code = GATE if came.reason else 0


def _why_not(came: Warmed, provider: Provider, proof: Reply, least: float) -> str:
    smallest = least_tokens(provider)
    if proof.usage.prompt < smallest:
        return (
            f"the prefix is below the provider's minimum: about {proof.usage.prompt:,} tokens, {provider.model} caches "
            f"from {smallest:,} on"
        )
    if proof.changed and ": message" not in proof.changed:
        return proof.changed
    if not came.read_tokens:
        return "the provider read nothing of what it was sent a moment before"
    return f"hit ratio {came.hit_ratio:.2f} < {least:g}"


def written(usage: Usage) -> int:
    """Tokens that were written to the cache, for whatever time."""
    return usage.cache_write + usage.cache_write_1h


def saved(price: Price | None, tokens: int, *, hourly: bool) -> int:
    """What reading so many tokens costs less than writing them, in micro-dollars: a cold run would write them."""
    if price is None:
        return 0
    cold = Usage(cache_write_1h=tokens) if hourly else Usage(cache_write=tokens)
    return max(0, price.cost(cold) - price.cost(Usage(cache_read=tokens)))


async def _kept(world: World, how: How, came: Warmed, seed: Seed) -> do.Stop | None:
    """Ask again before each expiry, until it lives as long as was asked for."""
    rules = world.setup.policy.cache
    life, timer = lifetime_s(seed.provider, ttl_of(rules)), asyncio.get_running_loop().time
    until = timer() + how.keep_s  # of a clock that nobody sets back: each use costs money
    while came.expires is not None:
        left = min(came.expires - world.clock(), life)
        if timer() + left >= until:
            break
        pause = left - life * MARGIN
        await world.recorder.flush()
        seed.text = READY if seed.text == AGAIN else AGAIN
        stop = await _rested(world, pause) or await _asked(world)
        if stop is not None:
            return stop
        usage = seed.replies[-1].usage
        came.expires = world.state.cache.asked + life
        came.write_tokens += written(usage)
        new = f", {written(usage):,} written anew" if not usage.cache_read else ""
        cost = world.recorder.totals.cost_micro / 1e6
        world.listener.note(f"kept alive: {usage.cache_read:,} tokens read{new}, ${cost:.4f} so far")
    return None


async def _rested(world: World, seconds: float) -> do.Stop | None:
    """Do nothing for so long, or until somebody wants an end of it."""
    now = asyncio.get_running_loop().time
    until = now() + seconds
    while (left := until - now()) > 0:
        wanted = _wish(world)
        if wanted is not None:
            return wanted
        await world.interrupt.guard(partial(asyncio.sleep, min(left, POLL_S)))
    return None


def _wish(world: World) -> do.Stop | None:
    wanted = wish(world)
    if wanted is None:
        return None
    message = wanted.message
    if wanted.status != "cancelled":
        message = f"{message} A warming is never resumed: it ended."
    return replace(wanted, status="cancelled", exit_code=GATE, message=message)
