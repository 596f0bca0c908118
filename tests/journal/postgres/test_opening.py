"""What is on a server is ours and up to date, or told in one line that names the way out and never a password."""

import threading

import psycopg
import pytest

from agentctl.errors import Invalid, StoreMissing, StoreUnusable
from agentctl.journal import doors, runs, schema
from agentctl.journal.postgres import dialect
from agentctl.journal.postgres.faults import shown
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store
from agentctl.runner import stores
from tests.journal import server

RUN = NewRun("r_1", "s_1", "ada", "task", "{}", 1.0)


@pytest.fixture
def database(url):
    """Do something to the database of the test, as its operator."""
    name = url.partition("?")[0].rpartition("/")[2]

    def do(*statements):
        with server.asking(name) as operator:
            return [
                operator.execute(each).fetchall() if "SELECT" in each else operator.execute(each) for each in statements
            ]

    return do


@pytest.fixture
def refused(url, tmp_path):
    """Open it; the error that comes of it."""

    def use(at=url, **options):
        with pytest.raises(Invalid) as caught, open_store(at, seal_dir=tmp_path, **options) as store:
            store.write(lambda tx: runs.create(tx, RUN))
        assert 3 == caught.value.exit_code
        assert caught.value.hint
        assert "\n" not in caught.value.message
        return caught.value.message

    return use


# --- The tables -----------------------------------------------------------------------------------


def test_both_kinds_of_store_have_the_same_columns_in_the_same_order(store, tmp_path):
    """B46: rows are written by position."""
    types = {"TEXT": "text", "INTEGER": "bigint", "REAL": "double precision", "BLOB": "bytea", "ANY": "bytea"}
    with open_store(f"sqlite:///{tmp_path}/a.db", seal_dir=tmp_path) as other:
        named = "SELECT m.name, p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p"
        kept = other.read(
            lambda tx: tx.execute(f"{named} WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'").fetchall()
        )
    asked = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns"
    asked += " WHERE table_schema = 'agentctl' AND table_name NOT IN ('store', 'commits') ORDER BY ordinal_position"
    found = store.read(lambda tx: tx.execute(asked).fetchall())

    assert sorted({table for table, _, _ in kept}) == sorted({table for table, _, _ in found})
    for wanted in {table for table, _, _ in kept}:
        assert [(name, types[kind]) for table, name, kind in kept if table == wanted] == [
            (name, kind) for table, name, kind in found if table == wanted
        ]


def test_a_trigger_that_nobody_wrote_for_servers_is_a_defect():
    with pytest.raises(KeyError, match="invented"):
        dialect.script("CREATE TRIGGER invented BEFORE UPDATE ON runs BEGIN SELECT 1; END;")


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("SELECT max(at) FROM a WHERE b = ?", b"SELECT max(at) FROM a WHERE b = %s"),
        ("SET a = max(0, a - ?) + min(?, 5)", b"SET a = greatest(0, a - %s) + least(%s, 5)"),
        ("FROM holds INDEXED BY holds_open WHERE a LIKE 'x%'", b"FROM holds WHERE a LIKE 'x%%'"),
    ],
)
def test_a_statement_says_the_same_to_a_server(here, there):
    assert there == dialect.statement(here)


def test_events_are_not_emptied_either(store, driven):
    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        store.write(lambda tx: tx.execute("TRUNCATE events"))


def test_no_limit_is_no_limit(store):
    assert [(3,)] == store.read(lambda tx: tx.execute("SELECT 3 LIMIT ?", (-1,)).fetchall())


# --- Opening --------------------------------------------------------------------------------------


