"""Runs with the events that somebody wants, page by page; and what earlier runs of a task came to."""

import time

import pytest

from agentctl.core import events as e
from agentctl.core.events import Stamped
from agentctl.core.expectation import MOST, Past
from agentctl.core.messages import Usage
from agentctl.journal import bodies, codec, histories, measures, pruning
from agentctl.journal.histories import Which
from agentctl.journal.past import past
from agentctl.journal.runs import NewRun

NOW = 1_790_000_000.0
DAY = 86_400
KINDS = (e.ModelReplied, e.ToolFinished)


@pytest.fixture
def put(store):
    """Put runs of the past into the store, with their events as they are."""

    def work(tx, rows):
        for run_id, fields, events in rows:
            given = {"user_id": "ada", "task": "triage", "policy": "strict", "status": "completed", **fields}
            given = {"session_id": "s", "tenant_id": "", "created": NOW, "updated": NOW + 60, **given}
            names = ", ".join(["run_id", *given])
            marks = ", ".join("?" * (len(given) + 1))
            tx.execute(f"INSERT INTO runs({names}) VALUES({marks})", (run_id, *given.values()))
            for seq, (event, epoch) in enumerate(events, 1):
                tag, version, text = codec.encode(event)
                body = bodies.pack(store.blobs, text)
                tx.execute(
                    "INSERT INTO events VALUES(?, ?, ?, ?, 's', 1, ?, ?, ?, ?, NULL)",
                    (run_id, seq, epoch, NOW + seq, tag, version, *body),
                )

    def put(*rows):
        store.write(lambda tx: work(tx, rows))

    return put


@pytest.fixture
def found(store):
    def read(kinds=KINDS, **which):
        return store.read(lambda tx: list(histories.histories(tx, store.blobs, Which(**which), kinds)))

    return read


def started(policy="strict", system="Be kind."):
    return e.RunStarted('tri"age', policy, "d", "ada", "", "goal", system, 10, 5, {})


def replied(text="", tools=()):
    calls = tuple(e.CallProposed("c1", "w", tool, {}, "k") for tool in tools)
    return e.ModelReplied("anthropic", "i", "m", Usage(1, 2, 3, 4), 5, 6, "end_turn", text, calls, "answer", 7)


def finished(size):
    data = {"text": ',"tokens":1,"result":{}' * size}
    return e.ToolFinished("c1", "look", "success", None, False, 80, data, 9, code="C", final=False)


