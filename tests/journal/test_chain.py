"""Each event is linked to the one before it: stores of before get their links once, and a link stays."""

import shutil
import sqlite3
from contextlib import closing

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.events import Thought
from agentctl.journal import bodies, chain, opening, schema
from agentctl.journal.chain import Place
from agentctl.journal.store import open_store
from tests.journal import server
from tests.journal.conftest import on_sqlite
from tests.journal.golden import EXPECTED

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
COLUMNS = "seq, epoch, ts, session_id, step, type, v"
places = st.builds(
    Place,
    st.integers(1, 9),
    st.integers(0, 3),
    st.floats(0, 2e9),
    st.text("ab.", max_size=3),
    st.integers(0, 9),
    st.sampled_from(["thinking", "tool_call"]),
    st.integers(1, 2),
)


def links(store, run_id="r_1"):
    rows = store.read(
        lambda tx: tx.execute("SELECT link FROM events WHERE run_id = ? ORDER BY seq", (run_id,)).fetchall()
    )
    return [link for (link,) in rows]


def recomputed(store, run_id="r_1"):
    rows = store.read(
        lambda tx: tx.execute(
            f"SELECT form, data, {COLUMNS} FROM events WHERE run_id = ? ORDER BY seq", (run_id,)
        ).fetchall()
    )
    at, made = chain.first(run_id), []
    for form, data, *place in rows:
        at = chain.link(at, Place(*place), chain.body(bodies.unpack(store.blobs, form, data)))
        made.append(at)
    return made


BEFORE = schema.MIGRATIONS.index(schema._CHAIN)
LATER = (
    "DROP TABLE onlookers; DROP INDEX runs_by_task; ALTER TABLE runs DROP COLUMN policy; DROP TABLE incidents;"
    " DROP INDEX events_injected;"
)
"""What came after it."""
OLD = f"""
{LATER} DROP INDEX events_unlinked; ALTER TABLE events DROP COLUMN link;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
PRAGMA user_version = {BEFORE};
"""
OLD_SERVER = f"""
{LATER} DROP INDEX events_unlinked; ALTER TABLE events DROP COLUMN link; UPDATE store SET version = {BEFORE};
CREATE OR REPLACE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'events are append-only'; END $$;
CREATE TRIGGER events_stay BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION events_stay();
"""


def forget_links(url):
    """A store as the version before links left it."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(opening.path_of(url))) as tx:
            tx.executescript(f"DROP TRIGGER events_stay; {OLD}")
        return
    with server.asking(server.named(url)) as operator:
        operator.execute(f"SET search_path TO agentctl; DROP TRIGGER events_stay ON events; {OLD_SERVER}")


async def test_every_event_is_linked_however_it_is_appended_and_kept(store, driven, stamp):
    epoch = driven()
    texts = [Thought("short"), Thought("packed " * 400), Thought("filed " * 20_000)]
    await store.append(epoch, stamp(*EXPECTED["1.0.0"][:9]))
    store.append_soon(epoch, stamp(*texts, seq=10))
    await store.append(epoch, stamp(*EXPECTED["1.0.0"][9:], seq=13))

    assert links(store) == recomputed(store)
    assert len(set(links(store))) == len(EXPECTED["1.0.0"]) + 3


@given(places, places, st.binary(max_size=3), st.binary(max_size=3))
def test_another_place_or_text_is_another_link(one, other, text, another):
    same = (one, text) == (other, another)
    data, more = chain.body(text.hex()), chain.body(another.hex())

    assert same == (chain.link(b"0" * 32, one, data) == chain.link(b"0" * 32, other, more))
    assert chain.link(b"1" * 32, one, data) != chain.link(b"0" * 32, one, data)


async def test_events_of_before_are_linked_at_the_first_append_of_their_run(opened, driven, store, stamp, url):
    await store.append(driven(), stamp("a", "filed " * 20_000, "c"))
    before = links(store)
    epoch = driven("r_2")
    await store.append(epoch, stamp("other", run_id="r_2"))
    store.close()
    forget_links(url)
    later = opened()

    assert [None] * 3 == links(later)
    assert ["r_1", "r_2"] == later.read(chain.unlinked)

    await later.append(1, stamp("d", seq=4))

    assert before == links(later)[:3]
    assert links(later) == recomputed(later)
    assert ["r_2"] == later.read(chain.unlinked)


@pytest.mark.parametrize("change", [{"link": None}, {"link": b"x"}, {"link": b"x", "data": b"x"}, {"data": b"x"}])
async def test_a_link_that_was_written_stays_and_so_does_what_it_links(store, driven, stamp, change):
    await store.append(driven(), stamp("a"))
    said = ", ".join(f"{column} = ?" for column in change)

    with pytest.raises(REFUSED, match="append-only"):
        store.write(lambda tx: tx.execute(f"UPDATE events SET {said}", tuple(change.values())))


def test_linking_changes_nothing_else(store, driven):
    driven()
    row = ("r_1", 1, 1, 1.0, "s", 1, "thinking", 1, 0, b"{}")
    store.write(lambda tx: tx.execute("INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?,NULL)", row))

    with pytest.raises(REFUSED, match="append-only"):
        store.write(lambda tx: tx.execute("UPDATE events SET link = ?, ts = 2.0", (b"x",)))
    store.write(lambda tx: chain.complete(tx, store.blobs, "r_1"))

    assert links(store) == recomputed(store)


@on_sqlite
async def test_a_filed_text_that_a_prune_removed_meanwhile_is_filed_again(store, driven, stamp):
    epoch = driven()
    text = "filed " * 20_000
    draft = store.packed(stamp(text))
    shutil.rmtree(store.path.parent / "blobs")
    from agentctl.journal import events

    store.write(lambda tx: events.append(tx, epoch, draft, events.Change(), 1.0))

    assert stamp(text) == store.events("r_1")


def test_the_wait_for_a_store_of_before_is_no_wait(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/a.db", seal_dir=tmp_path) as store:
        plan = store.read(
            lambda tx: tx.execute(
                "EXPLAIN QUERY PLAN SELECT DISTINCT run_id FROM events INDEXED BY events_unlinked WHERE link IS NULL"
            ).fetchall()
        )

    assert "events_unlinked" in str(plan)
