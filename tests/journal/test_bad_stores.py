"""Whatever is wrong with a store: one line that names the path, what was expected and the way out."""

import asyncio
import errno
import fcntl
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from agentctl.errors import Invalid, StoreUnusable
from agentctl.journal import bodies, runs, schema
from agentctl.journal.runs import NewRun
from agentctl.journal.store import open_store

RUN = NewRun("r_1", "s_1", "ada", "task", "{}", 1.0)


@pytest.fixture
def kind():
    """What befalls a file; `postgres/` says what befalls a server."""
    return "sqlite"


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def refused(tmp_path):
    """Open the path and use it; the error that comes of it."""

    def use(path, **options):
        with (  # noqa: PT012  # opening or using, whichever notices
            pytest.raises(StoreUnusable) as caught,
            open_store(f"sqlite:///{path}", seal_dir=tmp_path, **options) as store,
        ):
            store.events("r_1")
            store.write(lambda tx: runs.create(tx, RUN))
        error = caught.value
        assert str(path) in error.message
        assert "\n" not in error.message
        assert error.hint
        assert 3 == error.exit_code
        return error.message

    return use


def made(path, tmp_path, events=200):
    """A store with something in it, folded into one file."""
    with open_store(f"sqlite:///{path}", seal_dir=tmp_path) as store:
        store.write(lambda tx: runs.create(tx, RUN))
        rows = [("r_1", seq, 1, 1.0, "s", 1, "thinking", 1, 0, "x" * 500) for seq in range(events)]
        store.write(lambda tx: tx.executemany(f"INSERT INTO events VALUES({'?,' * 10}NULL)", rows))


# --- What is there --------------------------------------------------------------------------------


def test_a_folder(refused, home):
    assert "it is a folder (a SQLite file was expected)" in refused(home)


def test_a_fifo(refused, home):
    os.mkfifo(home / "fifo")

    assert "it is no regular file" in refused(home / "fifo")


@pytest.mark.parametrize("content", [b"hello, this is no database at all" * 99, b"\0" * 9000, b"x"])
def test_no_database(refused, home, content):
    (home / "a.db").write_bytes(content)

    assert "damaged or no agentctl store" in refused(home / "a.db")
    assert content == (home / "a.db").read_bytes()


def test_another_programs_database(refused, home):
    other = sqlite3.connect(home / "a.db")
    other.execute("CREATE TABLE bookmarks(a)")
    other.close()

    assert "it is another program's database" in refused(home / "a.db")


def test_a_newer_store_names_both_versions(refused, home, tmp_path):
    made(home / "a.db", tmp_path)
    later = sqlite3.connect(home / "a.db")
    later.execute(f"PRAGMA user_version = {schema.VERSION + 6}")
    later.close()
    said = refused(home / "a.db")

    assert f"newer agentctl (store version {schema.VERSION + 6}" in said
    assert f"this program reads up to {schema.VERSION})" in said


def test_damaged_pages(refused, home, tmp_path):
    path = home / "a.db"
    made(path, tmp_path)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))

    assert "damaged or no agentctl store" in refused(path)


def test_a_cut_file(refused, home, tmp_path):
    path = home / "a.db"
    made(path, tmp_path)
    os.truncate(path, 8192 * 3)

    assert "damaged or no agentctl store" in refused(path)


def test_a_file_where_the_folder_should_be(refused, home):
    (home / "file").touch()

    assert "can't be opened" in refused(home / "file" / "a.db")


def test_an_empty_file_becomes_a_store(home, tmp_path):
    (home / "a.db").touch()
    made(home / "a.db", tmp_path)


@pytest.mark.parametrize("url", ["runs.db", "sqlite://x", "sqlite:///", "", "mysql:///a", "sqlite:///a\0b"])
def test_what_is_no_url_is_refused(url, tmp_path):
    with pytest.raises(Invalid, match="sqlite:///path") as caught:
        open_store(url, seal_dir=tmp_path)
    assert 3 == caught.value.exit_code


