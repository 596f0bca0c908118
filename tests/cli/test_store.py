"""`store check`, `store migrate`, `store backup`, `runs prune`, `export` and `verify` over recorded runs."""

import base64
import errno
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from agentctl.config import paths
from agentctl.core import events as e
from agentctl.journal import bundle, lease, opening, schema
from agentctl.journal.store import open_store
from tests.cli.conftest import replied, started
from tests.journal import server
from tests.journal.conftest import unguarded
from tests.journal.test_chain import forget_links

DAY = 86_400
DONE = e.Completed("completed", "done", 0, 18_400, "On its way.")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, monkeypatch, record):
    """The URL of a store with two runs."""
    if request.param == "postgres":
        server.or_skip(request.node)
        monkeypatch.setenv("AGENTCTL_STORE", server.database())
        monkeypatch.setenv("AGENTCTL_SEAL_KEY", base64.b64encode(os.urandom(32)).decode())
    record("r_aaa111", started(), replied(), DONE, session="s_a")
    record("r_bbb222", started("Other."), replied(), DONE, ago=60 * DAY, session="s_b")
    aged()
    return paths.store_url()


on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def aged():
    """As if nobody had written to a run since it began."""
    alter(paths.store_url(), "UPDATE runs SET updated = created")


def alter(url, statement):
    with unguarded(url) as tx:
        tx.execute(statement)


BAD = "UPDATE events SET ts = 7 WHERE run_id = 'r_aaa111' AND seq = 2"


UPKEEP = (
    ("store", "check"),
    ("store", "check", "--repair"),
    ("store", "migrate"),
    ("store", "backup", "a.db"),
    ("runs", "prune", "--older-than", "1d"),
    ("export", "r_aaa111", "--out", "a.zip"),
)


@pytest.mark.parametrize(
    "spec", ["{", "[]", "{}", "null", "3", '{"task": 3}', '{"task": "", "policy": null, "max_usd": null}']
)
def test_a_run_whose_order_is_lost_is_shown_and_nothing_goes_on_with_it(agentctl, url, tmp_path, spec):
    """The last one is what a repair leaves where a run's row was lost."""
    alter(url, f"UPDATE specs SET spec = '{spec}'")
    alter(url, "UPDATE runs SET status = 'stopped', reason = 'run_usd'")

    for command in (("show",), ("trace",), ("events",), ("replay",), ("export", "--out", tmp_path / "a.zip")):
        assert agentctl(*command, "r_aaa111").code == 0, command
    for command in ("resume", "fork"):
        called = agentctl(command, "r_aaa111")
        assert 3 == called.code, called.err
        assert "what r_aaa111 was started with is lost, or was changed" in called.err


# --- store ----------------------------------------------------------------------------------------


def test_a_whole_store_says_so(agentctl, url):
    called = agentctl("store", "check")

    assert (0, "whole: 2 runs, 6 events\n") == (called.code, called.out)
    body = agentctl("store", "check", "--json").json
    assert (True, [], None) == (body["whole"], body["items"], body["repaired"])


def test_no_store_yet_is_a_whole_one_and_a_named_one_must_be_there(agentctl, isolated, tmp_path):
    assert 0 == agentctl("store", "check").code
    assert 3 == agentctl("store", "check", "--store", f"sqlite:///{tmp_path}/none.db").code
    assert 3 == agentctl("store", "backup", tmp_path / "copy.db").code
    assert 0 == agentctl("runs", "prune", "--older-than", "1d").code
    assert [] == list(isolated.rglob("*.db"))


def test_an_altered_event_is_named_and_ends_with_17(agentctl, url):
    alter(url, BAD)
    called = agentctl("store", "check")

    assert 17 == called.code
    assert "r_aaa111: event 2 (model_reply) was altered\n" == called.out
    assert "store check --repair" in called.err
    body = agentctl("store", "check", "--json").json
    assert {
        "kind": "event",
        "run_id": "r_aaa111",
        "seq": 2,
        "message": "event 2 (model_reply) was altered",
        "mend": "cut",
    } == body["items"][0]


def test_a_repair_says_what_was_lost_and_where_the_copy_is(agentctl, url, isolated):
    alter(url, BAD)
    called = agentctl("store", "check", "--repair")

    assert 0 == called.code, called.err
    assert "r_aaa111: events 2 to 3 are lost: event 2 (model_reply) was altered" in called.out
    (copy,) = (each for each in isolated.rglob("agentctl.*.2*Z*") if not each.name.endswith("-wal"))
    assert f"copy of the store as it was: {copy}" in called.out
    assert 17 == agentctl("store", "check", "--store", f"sqlite:///{copy}").code
    assert 0 == agentctl("store", "check").code
    assert 1 == len(agentctl("events", "r_aaa111").out.splitlines())
    assert "completed" in agentctl("show", "r_aaa111").out


