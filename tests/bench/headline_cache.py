"""The headline figure "cold cache": the first requests after `cache warm`, beside the same requests without markers."""

from dataclasses import dataclass, field
from pathlib import Path

import tomli_w

from agentctl.core.events import ModelReplied
from agentctl.core.messages import Usage
from agentctl.journal.store import open_store
from agentctl.rehearsal.script import Call, Reply, Script
from agentctl.rehearsal.server import StandIn
from agentctl.runner import api, warming
from agentctl.runner.drills.skipping import Skipping
from agentctl.runner.order import Order
from tests.bench.headline_task import a_task
from tests.books.work import Deaf

LONG = "Every case has a rule. " * 1_400  # 8,000 tokens
READER = {"use": "builtin:read_file"}
LOOKS, KEY = 2, "HEADLINE_KEY"
INPUT, READ, WRITE = 3.0, 0.3, 3.75
"""Dollars per million tokens."""


@dataclass
class Usages(Deaf):
    """Hears what each reply cost."""

    heard: list[Usage] = field(default_factory=list[Usage])

    def event(self, stamped: object, state: object) -> None:
        """Keep the usage of a reply."""
        event = getattr(stamped, "event", None)
        if isinstance(event, ModelReplied):
            self.heard.append(event.usage)


async def measured(folder: Path, requests: int, loop: Skipping) -> tuple[float, float]:
    """The hit ratio, and how many times as much the prompts cost without markers; `folder` holds `warm` and `cold`."""
    warm = await _usages(folder / "warm", requests, loop, markers=True)
    cold = await _usages(folder / "cold", requests, loop, markers=False)
    read, written = sum(each.cache_read for each in warm), sum(each.cache_write for each in warm)
    fresh = sum(each.input for each in warm)
    assert 0 == sum(each.cache_read + each.cache_write for each in cold)
    paid = READ * read + WRITE * written + INPUT * fresh
    return read / (read + written + fresh), INPUT * sum(each.input for each in cold) / paid


async def _usages(folder: Path, requests: int, loop: Skipping, *, markers: bool) -> list[Usage]:
    (folder / "case.txt").write_text("A line.\n" * (LOOKS + 1))
    looks = [
        Reply(text="Looking.", calls=(Call("read_file", {"path": "case.txt", "offset": at, "limit": 1}),))
        for at in range(LOOKS)
    ]
    script = Script(reply=(*looks, Reply(text="Done.")) * requests)
    heard = Usages()
    async with StandIn(script, clock=loop.now) as standin:
        policy = _policy(folder, standin.base_url("p", "anthropic"), markers=markers)
        order = Order(a_task(folder, LONG, READER), policy=str(policy))
        with open_store(f"sqlite:///{folder / 'bench.db'}", seal_dir=folder, clock=loop.now) as store:
            busy = lambda: store.busy  # noqa: E731 -- the same object is taken back
            loop.watch(busy)
            try:
                if markers:
                    await warming.warm(order, warming.How(), store=store, listener=Deaf())
                while len(heard.heard) < requests:
                    await api.run(order, store=store, listener=heard, approver=None)
            finally:
                loop.unwatch(busy)
    return heard.heard[:requests]


def _policy(folder: Path, url: str, *, markers: bool) -> Path:
    price = {"input": INPUT, "output": 15.0, "cache_read": READ, "cache_write": WRITE}
    provider = {"name": "p", "sdk": "anthropic", "model": "claude-sonnet-4-6", "context_tokens": 200_000}
    provider |= {"base_url": url, "key_env": KEY, "price": price}
    path = folder / "policy.toml"
    tables = {"version": 1, "extends": "standard", "providers": [provider]}
    path.write_text(tomli_w.dumps(tables | {"cache": {"enabled": markers}}))
    return path