def test_odd_names_are_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a b?mode=ro#x%41.db", "ünï/c.db"):
        made(tmp_path / name, tmp_path)
        assert (tmp_path / name).is_file()
        with open_store(f"sqlite:///{name}", seal_dir=tmp_path) as store:
            assert tmp_path / name == store.path
            assert "r_1" == store.run("r_1").run_id


# --- An older store is migrated -------------------------------------------------------------------


def test_an_older_store_is_migrated_once_whoever_comes_first(home, tmp_path, monkeypatch):
    made(home / "a.db", tmp_path)
    more = (*schema.MIGRATIONS, "CREATE TABLE later(a INTEGER) STRICT;")
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    monkeypatch.setattr(schema, "VERSION", len(more))

    def opening():
        with open_store(f"sqlite:///{home}/a.db", seal_dir=tmp_path) as store:
            assert "r_1" == store.run("r_1").run_id
            store.read(lambda tx: tx.execute("SELECT a FROM later").fetchall())

    threads = [threading.Thread(target=opening) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opening()


def test_a_migration_that_fails_changes_nothing(home, tmp_path, monkeypatch):
    made(home / "a.db", tmp_path)
    broken = (*schema.MIGRATIONS, "CREATE TABLE later(a INTEGER); SELECT nonsense;")
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", broken)
        patched.setattr(schema, "VERSION", len(broken))
        with pytest.raises(sqlite3.OperationalError):
            open_store(f"sqlite:///{home}/a.db", seal_dir=tmp_path)

    with open_store(f"sqlite:///{home}/a.db", seal_dir=tmp_path) as store:
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'later'"
        assert (0,) == store.read(lambda tx: tx.execute(tables).fetchone())


# --- Locked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["turn", "database"])
def test_a_locked_store_says_so_and_works_again_afterwards(opened, lock):
    store = opened(lock_timeout_s=0.2)
    if lock == "turn":
        holder = os.open(f"{store.path}-lock", os.O_RDWR)
        fcntl.flock(holder, fcntl.LOCK_EX)
    else:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=r"agentctl\.db: it is locked by another process"):
            store.write(lambda tx: runs.create(tx, RUN))
    assert [] == store.runs(), "reading needs no turn"
    if lock == "turn":
        os.close(holder)
    else:
        other.close()
    store.write(lambda tx: runs.create(tx, RUN))
    assert "r_1" == store.run("r_1").run_id


