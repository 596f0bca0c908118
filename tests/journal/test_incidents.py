"""Incidents: opened once, told by one, closed after a quiet window, kept for a while."""

import threading

from agentctl.core.alerts import Baseline, Finding
from agentctl.journal import incidents, schema
from agentctl.journal.postgres.engine import Speaking

SLOW = Finding("slow_vs_median", "r_1", 61.0, 60.0, Baseline(12.0, 7, 5.0), "r_1")
RATE = Finding("tool_error_rate", "look", 0.5, 0.2)
HOLD = 300.0


def seen(store, now, *findings, rehearsed=False):
    """One check: what is open after it, what was to be told, how many have closed."""

    def work(tx):
        incidents.found(tx, findings, now, rehearsed=rehearsed)
        closed = incidents.close(tx, findings, now, HOLD, rehearsed=rehearsed)
        ours = incidents.claim(tx, now, rehearsed=rehearsed)
        incidents.told(tx, ours, now, heard=True)
        return incidents.listing(tx, only_open=True, rehearsed=rehearsed), ours, closed

    return store.write(work)


def test_one_incident_from_its_opening_to_its_end(store):
    first, told, _ = seen(store, 100.0, SLOW)
    again, silent, _ = seen(store, 200.0, SLOW)
    easing, _, _ = seen(store, 499.0)
    gone, _, closed = seen(store, 500.0)
    second, anew, _ = seen(store, 600.0, SLOW)

    assert (["r_1"], ["r_1"]) == ([each.subject for each in first], [each.subject for each in told])
    assert ([], 100.0, 200.0) == (silent, again[0].opened, again[0].seen)
    assert SLOW.baseline == again[0].baseline
    assert again == [each for each in easing if each.told]
    assert ([], 1) == (gone, len(closed))
    assert [600.0] == [each.opened for each in second]
    assert 1 == len(anew)
    assert [0.0, 500.0] == [each.closed for each in store.read(incidents.listing)]


def test_an_incident_of_a_clock_that_was_set_back_is_renewed_or_closed(store):
    """Else it would stay open, and keep silent, until that moment comes."""
    seen(store, 1e9, SLOW, RATE)
    (kept,), told, (closed,) = seen(store, 200.0, SLOW)

    assert ([], "slow_vs_median", "tool_error_rate") == (told, kept.rule, closed.rule)
    assert 200.0 == kept.seen
    assert [] == seen(store, 200.0 + HOLD)[0]


def test_rehearsals_have_incidents_of_their_own(store):
    seen(store, 100.0, RATE)
    _, told, _ = seen(store, 100.0, RATE, rehearsed=True)
    seen(store, 1000.0, rehearsed=True)

    assert 1 == len(told)
    assert [False] == [each.rehearsed for each in store.read(lambda tx: incidents.listing(tx, only_open=True))]


def test_what_nobody_heard_is_told_by_whoever_looks_next(store):
    store.write(lambda tx: incidents.found(tx, [RATE], 100.0))
    ours = store.write(lambda tx: incidents.claim(tx, 100.0))
    others = store.write(lambda tx: incidents.claim(tx, 101.0))
    store.write(lambda tx: incidents.told(tx, ours, 102.0, heard=False))
    next_one = store.write(lambda tx: incidents.claim(tx, 103.0))
    after_a_death = store.write(lambda tx: incidents.claim(tx, 103.0 + incidents.CLAIM_S + 1))

    assert [1, 0, 1, 1] == list(map(len, (ours, others, next_one, after_a_death)))


def test_of_many_who_find_the_same_at_once_one_tells(store):
    claimed = []

    def look():
        def work(tx):
            incidents.found(tx, [RATE], 100.0)
            return incidents.claim(tx, 100.0)

        claimed.extend(store.write(work))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert 1 == len(claimed)
    assert 1 == len(store.read(incidents.listing))


def test_where_nobody_looks_regularly_what_was_not_seen_for_long_is_another_one(store):
    for now in (100.0, 3_000.0, 7_000.0):
        store.write(lambda tx, now=now: incidents.found(tx, [RATE], now, stale_s=3_900.0))

    assert [(7_000.0, 0.0), (100.0, 6_900.0)] == [(each.opened, each.closed) for each in store.read(incidents.listing)]


def test_a_claim_can_be_for_some_only(store):
    store.write(lambda tx: incidents.found(tx, [RATE, SLOW], 100.0))

    assert ["look"] == [e.subject for e in store.write(lambda tx: incidents.claim(tx, 1.0, only=[(RATE.rule, "look")]))]


def test_what_was_closed_long_ago_is_forgotten(store):
    seen(store, 100.0, RATE)
    seen(store, 1000.0)
    seen(store, 1001.0 + incidents.KEPT_S)

    assert [] == store.read(incidents.listing)


def test_a_store_of_before_gets_the_table(store, behind, opened):
    """The migration, on both kinds of store."""
    store.close()
    with behind() as tx:
        for line in ("DROP TABLE incidents", "DROP INDEX events_injected", *marked(tx, schema.VERSION - 1)):
            tx.execute(line)
    again = opened()
    seen(again, 100.0, RATE)

    assert 1 == len(again.read(incidents.listing))


def marked(tx, version):
    """The store says that it has seen so many migrations."""
    if isinstance(tx, Speaking):
        return [f"UPDATE store SET version = {version}"]
    return [f"PRAGMA user_version = {version}"]
