"""One thread writes: what is queued commits together, and what fails spoils nothing for the others."""

import asyncio
import threading
import time

import pytest

from agentctl.journal import writer
from tests.journal.conftest import on_sqlite


def count(store):
    return store.read(lambda tx: tx.execute("SELECT count(*) FROM budgets").fetchone()[0])


def add(name):
    return lambda tx: tx.execute("INSERT INTO budgets(scope, window_start) VALUES(?, 0)", (name,))


def commits(store, kind):
    """How often anybody committed."""
    look = "PRAGMA data_version" if kind == "sqlite" else "SELECT COALESCE(sum(batch), 0)::bigint FROM commits"
    return store.read(lambda tx: tx.execute(look).fetchone())[0]


def fail(tx):
    add("half done")(tx)
    raise KeyError("mine")


async def test_work_gives_its_value(store):
    assert 3 == await store.submit(lambda tx: tx.execute("SELECT 3").fetchone()[0])


async def test_one_failure_spoils_nothing_for_those_beside_it(store):
    work = [add("a"), fail, add("b"), fail, add("c")]
    came = await asyncio.gather(*map(store.submit, work), return_exceptions=True)

    assert [False, True, False, True, False] == [isinstance(each, KeyError) for each in came]
    assert 3 == count(store)


async def test_what_waits_together_commits_together(store, kind):
    gate = threading.Event()
    started = threading.Event()

    def hold(_tx):
        started.set()
        gate.wait()

    first = asyncio.ensure_future(store.submit(hold))
    await asyncio.to_thread(started.wait)
    rest = [asyncio.ensure_future(store.submit(add(str(n)))) for n in range(100)]
    await asyncio.sleep(0)
    version = commits(store, kind)
    gate.set()
    await asyncio.gather(first, *rest)

    assert 100 == count(store)
    # The held one and the hundred: two commits at most.
    assert commits(store, kind) - version <= 2


async def test_a_cancelled_wait_is_no_rollback(store):
    task = asyncio.ensure_future(store.submit(add("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.submit(add("b"))

    assert 2 == count(store)


async def test_posted_work_that_fails_is_told_at_the_next_submit_of_its_run(store):
    store.post(fail, run_id="r_1")
    store.post(add("skipped"), run_id="r_1")
    store.post(add("other run"), run_id="r_2")

    await store.submit(add("b"), run_id="r_2")
    with pytest.raises(KeyError, match="mine"):
        await store.submit(add("skipped too"), run_id="r_1")
    await store.submit(add("c"), run_id="r_1")

    assert 3 == count(store)


async def test_posted_work_that_fails_before_its_turn_is_told_too(store):
    def before():
        raise OSError(28, "No space left on device")

    store.post(add("a"), run_id="r_1", before=before)
    with pytest.raises(Exception, match="disk is full"):
        await store.submit(add("b"), run_id="r_1")
    assert 0 == count(store)


def test_closing_writes_what_was_posted(opened):
    store = opened()
    for number in range(50):
        store.post(add(str(number)), run_id="r_1")
    store.close()

    assert 50 == count(opened())
    with pytest.raises(RuntimeError, match="is closed"):
        store.write(add("late"))


def test_closing_tells_what_nobody_was_told(opened, url):
    store = opened()
    store.post(fail, run_id="r_1")
    with pytest.raises(KeyError, match="mine"):
        store.close()
    store.close()


async def test_several_loops_share_a_store(store):
    def other():
        async def work():
            await asyncio.gather(*(store.submit(add(f"other {n}")) for n in range(50)))

        asyncio.run(work())

    thread = threading.Thread(target=other)
    thread.start()
    await asyncio.gather(*(store.submit(add(f"mine {n}")) for n in range(50)))
    await asyncio.to_thread(thread.join)

    assert 100 == count(store)


def test_a_loop_that_is_gone_stops_nobody(store):
    async def leave():
        task = asyncio.ensure_future(store.submit(lambda _tx: time.sleep(0.1)))
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(leave())
    store.write(add("a"))

    assert 1 == count(store)


@on_sqlite
def test_the_log_is_folded_back_when_idle(store, monkeypatch):
    monkeypatch.setattr(writer, "IDLE_S", 0.05)
    store.write(add("a"))
    store.write(add("b"))
    wal = store.path.with_name(f"{store.path.name}-wal")
    deadline = time.monotonic() + 5
    while wal.stat().st_size and time.monotonic() < deadline:
        time.sleep(0.02)

    assert 0 == wal.stat().st_size
    store.write(add("c"))
    assert 3 == count(store)
