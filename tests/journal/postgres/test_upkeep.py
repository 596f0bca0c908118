"""Upkeep of a server sees one moment, does all or nothing, and outlives a lost connection."""

import signal
import sqlite3
import time
from contextlib import closing

import psycopg
import pytest

from agentctl.core.events import Forked
from agentctl.errors import Forbidden, StoreUnusable
from agentctl.journal import lease, ledger, pruning, salvaging, upkeep
from agentctl.journal.events import Change
from agentctl.journal.ledger import Scope
from agentctl.journal.postgres import copying
from tests.journal import server
from tests.journal.golden import EXPECTED
from tests.journal.postgres.test_lost import Once

BAD = "UPDATE events SET ts = 7 WHERE run_id = 'r_1' AND seq = 5"


@pytest.fixture
async def lived(store, driven, stamp):
    """Nine events of a run that nobody drives, and one that is over."""
    epoch, other = driven(), driven("r_2")
    await store.append(epoch, stamp(*"abcdefgh", "large " * 40_000), Change("paused", "SIGINT"))
    await store.append(other, stamp("x", run_id="r_2"), Change("completed", "done"))
    await store.release("r_1", epoch)
    await store.release("r_2", other)
    return store


@pytest.fixture
def far(wired, tmp_path):
    """The upkeep at the end of the wire."""
    return upkeep.of(wired, 1.0, tmp_path / "copies")


def rows(url):
    """All that is in the tables of the store."""
    with server.asking(server.named(url)) as operator:
        operator.execute("SET search_path TO agentctl")
        return {
            table: operator.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("runs", "events", "specs", "tool_calls", "holds", "budgets")
        }


# --- One moment -----------------------------------------------------------------------------------


async def test_a_look_writes_nothing(lived):
    with pytest.raises(StoreUnusable, match="read-only"):
        lived.look(lambda tx: tx.execute("DELETE FROM specs"))


async def test_who_thinks_for_long_in_a_look_is_not_ended(lived):
    asked = "SHOW idle_in_transaction_session_timeout"

    assert ("10min",) == lived.look(lambda tx: tx.execute(asked).fetchone())
    assert ("10s",) == lived.read(lambda tx: tx.execute(asked).fetchone())


# --- A lost connection ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [False, True])
async def test_a_check_that_lost_its_server_begins_again(lived, far, wire, answer):
    wire.cut = Once(b"FROM events WHERE run_id", answer=answer)
    found = far.check()

    assert wire.cut.done
    assert (2, 10, ()) == (found.runs, found.events, found.findings)


@pytest.mark.parametrize("words", [b"DECLARE", b"FETCH", b"ROLLBACK"])
async def test_a_copy_that_lost_its_server_is_whole(lived, far, wire, tmp_path, monkeypatch, words):
    monkeypatch.setattr(copying, "PIECE", 3)
    wire.cut = Once(words, answer=True)
    copied = far.backup(tmp_path / "copy.db")

    assert wire.cut.done
    assert (2, 10) == (copied.runs, copied.events)
    assert ["copy.db"] == [path.name for path in tmp_path.iterdir()]
    assert () == upkeep.of(f"sqlite:///{tmp_path}/copy.db", 1.0, tmp_path).check().findings


@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("words", [b"FETCH", b"DISABLE TRIGGER", b"UPDATE runs", b"COMMIT"])
async def test_a_repair_that_lost_its_server_is_done_once(lived, far, wire, behind, words, answer):
    with behind() as tx:
        tx.execute(BAD)
    wire.cut = Once(words, answer=answer)
    mended = far.repair((), time.time())

    assert wire.cut.done
    assert [("r_1", 5, 9)] == [(each.run_id, each.first, each.last) for each in mended.lost]
    assert (5, 2) == (lived.run("r_1").next_seq, lived.run("r_1").epoch), "cut once"
    assert () == far.check().findings
    assert mended.copy.exists()


@pytest.mark.parametrize("words", [b"FETCH", b"DELETE FROM events", b"UPDATE runs"])
async def test_a_repair_whose_server_stays_away_changes_nothing(lived, far, url, wire, behind, words):
    with behind() as tx:
        tx.execute(BAD)
    before, gone = rows(url), Once(words)

    def cut(said, from_server):
        gone(said, from_server)
        return gone.done

    wire.cut = cut
    with pytest.raises(StoreUnusable, match="it can't be connected to"):
        far.repair((), time.time())

    assert before == rows(url)


async def test_a_prune_that_lost_its_server_deletes_once(lived, opened, wire, wired, url):
    store = opened(wired)
    before = store.clock() + 60
    chosen = store.read(lambda tx: pruning.choose(tx, before, store.clock(), everything=True))
    wire.cut = Once(b"COMMIT", answer=True)

    assert 2 == pruning.prune(store, chosen.leave, before)
    assert wire.cut.done
    assert {"runs": [], "events": [], "specs": []}.items() <= rows(url).items()


REPAIR = """
import sys
from pathlib import Path
from agentctl.journal import upkeep
upkeep.of(sys.argv[1], 5.0, Path(sys.argv[2])).repair((), 1e9)
"""


@pytest.mark.parametrize(("point", "done"), [("server-before-commit", False), ("server-after-commit", True)])
async def test_a_repair_that_is_killed_is_done_wholly_or_not_at_all(
    lived, kept, url, behind, process, tmp_path, point, done
):
    with behind() as tx:
        tx.execute(BAD)
    before = rows(url)
    killed = process(REPAIR, url, tmp_path / "copies", AGENTCTL_FAILPOINT=f"{point}:1")
    _, err = killed.communicate(timeout=60)

    assert -signal.SIGKILL == killed.returncode, err
    assert done == (before != rows(url))
    assert done == (not kept.repair((), 2e9).lost)
    assert () == kept.check().findings


