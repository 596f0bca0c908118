"""A rehearsal that has ended leaves nothing in the shared books, and takes nothing of others with it."""

import sqlite3

import pytest

from agentctl.core.events import Completed
from agentctl.core.guards.circuit import Rules
from agentctl.journal import circuits, rehearsed, schema
from agentctl.journal.circuits import Outcome
from tests.runner.stage import Fault, Reply, Stage, calls

OTHERS = ("", "rehearsal:r_1:", "rehearsal:r_3:", "rehearsal:r_22:", "rehearsal:r_2;", "rehearsal:r_2")
NAMES = ("anthropic:model-a", "anthropic:model-a@http://h:1/v1", "tool:look:0123", "\U0010ffff", "é")


@pytest.fixture
def tx():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.make(connection)
    yield connection
    connection.close()


def used(tx, prefix):
    """What a run with this prefix leaves behind."""
    for name in NAMES:
        circuits.record(tx, Outcome(f"{prefix}{name}", Rules(), "o", ok=False, asked_at=1.0), 1.0)
        scopes = [(f"{key}:{prefix}{name}", at) for key in rehearsed.MINUTES for at in (1, 2)]
        tx.executemany("INSERT INTO token_buckets(scope, bucket_start, tokens) VALUES(?, ?, 5)", scopes)


def left(tx):
    return {name for (name,) in tx.execute("SELECT name FROM circuits UNION ALL SELECT scope FROM token_buckets")}


def test_all_of_one_rehearsal_goes_and_nothing_of_others(tx):
    for prefix in OTHERS:
        used(tx, prefix)
    before = left(tx)
    used(tx, "rehearsal:r_2:")
    assert len(left(tx)) == len(before) + 3 * len(NAMES)
    rehearsed.forget(tx, "r_2")
    rehearsed.forget(tx, "r_2")

    assert before == left(tx)


def test_it_looks_at_no_row_but_its_own(tx):
    """The tables are those of all runs: a scan for each rehearsal would be paid by all of them."""
    seen = []
    tx.set_trace_callback(seen.append)
    rehearsed.forget(tx, "r_2")
    tx.set_trace_callback(None)
    plans = [row[3] for text in seen for row in tx.execute(f"EXPLAIN QUERY PLAN {text}")]

    assert 3 == len(plans)
    assert all(plan.startswith("SEARCH") and "PRIMARY KEY" in plan for plan in plans), plans


async def test_what_a_whole_rehearsal_writes_is_what_is_forgotten(tmp_path, monkeypatch):
    """Whatever scope or circuit a run may get: its leftovers are under the names that are deleted."""
    monkeypatch.setenv("AGENTCTL_HOME", str(tmp_path / "home"))
    stage = Stage(tmp_path / "task")
    stage.rehearsed = True
    stage.providers = [{"name": "main", "api": "messages"}]
    stage.tool("look", "exit 75")
    stage.policy(results={"max_attempts": 1})
    stage.faults = [Fault("status", status=500, requests="1")]
    stage.replies = [calls(("look", {"id": "1"})), Reply(text="Done.")]
    during = set()

    def look():
        with stage.store() as journal:
            during.update(journal.read(left))

    stage.when(Completed, look)
    done = await stage.run()
    await stage.close()
    run_id = done.body["run_id"]
    with stage.store() as journal:
        journal.write(lambda tx: rehearsed.forget(tx, run_id))
        after = journal.read(left)

    assert 0 == done.exit_code
    assert {"rehearsal", "tokens_per_minute", "usd_per_minute"} == {name.split(":")[0] for name in during}
    assert all(run_id in name for name in during)
    assert set() == after