def test_a_cut_run_that_was_not_over_cannot_be_resumed(agentctl, record):
    record("r_ccc333", started(), replied(), e.Completed("paused", "SIGINT", 130, 0, ""), status="paused", reason="")
    alter(paths.store_url(), "UPDATE events SET ts = 7 WHERE seq = 3")
    body = agentctl("store", "check", "--repair", "--json").json

    assert [{"run_id": "r_ccc333", "first": 3, "last": 3, "message": "event 3 (complete) was altered"}] == (
        body["repaired"]["lost"]
    )
    called = agentctl("resume", "r_ccc333")
    assert (20, True) == (called.code, "cancelled (repaired) and can't be resumed" in called.err)


@on_sqlite
def test_a_damaged_file_is_named_with_the_command_that_mends_it_and_no_copy_of_it_is_left(agentctl, url, tmp_path):
    with closing(sqlite3.connect(path := opening.path_of(url))) as tx:
        tx.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = tx.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 8192 : root * 8192] = b"\xff" * 8192
    path.write_bytes(raw)

    for command in (["show", "r_aaa111"], ["store", "backup", tmp_path / "copy.db"]):
        called = agentctl(*command)

        assert 3 == called.code
        assert f"store {path}: it is damaged" in called.err
        assert "agentctl store check" in called.err
    assert not list(tmp_path.glob("*copy.db*"))


@on_sqlite
def test_a_damaged_file_is_found_and_what_can_be_read_is_kept(agentctl, url):
    with closing(sqlite3.connect(path := opening.path_of(url))) as tx:
        tx.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = tx.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs_by_age'").fetchone()
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 8192 : root * 8192] = b"\xff" * 8192
    path.write_bytes(raw)

    called = agentctl("store", "check", "--repair")

    assert 0 == called.code, called.out
    assert "whole: 2 runs, 6 events" in called.out


def test_a_newer_store_is_refused_with_one_line(agentctl, url):
    table = "PRAGMA user_version" if url.startswith("sqlite:") else "UPDATE store SET version"
    alter(url, f"{table} = {schema.VERSION + 1}")
    for command in UPKEEP:
        called = agentctl(*command)

        assert 3 == called.code
        assert "written by a newer agentctl" in called.err.splitlines()[0]


def test_what_is_no_store_is_refused_and_left_alone(agentctl, tmp_path):
    (tmp_path / "a.db").write_bytes(b"hello" * 2000)
    called = agentctl("store", "check", "--repair", "--store", f"sqlite:///{tmp_path}/a.db")

    assert (3, b"hello" * 2000) == (called.code, (tmp_path / "a.db").read_bytes())


