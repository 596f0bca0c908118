"""Events go in under a fence and come out in order; runs are found; what is large lies beside."""

import asyncio
import sqlite3
import stat
import time

import psycopg
import pytest

from agentctl.core.events import ToolFinished, ToolStarted
from agentctl.errors import Forbidden, LeaseLost, StoreUnusable
from agentctl.journal import bodies, lease, sealed
from agentctl.journal.events import Change
from agentctl.journal.inbox import put
from agentctl.journal.runs import NewRun
from tests.journal.conftest import on_sqlite
from tests.journal.golden import EXPECTED


def started(call_id="c1.0", attempt=1):
    return ToolStarted(call_id, "send_refund", {"n": 1}, "high", attempt, True, 5.0, f"r_1:{call_id}")


def finished(call_id="c1.0", final=True):
    return ToolFinished(call_id, "send_refund", "success", None, False, 8, {}, 3, final=final)


# --- Making one ---


@on_sqlite
@pytest.mark.parametrize(
    "left", [".agentctl.db.part", ".agentctl.db.part-wal", "agentctl.db-journal", "agentctl.db-wal"]
)
def test_what_a_maker_that_died_left_behind_is_no_part_of_the_store(opened, tmp_path, left):
    """E19"""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / left).write_bytes(b"half a store" * 1_000)

    with opened() as store:
        assert [] == store.runs()
        assert [("ok",)] == store.read(lambda tx: tx.execute("PRAGMA integrity_check").fetchall())

    assert not list((tmp_path / "home").glob(".*"))


# --- Reading ---


async def test_a_look_sees_one_moment_and_holds_up_nobody(store, opened, driven, stamp):
    epoch, other = driven(), opened()
    await store.append(epoch, stamp("a"))

    def count(tx):
        return tx.execute("SELECT count(*) FROM events").fetchone()

    def look(tx):
        before = count(tx)
        other.append_soon(epoch, stamp("meanwhile", seq=2))
        other.write(count)
        return before, count(tx)

    assert ((1,), (1,)) == store.look(look)
    assert (2,) == store.read(count)


def test_a_look_that_fails_leaves_nothing_open(store):
    with pytest.raises(ZeroDivisionError):
        store.look(lambda tx: tx.execute("SELECT 1") and 1 / 0)
    assert (1,) == store.look(lambda tx: tx.execute("SELECT 1").fetchone())


# --- Events ---------------------------------------------------------------------------------------


async def test_a_whole_journal_comes_back_as_it_was(store, driven, stamp):
    """B46 E18"""
    epoch = driven()
    written = stamp(*EXPECTED["1.0.0"])

    await store.append(epoch, written[:9])
    store.append_soon(epoch, written[9:15])
    await store.append(epoch, written[15:], durable=True)

    assert written == store.events("r_1")
    assert written[4:7] == store.events("r_1", after=4, limit=3)
    assert [] == store.events("r_1", after=len(written))
    assert len(written) + 1 == store.run("r_1").next_seq


async def test_another_store_on_the_file_reads_the_same(store, opened, driven, stamp):
    written = stamp("a", "b")
    await store.append(driven(), written)

    assert written == opened().events("r_1")


async def test_an_append_moves_the_run(store, driven, stamp):
    epoch = driven()
    before = store.run("r_1")
    until = await store.append(
        epoch, stamp("a"), Change(status="stopped", reason="max_steps", cost_micro=18_400, steps=3)
    )
    await store.append(epoch, stamp("b", seq=2))
    row = store.run("r_1")

    assert ("stopped", "max_steps", 18_400, 3) == (row.status, row.reason, row.cost_micro, row.steps)
    assert row.lease_until >= until >= before.lease_until
    assert row.updated > before.updated


async def test_the_lease_is_renewed_by_the_stores_clock(opened, stamp):
    now = 1000.0
    store = opened(clock=lambda: now)
    await store.create_run(NewRun("r_1", "s_1", "ada", "task", "{}", now))
    epoch = await store.take("r_1", lease.new_owner())
    now = 1020.0

    assert 1050.0 == await store.append(epoch, stamp("a"))
    assert 1050.0 == store.run("r_1").lease_until


@pytest.mark.parametrize("seqs", [[], [1, 3], [2, 1]])
async def test_an_append_without_order_is_a_defect(store, driven, stamp, seqs):
    epoch = driven()
    with pytest.raises((ValueError, IndexError)):
        await store.append(epoch, [stamp("x", seq=seq)[0] for seq in seqs])


async def test_a_gap_or_a_repetition_is_fenced(store, driven, stamp):
    epoch = driven()
    await store.append(epoch, stamp("a", "b"))

    for seq in (1, 2, 4):
        with pytest.raises(LeaseLost, match="lost the lease of r_1"):
            await store.append(epoch, stamp("x", seq=seq))
    assert 2 == len(store.events("r_1"))