# --- The copy ---


async def test_a_copy_holds_every_row_of_every_table(store, driven, stamp, kept, url, opened, tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "PIECE", 4)
    epoch = driven(tenant_id="acme", rehearsed=True)
    own = [event for event in EXPECTED["1.0.0"] if not isinstance(event, Forked)]
    await store.append(epoch, stamp(*own))
    await store.append(epoch, stamp("\u00fc\U0001f40d " * 90_000, seq=len(own) + 1))
    store.leave("r_1", "pause", by="ada", payload="because")
    store.write(
        lambda tx: ledger.reserve(tx, "r_1:9", "r_1", 70, [Scope("run_usd:r_1", 0, None), Scope("day:x", 86_400, 99)])
    )
    store.write(lambda tx: tx.execute("INSERT INTO pins VALUES('s', 't', 'd', '{}', 0.1, 1e-300)"))
    store.write(lambda tx: tx.execute("INSERT INTO circuits VALUES('c', '{}', 1790000000.123456)"))
    kept.backup(tmp_path / "copy.db")
    copy = opened(f"sqlite:///{tmp_path}/copy.db")

    full = 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as tx:
        for table in salvaging.tables(tx):
            there = store.read(lambda tx, table=table: tx.execute(f"SELECT * FROM {table}").fetchall())
            here = tx.execute(f"SELECT * FROM {table}").fetchall()
            assert sorted(map(plain, there)) == sorted(map(plain, here)), table
            full += bool(here)
    assert full >= 9
    assert store.events("r_1") == copy.events("r_1")
    assert ["because"] == [letter.payload for letter in copy.letters("r_1")]
    assert () == upkeep.of(f"sqlite:///{tmp_path}/copy.db", 1.0, tmp_path).check().findings


def plain(row):
    """A short text is text in a file and bytes on a server; NULL has no order."""
    return [repr(value.decode(errors="replace") if isinstance(value, bytes) else value) for value in row]


# --- All or nothing -------------------------------------------------------------------------------


async def test_the_guards_of_events_are_back_after_a_repair(lived, kept, behind, store):
    with behind() as tx:
        tx.execute(BAD)
    kept.repair((), time.time())

    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        store.write(lambda tx: tx.execute("DELETE FROM events WHERE run_id = 'r_1'"))


async def test_a_copy_that_can_not_be_written_stops_the_repair(lived, url, behind, tmp_path):
    with behind() as tx:
        tx.execute(BAD)
    before = rows(url)
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(StoreUnusable, match=f"{tmp_path}/file"):
        upkeep.of(url, 1.0, tmp_path / "file" / "copies").repair((), time.time())
    assert before == rows(url)


async def test_nobody_is_repaired_under_a_driver_who_came_meanwhile(lived, kept, url, behind, tmp_path):
    with behind() as tx:
        tx.execute(BAD)
    found = kept.check().findings
    lived.write(lambda tx: lease.take(tx, "r_2", lease.new_owner(), time.time()))
    before = rows(url)

    with pytest.raises(Forbidden, match="r_2 is driven by process"):
        kept.repair(found, time.time())
    assert before == rows(url)
    assert not (tmp_path / "copies").exists()


async def test_a_user_who_may_only_read_can_check_and_copy_and_repairs_nothing(lived, url, behind, tmp_path):
    name = f"reader_{server.named(url)}"
    with behind() as tx:
        tx.execute(BAD)
        tx.execute(f"CREATE ROLE {name} LOGIN")
        tx.execute(f"GRANT USAGE ON SCHEMA agentctl TO {name}")
        tx.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA agentctl TO {name}")
    reads = upkeep.of(url.replace("agentctl@", f"{name}@"), 1.0, tmp_path / "copies")
    before = rows(url)

    assert [5] == [each.seq for each in reads.check().findings]
    assert 10 == reads.backup(tmp_path / "copy.db").events
    with pytest.raises(StoreUnusable, match="this user may not do that there"):
        reads.repair((), time.time())
    assert before == rows(url)


def test_another_programs_schema_is_left_alone_by_all_upkeep(url, kept, tmp_path):
    with server.asking(server.named(url)) as operator:
        operator.execute("CREATE SCHEMA agentctl; CREATE TABLE agentctl.runs(mine INTEGER)")
    for use in (kept.ready, kept.check, kept.size, lambda: kept.repair((), 1.0), lambda: kept.backup(tmp_path / "a")):
        with pytest.raises(StoreUnusable, match="is another program's"):
            use()
    assert [] == list(tmp_path.iterdir())


async def test_the_size_is_that_of_the_store_and_not_of_the_database(lived, kept, url):
    with server.asking(server.named(url)) as operator:
        before = kept.size()
        operator.execute("CREATE TABLE public.mine AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)")

    assert before == kept.size()
    with closing(server.asking(server.named(url))) as operator:
        (whole,) = operator.execute("SELECT pg_database_size(current_database())").fetchone()
    assert 100_000 < before < whole


def test_a_session_of_upkeep_ends_with_it(store, driven, kept, url, tmp_path):
    driven()
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with server.asking(server.named(url)) as operator:
        before = operator.execute(asked).fetchone()
        kept.check()
        kept.backup(tmp_path / "copy.db")
        deadline = time.monotonic() + 10
        while operator.execute(asked).fetchone() != before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