def test_whoever_comes_first_makes_it(url, tmp_path):
    made, going = [], threading.Barrier(6)

    def opens():
        going.wait()
        with open_store(url, seal_dir=tmp_path) as store:
            made.append(store.runs())

    threads = [threading.Thread(target=opens) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [[]] * 6 == made


def test_an_older_store_is_migrated(url, tmp_path, opened, monkeypatch, driven):
    driven()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE later(x REAL NOT NULL) STRICT;"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    later = opened()
    later.write(lambda tx: tx.execute("INSERT INTO later VALUES(?)", (0.1,)))

    assert (0.1,) == later.read(lambda tx: tx.execute("SELECT x FROM later").fetchone())
    assert "r_1" == later.run("r_1").run_id


def test_a_newer_store_names_both_versions(store, refused, database):
    database(f"UPDATE agentctl.store SET version = {schema.VERSION + 6}")

    assert (
        f"newer agentctl (store version {schema.VERSION + 6}, this program reads up to {schema.VERSION})" in refused()
    )


def test_another_programs_schema_is_left_alone(refused, database):
    database("CREATE SCHEMA agentctl", "CREATE TABLE agentctl.mine(x INTEGER)")

    assert "its schema `agentctl` is another program's" in refused()
    assert [[(1,)]] == database("SELECT count(*) FROM pg_class WHERE relnamespace = 'agentctl'::regnamespace")


def test_an_empty_schema_that_somebody_made_is_taken(database, opened):
    database("CREATE SCHEMA agentctl")

    assert [] == opened().runs()


def test_who_only_reads_makes_nothing(url, refused, database):
    with pytest.raises(StoreMissing, match="there is none"), doors.tables(url, 1.0):
        pass
    assert "there is none" in refused(make="nothing")
    assert [[(None,)]] == database("SELECT to_regnamespace('agentctl')::text")


def test_who_may_not_is_told_what_is_needed(url, refused, database):
    name = f"poor_{url.partition('?')[0].rpartition('/')[2]}"
    database(f"CREATE ROLE {name} LOGIN")

    assert "this user may not do that there" in refused(url.replace("agentctl@", f"{name}@"))


def test_a_database_that_is_not_there(url, refused):
    assert "does not exist" in refused(url.replace("?", "_nope?"))


def test_an_encoding_that_can_not_hold_a_text(url, refused, database):
    name = f"{url.partition('?')[0].rpartition('/')[2]}_ascii"
    database(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")

    assert "its encoding is SQL_ASCII (UTF8 was expected)" in refused(url.replace("?", "_ascii?"))


def test_no_message_shows_a_password(refused, tmp_path):
    word = f"s3{'cret'}"
    for url in (
        f"postgresql://ada:{word}@/db?host={tmp_path}",
        f"postgresql://ada:{word}@127.0.0.1:1/db",
        f"postgresql://ada:{word}@127.0.0.1:port/db",
        f"postgresql://ada:%zz{word}@127.0.0.1/db",
        f"postgresql://ada:{word}@127.0.0.1/db?nonsense={word}",
    ):
        assert word not in refused(url)
        assert word not in shown(url)


# --- Locks, levels and keys -----------------------------------------------------------------------


def test_a_held_turn_is_told_and_comes_again(opened, database, url):
    store = opened(lock_timeout_s=0.2)
    with server.asking(url.partition("?")[0].rpartition("/")[2]) as holder:
        holder.execute(f"SELECT pg_advisory_lock({schema.APPLICATION_ID})")
        with pytest.raises(StoreUnusable, match="it is locked by another process"):
            store.write(lambda tx: runs.create(tx, RUN))
        assert [] == store.runs(), "reading needs no turn"
    store.write(lambda tx: runs.create(tx, RUN))


def test_what_is_durable_waits_for_the_disk_and_the_rest_does_not(store):
    def level(tx):
        return tx.execute("SHOW synchronous_commit").fetchone()[0]

    assert ["off", "on", "off"] == [store.write(level), store.write(level, durable=True), store.write(level)]


def test_a_stricter_default_of_the_server_changes_nothing(url, database, opened):
    """With a snapshot from before its turn a writer would not see what the one before it wrote."""
    name = url.partition("?")[0].rpartition("/")[2]
    database(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")

    assert ("read committed",) == opened().write(lambda tx: tx.execute("SHOW transaction_isolation").fetchone())


def test_a_statement_that_failed_and_was_passed_over_is_no_commit(store):
    def careless(tx):
        runs.create(tx, RUN)
        with pytest.raises(psycopg.Error):
            tx.execute("SELECT nothing")

    with pytest.raises(RuntimeError, match="broken transaction"):
        store.write(careless)
    assert [] == store.runs()


def test_a_run_does_not_begin_without_the_key_that_seals(url, monkeypatch, tmp_path):
    monkeypatch.delenv("AGENTCTL_SEAL_KEY")
    with pytest.raises(StoreUnusable, match="AGENTCTL_SEAL_KEY is not set"):
        stores.open_journal(url)
    assert [] == stores.existing(url).runs(), "reading needs none"
    assert [] == list(tmp_path.rglob("seal.key"))


def test_a_closed_store_leaves_no_mark(store, url, tmp_path):
    with open_store(url, seal_dir=tmp_path) as other:
        other.write(lambda tx: runs.create(tx, RUN))
        assert (1,) == store.read(lambda tx: tx.execute("SELECT count(*) FROM commits").fetchone())

    assert (0,) == store.read(lambda tx: tx.execute("SELECT count(*) FROM commits").fetchone())
