"""A connection may be lost at any moment: what was asked for happens once, and nobody is told anything before."""

import asyncio
import signal
import time

import psycopg
import pytest

from agentctl.errors import LeaseLost, StoreUnusable
from agentctl.journal import lease, runs
from agentctl.journal.postgres import engine
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store
from tests.journal import server

ADD = "INSERT INTO budgets(scope, window_start, spent) VALUES('x', 0, 1)"
ADD += " ON CONFLICT(scope, window_start) DO UPDATE SET spent = budgets.spent + 1"

END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentctl'"


def add(tx):
    """No work is done twice unnoticed."""
    tx.execute(ADD)


def spent(store):
    return store.read(lambda tx: tx.execute("SELECT spent FROM budgets").fetchone())


class Once:
    """Cut at the first of what it is to see; `answer`: the one that comes back."""

    def __init__(self, words, *, answer=False):
        self._words = words
        self._answer = answer
        self._seen = False
        self.done = False

    def __call__(self, said, from_server):
        if self.done:
            return False
        if not from_server and self._words in said:
            self._seen = True
            self.done = not self._answer
            return self.done
        self.done = self._answer and self._seen and from_server
        return self.done


MOMENTS = {
    "before the turn": Once(b"BEGIN"),
    "with the turn": Once(b"BEGIN", answer=True),
    "in the work": Once(b"INSERT INTO budgets"),
    "after the work": Once(b"INSERT INTO budgets", answer=True),
    "before the commit": Once(b"COMMIT"),
    "after the commit": Once(b"COMMIT", answer=True),
}


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_work_is_done_once_whenever_the_connection_is_lost(opened, wire, wired, moment, together):
    """G6"""
    store = opened(wired)
    store.write(lambda _tx: None)
    cut = MOMENTS[moment]
    wire.cut = Once(cut._words, answer=cut._answer)
    await asyncio.gather(*(store.submit(add, durable=True) for _ in range(together)))

    assert wire.cut.done
    assert wire.cuts >= 1
    assert (together,) == spent(store)


async def test_an_append_whose_commit_was_not_heard_of_is_there_once(opened, wire, wired, driven, stamp):
    epoch = driven()
    store = opened(wired)
    wire.cut = Once(b"COMMIT", answer=True)
    await store.append(epoch, stamp("a", "b"), durable=True)
    await store.append(epoch, stamp("c", seq=3))

    assert ["a", "b", "c"] == [stamped.event.text for stamped in store.events("r_1")]


async def test_who_was_taken_over_while_it_was_cut_off_writes_nothing(opened, wire, wired, driven, stamp):
    epoch = driven()
    store, other = opened(wired), opened()
    store.write(lambda _tx: None)
    wire.cut = Once(b"COMMIT")
    other.write(lambda tx: lease.take(tx, "r_1", "other/x/y:4711:1:a", time.time() + 31))
    with pytest.raises(LeaseLost, match="process 4711 on other took it over"):
        await store.append(epoch, stamp("a"))
    assert [] == store.events("r_1")


def test_a_session_that_does_not_take_back_its_work_is_given_up(store, monkeypatch):
    """One that ends while it takes many rows is not known to be lost, and understands nothing any more."""
    seen = []

    def stuck(*_rest, **_more):
        raise psycopg.OperationalError("cannot exit pipeline mode while busy")

    def sticks(tx):
        add(tx)
        seen.append(1)
        if len(seen) == 1:
            monkeypatch.setattr(tx.connection, "execute", stuck)
            stuck()

    store.write(sticks)

    assert [1, 1] == seen
    assert (1,) == spent(store)


def test_a_job_that_failed_before_the_cut_fails_after_it_too(opened, wire, wired):
    store = opened(wired)
    wire.cut = Once(b"COMMIT")

    def fails(tx):
        add(tx)
        raise KeyError("mine")

    async def both():
        return await asyncio.gather(store.submit(add), store.submit(fails), store.submit(add), return_exceptions=True)

    first, second, third = asyncio.run(both())

    assert (None, "'mine'", None) == (first, str(second), third)
    assert (2,) == spent(store)


def test_a_server_that_is_restarted_is_waited_for(store):
    store.write(add)
    server.restart()
    store.write(add)

    assert (2,) == spent(store)


@pytest.mark.slow
def test_a_crash_of_the_server_loses_nothing_durable(store):
    store.write(add, durable=True)
    server.restart(signal.SIGQUIT)
    store.write(add, durable=True)

    assert (2,) == spent(store)


def test_a_reader_looks_for_the_server_again(store):
    assert [] == store.runs()
    with server.asking() as operator:
        operator.execute(END)

    assert [] == store.runs()


@pytest.mark.parametrize("rows", [1, 3_000])
@pytest.mark.parametrize("together", [1, 3])
async def test_a_session_that_is_ended_while_it_takes_many_rows_is_followed_by_another(store, rows, together):
    ended = []

    def adds(tx):
        if not ended:
            with server.asking() as operator:
                ended.extend(operator.execute(END).fetchall())
        tx.executemany(ADD.replace("'x', 0", "'x', ?"), [(number,) for number in range(rows)])

    await asyncio.gather(*(store.submit(adds) for _ in range(together)))

    assert ended
    assert (rows * together,) == store.read(lambda tx: tx.execute("SELECT sum(spent)::bigint FROM budgets").fetchone())


@pytest.mark.parametrize("words", [b"SET search_path", b"to_regnamespace", b"CREATE TABLE", b"COMMIT"])
@pytest.mark.parametrize("answer", [False, True])
def test_a_store_is_opened_though_the_session_is_lost_meanwhile(opened, wire, wired, words, answer):
    wire.cut = Once(words, answer=answer)
    store = opened(wired)

    assert wire.cut.done
    assert [] == store.runs()


def test_a_server_that_stays_away_is_told_in_one_line(wire, wired, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "READ_S", 0.1)
    with open_store(wired, seal_dir=tmp_path, lock_timeout_s=0.2) as store:
        store.runs()
        wire.cut = lambda _said, _from_server: True
        for use in (store.runs, lambda: store.write(add)):
            with pytest.raises(StoreUnusable, match=r"^store postgresql://agentctl@/t\w+: it can't be connected to"):
                use()


def test_who_stops_in_the_middle_is_ended_and_does_it_again(store, opened, monkeypatch):
    """The others wait for a stalled writer no longer than the server lets it stall."""
    seen = []

    def stalls(tx):
        add(tx)
        seen.append(1)
        if len(seen) == 1:
            tx.execute("SET idle_in_transaction_session_timeout TO '50ms'")
            time.sleep(0.3)

    store.write(stalls)

    assert [1, 1] == seen
    assert (1,) == spent(store)


def test_a_pooler_that_changes_sessions_is_told_and_nothing_is_written_elsewhere(opened, url):
    """In transaction mode the next statement meets a session that was told nothing; another program's tables may."""
    store = opened()
    with server.asking(server.named(url)) as operator:
        operator.execute("CREATE TABLE public.specs(run_id TEXT, spec TEXT)")
    store.write(lambda tx: tx.execute("SET search_path TO public"))
    store.read(lambda tx: tx.execute("SET search_path TO public"))

    for use in (
        lambda: store.write(lambda tx: runs.create(tx, NewRun("r_1", "s_1", "ada", "t", "{}", 1.0))),
        store.runs,
    ):
        with pytest.raises(StoreUnusable, match="forgot where they are"):
            use()
    with server.asking(server.named(url)) as operator:
        assert (0,) == operator.execute("SELECT count(*) FROM public.specs").fetchone()
