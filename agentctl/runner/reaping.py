"""What dead drivers left held is settled before anything new is reserved or shown (`journal/reaper.py`)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agentctl.errors import StoreUnusable
from agentctl.journal import reaper
from agentctl.runner.stores import existing

if TYPE_CHECKING:
    from agentctl.journal.store import Store


async def reap(journal: Store) -> None:
    """Settle the orphans of the store, where there are any: looking costs one indexed query."""
    now = journal.clock()
    if journal.read(lambda tx: reaper.orphans(tx, now)):
        await journal.submit(lambda tx: reaper.reap(tx, now), durable=True)


def reap_now(store: str | None) -> None:
    """`reap`, for who only looks: a store that can't be written is left as it is."""
    with contextlib.suppress(StoreUnusable), existing(store) as journal:
        journal.write(lambda tx: reaper.reap(tx, journal.clock()), durable=True)