async def test_a_zombie_writes_nothing_and_hears_who_took_over(store, driven, stamp):
    old = driven()
    now = time.time()
    new = store.write(lambda tx: lease.take(tx, "r_1", "other/x/y:4711:1:a", now + 31))

    original = store.seal.seal("r_1", b"secret")
    with pytest.raises(LeaseLost, match="process 4711 on other took it over"):
        await store.append(old, stamp(started()), Change(originals=(original,)), durable=True)

    assert new == old + 1
    assert [] == store.events("r_1")
    assert [] == store.in_doubt("r_1")
    with pytest.raises(StoreUnusable, match="is gone"):
        store.original("r_1", original.digest)


async def test_an_append_to_no_run_says_so(store, stamp):
    with pytest.raises(Forbidden, match="there is no run r_1"):
        await store.append(1, stamp("a"))


async def test_a_kind_that_nobody_knows_is_left_out(store, driven, stamp):
    await store.append(driven(), stamp("a", "b"))
    row = ("r_1", 3, 1, 1.0, "s_1", 1, "invented_later", 1, 0, "{}")
    store.write(lambda tx: tx.execute("INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?,NULL)", row))

    assert stamp("a", "b") == store.events("r_1")


@pytest.mark.parametrize("statement", ["UPDATE events SET ts = 0", "DELETE FROM events"])
async def test_events_are_append_only(store, driven, stamp, statement):
    await store.append(driven(), stamp("a"))

    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="append-only"):
        store.write(lambda tx: tx.execute(statement))
    assert stamp("a") == store.events("r_1")


async def test_a_run_leaves_with_all_that_is_its_own(store, driven, stamp):
    await store.append(driven(), stamp(started()))
    store.write(lambda tx: tx.execute("DELETE FROM runs WHERE run_id = 'r_1'"))

    for table in ("events", "tool_calls", "specs"):
        (left,) = store.read(lambda tx, t=table: tx.execute(f"SELECT count(*) FROM {t}").fetchone())
        assert 0 == left


# --- Two marks ------------------------------------------------------------------------------------


async def test_a_call_without_an_outcome_is_in_doubt(store, driven, stamp):
    epoch = driven()
    await store.append(epoch, stamp(started("c1.0"), started("c1.1"), finished("c1.0")))
    (doubt,) = store.in_doubt("r_1")

    assert ("c1.1", "send_refund", True, 1) == (doubt.call_id, doubt.tool, doubt.effect, doubt.attempt)
    assert ("r_1:c1.1", 5.0, epoch, 2) == (
        doubt.idempotency_key, doubt.timeout_s, doubt.epoch, doubt.started_seq,
    )  # fmt: skip


async def test_each_attempt_has_its_own_two_marks(store, driven, stamp):
    epoch = driven()
    seen = []
    steps = [started(), finished(final=False), started(attempt=2), finished()]
    for seq, event in enumerate(steps, 1):
        await store.append(epoch, stamp(event, seq=seq))
        seen.append([doubt.attempt for doubt in store.in_doubt("r_1")])

    assert [[1], [], [2], []] == seen


async def test_a_call_that_never_ran_is_not_in_doubt(store, driven, stamp):
    await store.append(driven(), stamp(finished("c9.0")))

    assert [] == store.in_doubt("r_1")


# --- What goes with an append ---------------------------------------------------------------------


async def test_originals_letters_and_whatever_else_are_one_transaction(store, driven, stamp):
    epoch = driven()
    original = store.seal.seal("r_1", b"the original")
    letter = store.write(lambda tx: put(tx, "r_1", "pause", by="bob", now=1.0))

    def fails(_tx):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.append(epoch, stamp("a"), Change(originals=(original,), letters=(letter,), also=fails))
    assert ([], [letter]) == (store.events("r_1"), [found.id for found in store.letters("r_1")])

    await store.append(epoch, stamp("a"), Change(originals=(original,), letters=(letter,)))
    assert [] == store.letters("r_1")
    assert b"the original" == store.original("r_1", original.digest)

    assert 1 == store.write(lambda tx: sealed.destroy(tx, "r_1"))
    with pytest.raises(StoreUnusable, match="is gone"):
        store.original("r_1", original.digest)


# --- Large bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "form"),
    [(10, bodies.PLAIN), (5_000, bodies.PACKED), (64 * 1024 - 11, bodies.PACKED), (70_000, bodies.FILED)],
)
async def test_a_body_lies_where_its_size_says(store, kind, driven, stamp, size, form):
    written = stamp("ü" + "x" * (size - 2))
    await store.append(driven(), written)
    (kept,) = store.read(lambda tx: tx.execute("SELECT form FROM events").fetchone())

    assert written == store.events("r_1")
    assert kept == (bodies.PACKED if kind == "postgres" and form == bodies.FILED else form)


