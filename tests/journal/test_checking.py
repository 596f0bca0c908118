"""A store says what is wrong with it, and mends it: a copy first, then no more lost than the damaged end of a run."""

import sqlite3
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.core.events import Completed, Forked, RunStarted
from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal import checking, lease, ledger, schema, upkeep
from agentctl.journal.events import Change
from agentctl.journal.ledger import Scope
from tests.journal import server
from tests.journal.conftest import on_sqlite, unguarded
from tests.journal.golden import EXPECTED
from tests.journal.test_store import finished, started

LARGE = "filed " * 20_000
STOPPED = Completed("stopped", "run_usd", 10, 0, "")
OWN = [event for event in EXPECTED["1.0.0"] if not isinstance(event, Forked)]
"""Events of a run that is no fork: whose calls before that event are another's."""


def said(kept):
    return [(each.kind, each.run_id, each.seq) for each in kept.check().findings]


@pytest.fixture
def lived(store, driven, stamp):
    """A store with two runs that nobody drives; the first has 30 events."""

    async def make():
        epoch = driven(tenant_id="acme", rehearsed=True)
        await store.append(epoch, stamp(*OWN[:20]))
        await store.append(epoch, stamp("short", "packed " * 400, LARGE, seq=21), Change("paused", "SIGINT"))
        for seq, event in enumerate(OWN[20:27], 24):
            await store.append(epoch, stamp(event, seq=seq))
        other = driven("r_2")
        await store.append(other, stamp(started(), "x", finished(), run_id="r_2"), Change("completed", "done"))
        await store.release("r_1", epoch)
        await store.release("r_2", other)
        store.write(lambda tx: ledger.reserve(tx, "r_1:9", "r_1", 70, [Scope("run_usd:r_1", 0, None)]))
        return store

    return make


async def test_a_store_that_lived_is_whole(lived, kept):
    await lived()
    found = kept.check()

    assert () == found.findings
    assert (2, 33, 0) == (found.runs, found.events, found.unlinked)


ALTERATIONS = {
    "data = ?, form = 0": b'{"text":"other"}',
    "ts = ts + ?": 1,
    "step = step + ?": 1,
    "epoch = epoch + ?": 1,
    "session_id = ?": "s_2",
    "v = v + ?": 1,
    "type = ?": "invented",
    "link = ?": b"\0",
    "link = ? ": bytes(32),
    "link = ?  ": None,
    "": None,
}


@pytest.mark.parametrize("what", ALTERATIONS)
@pytest.mark.parametrize("seq", [1, 2, 23, 29, 30])
async def test_every_single_change_is_found_and_named(lived, kept, behind, what, seq):
    await lived()
    there = f"WHERE run_id = 'r_1' AND seq = {seq}"
    with behind() as tx:
        if what:
            tx.execute(f"UPDATE events SET {what} {there}", (ALTERATIONS[what],))
        else:
            tx.execute(f"DELETE FROM events {there}")

    found = [each for each in kept.check().findings if each.kind in {"event", "blob"}]

    assert [("r_1", seq)] == [(each.run_id, each.seq) for each in found]
    assert f"event {seq} " in found[0].said


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(1, 8)))
async def test_events_in_another_order_are_found(opened, tmp_path_factory, kind, stamp, order):
    url = f"sqlite:///{tmp_path_factory.mktemp('s')}/a.db" if kind == "sqlite" else server.database()
    store = opened(url)
    from agentctl.journal import runs
    from agentctl.journal.runs import NewRun

    store.write(lambda tx: runs.create(tx, NewRun("r_1", "s_1", "ada", "t", "{}", 1.0)))
    await store.append(0, stamp(*"abcdefg"))
    with unguarded(url) as tx:
        tx.execute("UPDATE events SET seq = -seq")
        tx.executemany("UPDATE events SET seq = ? WHERE seq = ?", [(to, -at) for at, to in enumerate(order, 1)])

    named = [seq for _, _, seq in said(upkeep.of(url, 1.0, tmp_path_factory.mktemp("c")))]
    moved = [at for at, to in enumerate(order, 1) if at != to]

    assert bool(moved) == bool(named)
    assert named[:1] == moved[:1]


@pytest.mark.parametrize("seq", [1, 2, 15, 29, 30])
async def test_a_cut_end_is_found(lived, kept, behind, seq):
    await lived()
    with behind() as tx:
        tx.execute(f"DELETE FROM events WHERE run_id = 'r_1' AND seq >= {seq}")

    first = kept.check().findings[0]

    assert ("r_1", seq) == (first.run_id, first.seq)
    assert first.said == (f"events {seq} to 30 are missing" if seq < 30 else "event 30 is missing")


async def test_an_added_event_is_found(lived, kept, behind):
    await lived()
    with behind() as tx:
        tx.execute(
            "INSERT INTO events SELECT run_id, 31, epoch, ts, session_id, step, type, v, form, data, link"
            " FROM events WHERE run_id = 'r_1' AND seq = 21"
        )

    assert {("event", "r_1", 31)} == set(said(kept))