def test_every_run_comes_once_with_its_events_the_newest_first(put, found):
    many = 2 * histories.AT_ONCE + 3
    put(*((f"r_{number}", {"created": NOW - number // 3}, [(replied(), 1)]) for number in range(many)))
    runs = found()

    assert many == len({each.row.run_id for each in runs}) == len(runs)
    assert [each.row.created for each in runs] == sorted((each.row.created for each in runs), reverse=True)
    assert {1} == {len(each.events) for each in runs}


def test_only_the_kinds_that_are_wanted_and_what_the_run_did_itself(put, found):
    put(("r_1", {}, [(started(), 1), (replied(), 0), (replied("x"), 1), (e.Thought("hm"), 1), (finished(1), 1)]))
    (run,) = found()

    assert [3, 5] == [stamped.seq for stamped in run.events]
    assert isinstance(run.events[0], Stamped)


@pytest.mark.parametrize("size", [1, 200, 20_000])
def test_of_a_result_everything_but_its_body(put, found, size):
    put(("r_1", {}, [(finished(size), 1)]))
    ((stamped,),) = [run.events for run in found()]

    assert ("look", 80, 9, "C", False) == (
        stamped.event.tool, stamped.event.duration_ms, stamped.event.tokens, stamped.event.code, stamped.event.final,
    )  # fmt: skip
    assert {} == stamped.event.result


def test_only_the_runs_that_are_asked_for(put, found):
    """E22"""
    put(
        ("r_bob", {"user_id": "bob"}, []),
        ("r_acme", {"tenant_id": "acme"}, []),
        ("r_other", {"task": "other"}, []),
        ("r_policy", {"policy": "loose"}, []),
        ("r_old", {"created": NOW - 8 * DAY}, []),
        ("r_script", {"rehearsed": 1}, []),
    )

    def ids(**which):
        return [each.row.run_id for each in found(**which)]

    assert [["r_bob"], ["r_acme"], ["r_other"], ["r_policy"]] == [
        ids(user="bob"), ids(tenant="acme"), ids(task="other"), ids(policy="loose"),
    ]  # fmt: skip
    assert "r_old" not in ids(since=NOW - 7 * DAY)
    assert "r_old" in ids()
    assert "r_script" not in ids()
    assert "r_script" in ids(rehearsed=True)


@pytest.mark.parametrize("system", ["short", "Be kind. " * 20_000], ids=["in its row", "in a file"])
def test_the_policy_of_a_run_of_before_is_read_from_its_first_event(put, found, system):
    put(("r_1", {"policy": ""}, [(started('lo"ose', system), 1)]), ("r_2", {"policy": ""}, []))

    assert {"r_1": 'lo"ose', "r_2": ""} == {each.row.run_id: each.policy for each in found()}
    assert ["r_1"] == [each.row.run_id for each in found(policy='lo"ose')]


def test_an_event_that_cannot_be_read_is_counted_and_left_out(put, found, behind):
    put(("r_1", {}, [(replied(), 1), (replied(), 1)]))
    with behind() as tx:
        tx.execute("UPDATE events SET data = ? WHERE run_id = 'r_1' AND seq = 1", (b"{}",))
    (run,) = found()

    assert (1, 1) == (len(run.events), run.unreadable)


def test_what_counts_of_the_past(put, store):
    """Completed and stopped runs of one task under one policy, rehearsals by themselves, the latest."""
    put(
        *((f"r_{at}", {"cost_micro": at, "created": NOW - at, "updated": NOW - at + 30}, []) for at in range(MOST + 9)),
        *((f"r_{status}", {"status": status}, []) for status in ("failed", "cancelled", "parked", "running")),
        ("r_stopped", {"status": "stopped", "cost_micro": 7, "steps": 3, "created": NOW + 1}, []),
        ("r_policy", {"policy": "loose"}, []),
        ("r_before", {"policy": ""}, []),
        ("r_script", {"rehearsed": 1, "cost_micro": 99}, []),
        ("r_fork", {"cost_micro": 1, "created": NOW + 2}, [(started(), 0), (replied(), 1)]),
    )

    def seen(policy="strict", since=0.0, *, rehearsed=False):
        return store.read(lambda tx: past(tx, "triage", policy, since, rehearsed=rehearsed))

    assert [Past(7, 3, 59.0), Past(0, 0, 30.0)] == seen()[:2]
    assert MOST == len(seen())
    assert [Past(99, 0, 60.0)] == seen(rehearsed=True)
    assert 11 == len(seen(since=NOW - 9))
    assert [1, 0] == [len(seen("loose")), len(seen("nobody's"))]


def test_under_a_clock_that_was_set_back_nothing_took_less_than_no_time(put, store):
    put(("r_1", {"updated": NOW - 50}, []))

    assert [Past(0, 0, 0.0)] == store.read(lambda tx: past(tx, "triage", "strict", 0.0, rehearsed=False))


def test_a_fork_is_told_apart_because_it_did_the_end_of_a_task_alone(put, found):
    put(("r_fork", {}, [(started(), 0), (replied(), 1)]), ("r_run", {}, [(started(), 1), (replied(), 1)]))

    assert {"r_fork": False, "r_run": True} == {each.row.run_id: each.whole for each in found()}


def test_a_fork_is_no_part_of_the_median_of_its_task(put, store):
    put(
        ("r_run", {"cost_micro": 100_000}, [(started(), 1)]),
        *((f"r_fork{at}", {"cost_micro": 1}, [(started(), 0), (replied(), 1)]) for at in range(9)),
    )
    (usual,) = store.read(lambda tx: measures.usual(tx, 0.0, rehearsed=False)).values()

    assert [0.1] == usual.usd


def test_runs_stay_for_days_and_count_until_they_are_pruned(put, store, found):
    """D105"""
    for days in (1, 20, 29, 40):
        then = NOW - days * DAY
        put((f"r_{days}", {"created": then, "updated": then, "session_id": f"s_{days}"}, []))

    assert 4 == len(found())
    chosen = store.read(lambda tx: pruning.choose(tx, NOW - 30 * DAY, NOW, everything=False))
    pruning.prune(store, chosen.leave, NOW - 30 * DAY)

    assert ["r_1", "r_20", "r_29"] == [each.row.run_id for each in found()]
    assert 3 == len(store.read(lambda tx: past(tx, "triage", "strict", NOW - 30 * DAY, rehearsed=False)))


async def test_a_new_run_says_its_policy(store):
    await store.create_run(NewRun("r_1", "s", "ada", "triage", "{}", time.time(), policy="strict"))

    assert "strict" == store.run("r_1").policy