@on_sqlite
async def test_equal_large_bodies_are_one_private_file(store, driven, stamp):
    epoch = driven()
    text = "x" * 100_000
    await store.append(epoch, stamp(text, text))
    folder = store.path.parent / "blobs"
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert 1 == len(files)
    assert 0o600 == stat.S_IMODE(files[0].stat().st_mode)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert 2 == len(store.events("r_1"))


@on_sqlite
@pytest.mark.parametrize("damage", ["remove", "garbage", "other"])
async def test_a_damaged_blob_is_named(store, driven, stamp, damage):
    await store.append(driven(), stamp("x" * 100_000, "y" * 100_000))
    one, two = sorted(path for path in (store.path.parent / "blobs").rglob("*") if path.is_file())
    if damage == "remove":
        one.unlink()
    else:
        one.write_bytes(b"garbage" if damage == "garbage" else two.read_bytes())

    with pytest.raises(StoreUnusable, match=one.name):
        store.events("r_1")


# --- Following ------------------------------------------------------------------------------------


async def test_a_follower_sees_everything_in_order_and_soon(store, opened, driven, stamp):
    epoch = driven()
    seen, lags = [], []

    async def follow():
        async for stamped in opened().follow("r_1"):
            seen.append(stamped.seq)
            lags.append(time.monotonic() - float(stamped.event.text))
            if stamped.seq == 60:
                return

    follower = asyncio.create_task(follow())
    for seq in range(1, 61):
        await store.append(epoch, stamp(str(time.monotonic()), seq=seq))
        await asyncio.sleep(0.005)
    await asyncio.wait_for(follower, 10)

    assert list(range(1, 61)) == seen
    assert sorted(lags)[30] < 0.05


async def test_a_follower_starts_where_it_is_told(store, driven, stamp):
    await store.append(driven(), stamp(*"abcde"))
    seen = []
    async for stamped in store.follow("r_1", after=3):
        seen.append(stamped.event.text)
        if len(seen) == 2:
            break

    assert ["d", "e"] == seen


# --- Runs -----------------------------------------------------------------------------------------


async def create(store, run_id, **more):
    fields = {"user_id": "ada", "task": "triage", "created": 1.0, **more}
    await store.create_run(NewRun(run_id=run_id, session_id="s_1", spec='{"a": 1}', **fields))


async def test_runs_are_listed_newest_first_and_filtered(store):
    await create(store, "r_a", created=1.0)
    await create(store, "r_b", created=3.0, user_id="bob")
    await create(store, "r_c", created=2.0, task="other", status="running", rehearsed=True)

    def ids(**filters):
        return [row.run_id for row in store.runs(**filters)]

    assert ["r_b", "r_c", "r_a"] == ids()
    assert ["r_b"] == ids(limit=1)
    assert ["r_b"] == ids(user="bob")
    assert ["r_c"] == ids(task="other") == ids(status="running") == ids(rehearsed=True)
    assert ["r_b", "r_a"] == ids(rehearsed=False)
    assert ["r_b", "r_c"] == ids(since=2.0)
    assert [] == ids(user="bob", task="other")
    assert '{"a": 1}' == store.spec("r_a")


async def test_a_run_is_found_by_what_only_it_begins_with(store):
    for run_id in ("r_abc", "r_abd", "r_x", "r_xyz"):
        await create(store, run_id)

    assert "r_abc" == store.run("r_abc").run_id == store.run("abc").run_id
    assert "r_abd" == store.run("r_abd").run_id
    assert "r_x" == store.run("r_x").run_id == store.run("x").run_id
    with pytest.raises(Forbidden, match="several runs begin with r_ab: r_abc, r_abd"):
        store.run("ab")
    with pytest.raises(Forbidden, match="there is no run zzz"):
        store.run("zzz")
    with pytest.raises(Forbidden, match="there is no run"):
        store.spec("zzz")


# --- Files ----------------------------------------------------------------------------------------


@on_sqlite
def test_a_store_is_private(store, driven):
    driven()
    for path in store.path.parent.iterdir():
        assert 0o600 == stat.S_IMODE(path.stat().st_mode), path
    assert 0o700 == stat.S_IMODE(store.path.parent.stat().st_mode)


@on_sqlite
def test_the_pragmas_are_as_designed(store):
    def ask(tx):
        names = ("journal_mode", "page_size", "foreign_keys", "synchronous", "secure_delete")
        return [tx.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert ["wal", 8192, 1, 1, 1] == store.write(ask)
    assert 2 == store.write(ask, durable=True)[3]
    assert 1 == store.write(ask)[3]


def test_a_reader_can_not_write(store):
    with pytest.raises(StoreUnusable, match="read-only"):
        store.read(lambda tx: tx.execute("DELETE FROM runs"))