@on_sqlite
@pytest.mark.parametrize("damage", ["unlink", "alter"])
async def test_a_large_text_that_is_gone_or_altered_is_found(lived, kept, damage):
    store = await lived()
    (blob,) = store.path.parent.glob("blobs/??/*")
    if damage == "unlink":
        blob.unlink()
    else:
        blob.write_bytes(b"x")

    assert [("blob", "r_1", 23)] == said(kept)


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ("DELETE FROM tool_calls WHERE run_id = 'r_2'", "tool_calls"),
        ("UPDATE tool_calls SET state = 'started' WHERE run_id = 'r_2'", "tool_calls"),
        ("UPDATE budgets SET held = 71", "ledger"),
        ("DELETE FROM budgets", "ledger"),
        ("UPDATE holds SET scopes = 'x'", "ledger"),
    ],
)
async def test_a_derived_table_that_does_not_follow_is_found_and_made_anew(lived, kept, behind, how, wrong):
    store = await lived()
    with behind() as tx:
        tx.execute(how)
    found = kept.check()
    assert {wrong} == {each.kind for each in found.findings}
    store.close()

    mended = kept.repair(found.findings, time.time())

    assert () == mended.lost
    assert () == kept.check().findings
    assert mended.copy.exists()


@pytest.mark.parametrize(
    "change",
    [
        "session_id = 's_2'", "user_id = 'bob'", "tenant_id = 'acme'", "task = 'other'", "rehearsed = 1", "epoch = 0",
        "status = 'completed'", "status = 'running'", "reason = 'x'", "next_seq = 1", "next_seq = 3",
    ],
)  # fmt: skip
async def test_a_row_of_a_run_that_its_events_contradict_is_found_and_made_anew(
    store, driven, stamp, kept, behind, change
):
    """Whose run it is, and whether it may go on: without a loss, whatever the row says."""
    epoch = driven()
    events = stamp(RunStarted("order-triage", "p", "d", "ada", "", "g", "", 1, 1, {}), "x", STOPPED)
    await store.append(epoch, events, Change("stopped", "run_usd"))
    await store.release("r_1", epoch)
    before = store.run("r_1")
    with behind() as tx:
        tx.execute(f"UPDATE runs SET {change}")

    found = kept.check().findings
    mended = kept.repair(found, time.time())

    assert {("row", "r_1", 0)} == {(each.kind, each.run_id, each.seq) for each in found}
    assert change.partition(" ")[0] in " ".join(each.said for each in found) + " next_seq"
    assert (3, before) == (len(store.events("r_1")), store.run("r_1"))
    assert () == mended.lost == kept.check().findings


async def test_the_row_of_a_fork_is_its_own_users(store, driven, stamp, kept):
    """Its first event is a copy and names whose run the parent was."""
    epoch = driven(user_id="bob", task="other")
    begun = RunStarted("order-triage", "p", "d", "ada", "", "g", "", 1, 1, {})
    await store.append(epoch, stamp(begun, Forked("r_0", 1, "bob"), "x"))

    assert () == kept.check().findings


async def test_originals_of_a_run_that_lost_its_end_are_destroyed(store, driven, stamp, kept, behind):
    """It can't be resumed, and nobody else may open them."""
    epoch = driven()
    await store.append(epoch, stamp("a", "b"), Change("paused", "SIGINT", originals=(store.seal.seal("r_1", b"key"),)))
    await store.release("r_1", epoch)
    with behind() as tx:
        tx.execute("UPDATE events SET ts = 7 WHERE seq = 2")

    kept.repair(kept.check().findings, time.time())

    assert (0,) == store.read(lambda tx: tx.execute("SELECT count(*) FROM sealed").fetchone())


@on_sqlite
async def test_the_list_of_blobs_is_made_anew(lived, kept, behind):
    await lived()
    with behind() as tx:
        tx.execute("DELETE FROM blobs")
    found = kept.check().findings
    assert ["blobs"] == [each.kind for each in found]

    kept.repair(found, time.time())

    assert () == kept.check().findings


def test_every_table_whose_rows_belong_to_a_run_is_looked_at():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as tx:
        schema.make(tx)
        tables = [name for (name,) in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        of_runs = [name for name in tables if tx.execute(f"PRAGMA foreign_key_list({name})").fetchall()]

    assert sorted(of_runs) == sorted(checking.OF_RUNS)


@on_sqlite
async def test_a_file_that_another_process_holds_is_not_taken_for_damaged(lived, kept):
    store = await lived()
    store.close()
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnusable, match="locked by another process"):
            kept.check()


