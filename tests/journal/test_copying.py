"""The beginning of a run as another's: the same words, other seals, a chain of its own, nothing half done."""

import asyncio

import pytest

from agentctl.core import events as e
from agentctl.errors import StoreUnusable
from agentctl.journal import copying, lenient, walking
from agentctl.journal.events import Change
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store

LONG = "word " * 40_000


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", seal_dir=tmp_path) as opened:
        yield opened


def new(run_id):
    return NewRun(run_id, f"s_{run_id}", "ada", "task", "{}", 1.0)


def started(sealed=""):
    return e.RunStarted("t", "p", "d", "ada", "", "goal", "system", 10, 5, {}, sealed=sealed)


def parent(store, *events):
    """A run with these events; what they name sealed is `open-NAME`."""

    async def work():
        await store.create_run(new("r_old"))
        epoch = await store.take("r_old", "tests:1:1")
        original = store.seal.seal("r_old", b"open-goal")
        first = started(original.digest)
        stamped = [
            e.Stamped("r_old", seq, "s_r_old", 0, 2.5 + seq, event) for seq, event in enumerate((first, *events), 1)
        ]
        await store.append(epoch, stamped, Change(originals=(original,)), durable=True)

    asyncio.run(work())


def copied(store, at, *more):
    made = copying.prefix(store, "r_old", at, new("r_new"))
    forked = e.Forked("r_old", at, "ada", gone=made.gone)
    stamped = [e.Stamped("r_new", at + 1 + n, "s_r_new", 0, 9.0, event) for n, event in enumerate((forked, *more))]
    store.write(copying.written(store, new("r_new"), made, stamped, ()), durable=True)
    return made


def test_events_keep_their_words_and_moments_and_their_originals_are_sealed_anew(store):
    parent(store, e.Thought("hm"), e.Thought(LONG))
    copied(store, 3)
    old, fork = store.events("r_old"), store.events("r_new")

    assert [(one.seq, one.ts, one.step) for one in old] == [(one.seq, one.ts, one.step) for one in fork[:3]]
    assert [one.event for one in old[1:]] == [one.event for one in fork[1:3]]
    assert {"s_r_new"} == {one.session_id for one in fork}
    assert old[0].event.sealed != fork[0].event.sealed
    assert b"open-goal" == store.original("r_new", fork[0].event.sealed)
    assert 5 == store.run("r_new").next_seq
    assert [] == list(store.read(lambda tx: list(walking.faults(tx, store.blobs, "r_new", 5))))


def test_an_original_that_was_destroyed_is_named_no_more(store):
    parent(store)
    store.write(lambda tx: tx.execute("DELETE FROM sealed WHERE run_id = 'r_old'"))

    assert 1 == copied(store, 1).gone
    assert "" == store.events("r_new")[0].event.sealed


def test_what_can_not_be_opened_is_not_taken_for_destroyed(store):
    """Fail closed: a wrong key is an error."""
    parent(store)
    store.write(lambda tx: tx.execute("UPDATE sealed SET body = x'0102030405060708091011121314151617181920'"))

    with pytest.raises(StoreUnusable, match="can't be opened"):
        copied(store, 1)
    assert 1 == len(store.runs())


def test_a_write_that_fails_leaves_nothing_of_the_new_run(store):
    parent(store)
    made = copying.prefix(store, "r_old", 1, new("r_new"))
    work = copying.written(
        store, new("r_new"), made, [e.Stamped("r_new", 2, "s", 0, 9.0, e.Forked("r_old", 1, "a"))], ()
    )

    def fails(tx):
        work(tx)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(fails)
    assert ["r_old"] == [row.run_id for row in store.runs()]
    assert [] == store.events("r_new")


def test_an_event_of_a_newer_program_is_not_lost_in_silence(store):
    parent(store, e.Thought("hm"))
    store.write(lambda tx: tx.execute("DROP TRIGGER events_stay"))
    store.write(lambda tx: tx.execute("UPDATE events SET type = 'new_kind' WHERE seq = 2"))

    with pytest.raises(StoreUnusable, match="r_old seq 2: this program knows no `new_kind` events"):
        copied(store, 2)
    assert "new_kind" in store.read(lambda tx: lenient.events(tx, store.blobs, "r_old"))[1].why


def test_a_missing_event_is_an_error_here_and_a_line_for_who_only_looks(store):
    parent(store, e.Thought("hm"), e.Thought("so"))
    store.write(lambda tx: tx.execute("DROP TRIGGER events_leave_with_their_run"))
    store.write(lambda tx: tx.execute("DELETE FROM events WHERE seq = 2"))

    with pytest.raises(StoreUnusable, match="of its first 3 events 1 are missing"):
        copied(store, 3)
    assert ["event 2 is missing"] == [
        each.why for each in store.read(lambda tx: lenient.events(tx, store.blobs, "r_old")) if hasattr(each, "why")
    ]
