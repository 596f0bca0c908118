"""Followers hear of what is new at once, and of all of it, whatever becomes of a hint."""

import asyncio
import time

import psycopg
import pytest

from agentctl.journal.postgres import listening
from tests.journal import server

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


@pytest.fixture
def followed(opened):
    """Follow a run until so many events were seen."""

    async def follow(count):
        seen = []
        async for stamped in opened().follow("r_1"):
            seen.append(stamped.seq)
            if len(seen) == count:
                return seen
        return seen

    return follow


async def test_what_no_hint_told_of_is_seen_all_the_same(store, driven, stamp, followed, monkeypatch):
    monkeypatch.setattr(listening, "QUIET_S", 0.05)
    epoch = driven()
    follower = asyncio.create_task(followed(3))
    await store.append(epoch, stamp("a"))
    await asyncio.sleep(0.2)
    with server.asking(store._engine.name.rpartition("/")[2]) as operator:
        operator.execute(TERMINATE)
    await store.append(epoch, stamp("b", seq=2))
    await store.append(epoch, stamp("c", seq=3))

    assert [1, 2, 3] == await asyncio.wait_for(follower, 10)


async def test_a_run_is_hinted_at_now_and_then_and_not_with_every_event(store, driven, stamp, url):
    epoch = driven()
    with psycopg.connect(url, autocommit=True) as ear:
        ear.execute(f"LISTEN {listening.CHANNEL}")
        began = time.monotonic()
        for seq in range(1, 41):
            await store.append(epoch, stamp("a", seq=seq))
        took = time.monotonic() - began
        hints = [said.payload for said in ear.notifies(timeout=0.2)]

    assert {"r_1"} == set(hints)
    assert len(hints) <= 1 + took / 0.2


async def test_who_stops_following_leaves_no_connection(store, driven, stamp, url):
    await store.append(driven(), stamp("a"))
    follower = store.follow("r_1")
    assert 1 == (await anext(follower)).seq
    await follower.aclose()
    with server.asking() as operator:
        deadline = time.monotonic() + 5
        asked = "SELECT count(*) FROM pg_stat_activity WHERE left(query, 6) = 'LISTEN' AND datname = %s"
        name = url.partition("?")[0].rpartition("/")[2]
        while operator.execute(asked, (name,)).fetchone() != (0,):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
