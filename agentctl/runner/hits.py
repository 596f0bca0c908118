"""What `cache stats` tells, gathered from the store: the model calls, the prefix changes, the policy's prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agentctl.config import load, paths
from agentctl.config.task import load_task
from agentctl.core import hits
from agentctl.core.events import RunStarted
from agentctl.core.guards.cache import rewritten
from agentctl.core.hits import Call, Change, Key, Line
from agentctl.core.policy import Policy
from agentctl.core.prices import Price
from agentctl.journal import doors
from agentctl.journal.replies import Which, replies, starts
from agentctl.journal.tx import Tx
from agentctl.records import dataclass
from agentctl.runner import stores
from agentctl.runner.caching import WARMING


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose calls, and who judges them."""

    task: str | None = None
    """A task's name or file; None: all."""
    policy: str | None = None
    """None: the task's where its file is named, else the standard one."""
    since: float = 0.0
    """Of runs begun then or later, in seconds since the epoch."""
    rehearsed: bool = False
    """Rehearsals too."""


def gathered(asked: Asked, store: str | None) -> tuple[list[Line], float]:
    """A line for each task, provider and model, and the hit ratio that they are held to.

    Raises:
        Invalid: the policy or the task can't be used; the store can't be read.
    """
    name, policy = _judged(asked)
    which = Which(asked.since, name, f"{name}{WARMING}" if name else "", asked.rehearsed)
    folder = doors.blobs_of(paths.store_url(store))
    with stores.tables(store) as tx:
        changes = _changes(tx, folder, which)
        return hits.lines(_calls(tx, folder, which), changes, _prices(policy)), policy.cache.min_hit_ratio


def judged(tx: Tx, folder: Path | None, which: Which) -> list[Line]:
    """The lines alone, without prices, in a transaction of the caller."""
    return hits.lines(_calls(tx, folder, which), _changes(tx, folder, which), lambda _: None)


def _judged(asked: Asked) -> tuple[str, Policy]:
    if asked.task is not None and Path(asked.task).is_file():
        loaded = load_task(Path(asked.task))
        return loaded.task.name, load.policy_of(loaded, asked.policy).policy
    return asked.task or "", load.load_policy(asked.policy or "standard").policy


def _prices(policy: Policy) -> Callable[[str], Price | None]:
    """Today's prices of the policy's providers; each is looked up once, when it is first asked for."""
    from agentctl.models.prices import find_price

    known = {provider.name: provider for provider in policy.providers}
    found: dict[str, Price | None] = {}

    def price(name: str) -> Price | None:
        if name not in found:
            found[name] = find_price(known[name], policy.budget) if name in known else None
        return found[name]

    return price


def _calls(tx: Tx, folder: Path | None, which: Which) -> Iterator[Call]:
    for origin, reply in replies(tx, folder, which):
        key = Key(origin.task, origin.rehearsed, reply.provider, reply.model)
        yield Call(key, origin.created, reply.usage)


def _changes(tx: Tx, folder: Path | None, which: Which) -> dict[tuple[str, bool], Change]:
    """When each task's prefix last became another one, and what of it."""
    last: dict[tuple[str, bool], RunStarted] = {}
    found: dict[tuple[str, bool], Change] = {}
    for origin, started in starts(tx, folder, which):
        key = origin.task, origin.rehearsed
        what = rewritten(last[key], started) if key in last else ""
        if what:
            found[key] = Change(origin.created, what)
        last[key] = started
    return found