# --- Repair ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seq", "status"), [(1, "paused"), (12, "parked"), (23, "completed"), (30, "failed")])
async def test_a_run_loses_its_damaged_end_and_nothing_more(lived, kept, behind, opened, seq, status):
    store = await lived()
    before = store.events("r_1")[: seq - 1]
    other = store.events("r_2")
    store.write(lambda tx: tx.execute("UPDATE runs SET status = ? WHERE run_id = 'r_1'", (status,)))
    store.close()
    with behind() as tx:
        tx.execute(f"UPDATE events SET ts = 7 WHERE run_id = 'r_1' AND seq = {seq}")

    mended = kept.repair(kept.check().findings, time.time())
    again = opened()

    assert [("r_1", seq, 30)] == [(lost.run_id, lost.first, lost.last) for lost in mended.lost]
    assert before == again.events("r_1")
    assert other == again.events("r_2")
    assert seq == again.run("r_1").next_seq
    over = status in {"completed", "failed"}
    assert (status if over else "cancelled") == again.run("r_1").status
    assert () == kept.check().findings


async def test_a_run_that_failed_and_could_be_tried_again_can_not_once_its_end_is_lost(lived, kept, behind, opened):
    """What its lost events did is not known: `resume` takes up a run whose providers failed."""
    store = await lived()
    store.write(lambda tx: tx.execute("UPDATE runs SET status = 'failed', reason = 'providers' WHERE run_id = 'r_1'"))
    store.close()
    with behind() as tx:
        tx.execute("UPDATE events SET ts = 7 WHERE run_id = 'r_1' AND seq = 12")

    kept.repair(kept.check().findings, time.time())

    again = opened().run("r_1")
    assert ("cancelled", "repaired") == (again.status, again.reason)


async def test_the_copy_is_the_store_as_it_was(lived, kept, behind, tmp_path):
    store = await lived()
    store.close()
    with behind() as tx:
        tx.execute("UPDATE events SET ts = 7 WHERE run_id = 'r_1' AND seq = 5")
    found = kept.check()

    mended = kept.repair(found.findings, time.time())

    again = upkeep.of(f"sqlite:///{mended.copy}", 1.0, tmp_path).check()
    assert found.findings == again.findings
    assert (found.runs, found.events) == (again.runs, again.events)
    assert 0o600 == mended.copy.stat().st_mode & 0o777


async def test_nobody_repairs_under_a_driver(lived, kept, tmp_path):
    store = await lived()
    store.write(lambda tx: lease.take(tx, "r_1", lease.new_owner(), time.time()))

    with pytest.raises(Forbidden, match="r_1 is driven by process"):
        kept.repair((), time.time())
    assert [] == [path.name for path in tmp_path.rglob("agentctl.*2*Z*")]


async def test_events_whose_run_is_gone_get_a_row_that_cannot_be_resumed(lived, kept, behind, opened):
    store = await lived()
    before = store.events("r_1")
    store.close()
    with behind() as tx:
        tx.execute("DELETE FROM runs WHERE run_id = 'r_1'")
    found = kept.check()
    assert "reference" in {each.kind for each in found.findings}

    kept.repair(found.findings, time.time())
    again = opened()

    assert before == again.events("r_1")
    assert ("cancelled", "order-triage", "ada") == (
        again.run("r_1").status, again.run("r_1").task, again.run("r_1").user_id,
    )  # fmt: skip
    assert () == kept.check().findings


@on_sqlite
@pytest.mark.slow
@pytest.mark.parametrize("page", range(1, 22, 2))
async def test_a_file_with_a_bad_page_is_read_as_far_as_it_can_be(lived, kept, opened, stamp, page):
    """A page of zeros: what SQLite still gives is kept, and what is left is whole."""
    store = await lived()
    for number in range(3, 8):
        store.write(lambda tx, name=f"r_{number}": new_run(tx, name))
        await store.append(0, stamp(*["word " * 190] * 20, run_id=f"r_{number}"))
    whole = {name: store.events(name) for name in (f"r_{number}" for number in range(1, 8))}
    store.close()
    with closing(sqlite3.connect(store.path)) as tx:
        tx.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(store.path.read_bytes())
    if page * 8192 >= len(raw):
        pytest.skip("the file is shorter")
    raw[page * 8192 : (page + 1) * 8192] = bytes(8192)
    store.path.write_bytes(raw)

    found = kept.check()
    assert found.findings
    mended = kept.repair(found.findings, time.time())
    assert () == kept.check().findings
    again = opened()
    lost = {each.run_id: each.first for each in mended.lost if each.run_id}
    assert again.runs()
    for row in again.runs():
        assert whole[row.run_id][: lost.get(row.run_id, 99) - 1] == again.events(row.run_id)
    assert raw == mended.copy.read_bytes()


def new_run(tx, name):
    from agentctl.journal import runs
    from agentctl.journal.runs import NewRun

    runs.create(tx, NewRun(name, "s_1", "ada", "t", "{}", 1.0))


@on_sqlite
async def test_a_file_of_which_nothing_can_be_read_is_left_alone(lived, kept):
    store = await lived()
    store.close()
    raw = bytearray(store.path.read_bytes())
    raw[100:] = b"\xff" * (len(raw) - 100)
    store.path.write_bytes(raw)

    with pytest.raises(Exception, match="nothing in it can be read"):
        kept.repair(kept.check().findings, time.time())
    assert raw == store.path.read_bytes()