@pytest.mark.parametrize("command", UPKEEP, ids=" ".join)
def test_upkeep_of_a_server_that_is_not_there_is_one_line(agentctl, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agentctl.journal.postgres.engine.READ_S", 0.1)
    called = agentctl(*command, "--store", "postgresql://ada@127.0.0.1:1/db")

    assert 3 == called.code
    assert called.err.startswith("error: store postgresql://ada@127.0.0.1:1/db: it can't be connected to")
    assert [] == list(tmp_path.iterdir())


def test_what_only_an_administrator_can_tell_is_said(agentctl, url):
    assert url.startswith("postgresql:") == ("pg_amcheck" in agentctl("store", "check").err)


def test_migrate_links_the_runs_of_before(agentctl, url):
    forget_links(url)
    called = agentctl("store", "check")
    assert (0, True) == (called.code, "2 runs of an earlier version have no links yet" in called.err)

    assert {"version": schema.VERSION, "linked": 2} == agentctl("store", "migrate", "--json").json
    assert 0 == agentctl("store", "check", "--json").json["unlinked"]
    assert f"store version {schema.VERSION}\n" == agentctl("store", "migrate").out


def test_a_backup_is_a_store(agentctl, url, tmp_path):
    (tmp_path / "copies").mkdir()
    called = agentctl("store", "backup", tmp_path / "copies" / "a.db")
    copy = f"sqlite:///{tmp_path}/copies/a.db"

    assert 0 == called.code, called.err
    assert f"{tmp_path}/copies/a.db: 2 runs, 6 events" in called.out
    assert 2 == len(agentctl("runs", "--json", "--store", copy).json["items"])
    assert agentctl("store", "check").out == agentctl("store", "check", "--store", copy).out
    for command in (("events", "r_aaa111"), ("trace", "r_aaa111"), ("show", "r_aaa111")):
        assert agentctl(*command).out == agentctl(*command, "--store", copy).out
    made = [
        agentctl("export", "r_aaa111", "--force", "--out", tmp_path / "a.zip", *at) for at in ((), ("--store", copy))
    ]
    assert made[0].out == made[1].out
    assert 20 == agentctl("store", "backup", tmp_path / "copies" / "a.db").code


# --- runs prune -----------------------------------------------------------------------------------


def test_prune_says_what_it_would_do_and_does_it(agentctl, url):
    dry = agentctl("runs", "prune", "--older-than", "30d", "--dry-run")

    assert "r_bbb222  completed" in dry.out
    assert "1 runs would be deleted" in dry.out
    assert 2 == len(agentctl("runs", "--json").json["items"])

    body = agentctl("runs", "prune", "--older-than", "30d", "--json").json
    assert (1, [{"run_id": "r_bbb222", "status": "completed"}]) == (body["deleted"], body["items"])
    assert body["bytes_after"] <= body["bytes_before"]
    assert ["r_aaa111"] == [item["run_id"] for item in agentctl("runs", "--json").json["items"]]
    assert 0 == agentctl("store", "check").code


def test_prune_says_why_space_stays(agentctl, url):
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        store.write(lambda tx: lease.take(tx, "r_aaa111", lease.new_owner(), store.clock()))
        told = agentctl("runs", "prune", "--older-than", "30d").err

    why = "a run is being driven" if url.startswith("sqlite:") else "the space is the server's to use again"
    assert why in told
    assert "space" not in agentctl("runs", "prune", "--older-than", "30d").err


def test_prune_needs_an_age_and_says_what_stays(agentctl, url, record):
    record("r_ccc333", started(), status="parked", reason="approval", ago=60 * DAY)
    aged()

    assert 2 == agentctl("runs", "prune").code
    assert 2 == agentctl("runs", "prune", "--older-than", "soon").code
    assert "1 stay: parked" in agentctl("runs", "prune", "--older-than", "30d").err
    assert 1 == agentctl("runs", "prune", "--older-than", "30d", "--all", "--json").json["deleted"]


@pytest.fixture
def killed(agentctl, url, record, isolated):
    """A prune that is killed at a failpoint leaves a whole store, and can be done again."""

    def prune(point):
        record("r_ccc333", started(), e.Thought("filed " * 20_000), DONE, ago=60 * DAY)
        aged()
        command = [sys.executable, "-m", "agentctl", "runs", "prune", "--older-than", "30d"]
        env = {**os.environ, "AGENTCTL_FAILPOINT": f"{'writer' if url.startswith('sqlite:') else 'server'}-{point}"}
        done = subprocess.run(command, env=env, check=False, capture_output=True)

        assert -9 == done.returncode
        assert 0 == agentctl("store", "check").code
        assert 0 == agentctl("runs", "prune", "--older-than", "30d").code
        assert ["r_aaa111"] == [item["run_id"] for item in agentctl("runs", "--json").json["items"]]
        assert [] == list(isolated.rglob("blobs/??/*"))

    return prune


@pytest.mark.parametrize("point", ["before-commit:1", "after-commit:1"])
def test_a_prune_that_is_killed_leaves_a_whole_store_and_is_done_again(killed, point):
    killed(point)


@on_sqlite
def test_a_prune_that_is_killed_before_it_sweeps_is_done_again(killed):
    killed("before-commit:2")


def test_runs_shows_how_large_the_store_is(agentctl, url):
    shown = agentctl("runs").err

    assert "the store: 0." in shown
    size = shown.partition("the store: ")[2].strip()
    assert f"{size}, 2 runs" in agentctl("doctor").out


def test_a_driven_run_stays_and_the_store_is_not_repaired_under_it(agentctl, url):
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        store.write(lambda tx: lease.take(tx, "r_bbb222", lease.new_owner(), store.clock()))
        alter(url, BAD)

        assert "1 stay: driven" in agentctl("runs", "prune", "--older-than", "30d", "--all").err
        assert 20 == agentctl("store", "check", "--repair").code


# --- export, verify -------------------------------------------------------------------------------


def test_a_bundle_on_a_read_only_disk_is_one_line(agentctl, url, tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(bundle, "write", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    called = agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip")

    assert 2 == called.code
    assert called.err == f"error: {tmp_path / 'a.zip'}: Read-only file system\n"


def test_a_bundle_never_takes_the_place_of_a_device(agentctl, url, tmp_path):
    os.mkfifo(pipe := tmp_path / "a.zip")
    called = agentctl("export", "r_aaa111", "--out", pipe, "--force")

    assert 2 == called.code
    assert "no regular file: nothing was written" in called.err
    assert pipe.is_fifo()


def test_an_exported_run_is_whole_and_the_same_bytes_each_time(agentctl, url, tmp_path):
    """E21"""
    first, again = tmp_path / "a.zip", tmp_path / "b.zip"
    made = agentctl("export", "r_aaa111", "--out", first)

    assert 0 == made.code, made.err
    kept = made.out.splitlines()[1].removeprefix("chain ")
    whole = agentctl("verify", first, "--chain", kept)
    assert (0, f"whole: r_aaa111, 3 events, chain {kept}\n") == (whole.code, whole.out)
    assert 0 == agentctl("export", "aaa111", "--out", again).code
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        lines = archive.read("events.jsonl").decode().splitlines()
        assert archive.read("trace.txt").decode() == agentctl("trace", "r_aaa111").out
        assert b"On its way.\n" == archive.read("answer.txt")
    shown = [json.loads(line) for line in agentctl("events", "r_aaa111").out.splitlines()]
    extra = ("ts", "epoch", "v", "link")
    assert shown == [{k: v for k, v in json.loads(line).items() if k not in extra} for line in lines]


@pytest.mark.parametrize("forged", [b"Refund sent.\n", None])
def test_an_answer_that_is_not_the_events_own_is_found_whatever_the_manifest_says(agentctl, url, tmp_path, forged):
    """The events are linked, and the answer is theirs: who kept the chain may believe it."""
    made = agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(files["manifest.json"])
    del files["answer.txt"], about["files"]["answer.txt"]
    if forged:
        files["answer.txt"] = forged
        about["files"]["answer.txt"] = {"bytes": len(forged), "sha256": hashlib.sha256(forged).hexdigest()}
    files["manifest.json"] = bundle.manifest(about)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)

    found = agentctl("verify", tmp_path / "b.zip", "--chain", made.out.splitlines()[1].removeprefix("chain "))

    assert (17, "answer.txt was altered: it is not what events.jsonl says\n") == (found.code, found.out)


def test_a_run_of_before_has_the_links_that_it_would_get(agentctl, url, tmp_path):
    agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip")
    forget_links(url)
    agentctl("export", "r_aaa111", "--out", tmp_path / "b.zip")

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_altered_bundle_is_named_and_ends_with_17(agentctl, url, tmp_path):
    agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name).replace(b"18400", b"18401").replace(b"0.0184", b"0.0185"))
    called = agentctl("verify", tmp_path / "b.zip")

    assert 17 == called.code
    assert "event 2 ('model_reply') was altered" in called.out
    body = agentctl("verify", tmp_path / "b.zip", "--json").json
    assert (False, "r_aaa111") == (body["whole"], body["run_id"])
    assert 17 == agentctl("verify", tmp_path / "a.zip", "--chain", "0" * 64).code


def test_nothing_is_written_over_unless_it_is_said(agentctl, url, tmp_path):
    (tmp_path / "a.zip").write_text("mine")

    assert 2 == agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip").code
    assert "mine" == (tmp_path / "a.zip").read_text()
    assert 0 == agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip", "--force").code
    assert 2 == agentctl("export", "r_aaa111", "--out", tmp_path / "no" / "a.zip").code
    assert ["a.zip"] == [each.name for each in tmp_path.iterdir()]


def test_a_run_that_is_not_whole_is_not_exported(agentctl, url, tmp_path):
    alter(url, BAD)
    called = agentctl("export", "r_aaa111", "--out", tmp_path / "a.zip")

    assert 3 == called.code
    assert "r_aaa111 is not whole: event 2 (model_reply) was altered" in called.err
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("export", "r_nope"), ("verify", "none.zip"), ("verify", "x", "--chain", "12")])
def test_what_is_not_there_is_a_line(agentctl, url, words):
    called = agentctl(*words)

    assert called.code == (20 if "r_nope" in words else 2 if "12" in words else 3)
    assert called.err.startswith("error: ")