def test_a_turn_comes_as_soon_as_it_is_free(opened):
    store = opened(lock_timeout_s=10)
    holder = os.open(f"{store.path}-lock", os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    threading.Timer(0.1, os.close, [holder]).start()
    began = time.monotonic()
    store.write(lambda tx: runs.create(tx, RUN))

    assert 0.09 < time.monotonic() - began < 2


# --- Read-only ------------------------------------------------------------------------------------

READ_ONLY = """
import concurrent.futures, os, sys, tempfile  # all before the step down: the library may be root's own
from pathlib import Path
import agentctl.journal.store, agentctl.journal.runs
from agentctl.errors import StoreUnusable
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # root may write everywhere
folder = Path(tempfile.mkdtemp()) / "home"
runs, opening = agentctl.journal.runs, agentctl.journal.store.open_store
url = f"sqlite:///{folder}/a.db"

def new(name):
    return runs.NewRun(name, "s", "u", "t", "{}", 1.0)

if sys.argv[1] != "nothing":
    with opening(url, seal_dir=folder) as store:
        store.write(lambda tx: runs.create(tx, new("r_1")))
else:
    folder.mkdir()
(folder / "a.db").chmod(0o400) if sys.argv[1] == "file" else folder.chmod(0o500)
try:
    store = opening(url, seal_dir=folder)
    print(store.run("r_1").run_id)
    store.write(lambda tx: runs.create(tx, new("r_2")))
except StoreUnusable as error:
    print(error.message)
"""


@pytest.mark.parametrize("what", ["file", "folder", "nothing"])
def test_a_read_only_store_can_be_read_and_says_why_not_more(process, what):
    out, err = process(READ_ONLY, what).communicate()
    *read, said = out.splitlines() or [""]

    assert read == ([] if what == "nothing" else ["r_1"]), err
    assert "a.db: it can't be written: the file or its folder is read-only" in said


# --- Full -----------------------------------------------------------------------------------------


async def test_a_full_disk_fails_all_that_wait_and_loses_nothing_acknowledged(store, driven, stamp):
    epoch = driven()
    await store.append(epoch, stamp("a"))
    pages = "SELECT page_count FROM pragma_page_count"
    limit = store.write(lambda tx: tx.execute(pages).fetchone()[0])
    store.write(lambda tx: tx.execute(f"PRAGMA max_page_count = {limit}").fetchall())

    big = [stamp("é" + os.urandom(9000).hex(), seq=seq) for seq in (2, 3)]
    jobs = [store.append(epoch, events) for events in big]
    for came in await asyncio.gather(*jobs, return_exceptions=True):
        assert isinstance(came, StoreUnusable)
    assert stamp("a") == store.events("r_1")

    store.write(lambda tx: tx.execute("PRAGMA max_page_count = 100000").fetchall())
    await store.append(epoch, big[0])
    assert 2 == len(store.events("r_1"))


async def test_a_full_disk_is_told_as_one(store, driven):
    driven()
    store.write(lambda tx: tx.execute("PRAGMA max_page_count = 1").fetchall())
    with pytest.raises(StoreUnusable, match="the disk is full or its quota is used up"):
        await store.submit(lambda tx: tx.execute("UPDATE specs SET spec = ?", (os.urandom(50_000).hex(),)))


@pytest.mark.parametrize(
    "fault",
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "refused a read or a write")],
)
async def test_a_blob_that_can_not_be_written_is_told(store, driven, stamp, monkeypatch, fault):
    epoch = driven()
    code, said = fault

    def broken(_fd):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(bodies.os, "fsync", broken)
        with pytest.raises(StoreUnusable, match=said):
            await store.append(epoch, stamp("x" * 100_000))
    assert [] == [path for path in (store.path.parent / "blobs").rglob("*") if path.is_file()]
    await store.append(epoch, stamp("x" * 100_000))


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from agentctl.core.events import Stamped, Thought
from agentctl.errors import StoreUnusable
from agentctl.journal import lease
from agentctl.journal.store import open_store

async def main():
    store = open_store(sys.argv[1], seal_dir=Path("/nowhere"))
    epoch = await store.take("r_1", lease.new_owner())
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    seq = 0
    try:
        while True:
            event = Stamped("r_1", seq + 1, "s", 1, 1.0, Thought("word " * 150))
            await store.append(epoch, [event], durable=seq % 2 == 0)
            seq += 1
    except StoreUnusable as error:
        print(seq)
        print(error.message)

asyncio.run(main())
"""


def test_a_disk_that_refuses_a_write_loses_nothing_acknowledged(store, url, driven, process):
    driven()
    store.write(lambda tx: tx.execute("UPDATE runs SET owner = ''"))
    out, err = process(LIMITED, url).communicate()
    acknowledged, said = out.splitlines() or ["", err]

    assert "agentctl.db: the disk refused a read or a write" in said
    assert int(acknowledged) > 20
    assert int(acknowledged) == len(store.events("r_1"))
    assert [("ok",)] == store.read(lambda tx: tx.execute("PRAGMA integrity_check").fetchall())


def test_a_store_in_a_folder_that_is_not_there_is_made(tmp_path):
    made(Path(tmp_path, "a", "b", "c.db"), tmp_path)
