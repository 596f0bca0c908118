"""One cap and many processes, killed while they reserve: the cap holds at every moment, and refuses nobody else.

By hand: `AGENTCTL_FIRE="50 200 300"`: processes, reservations of each, kills.
"""

import os
import random

import pytest

from agentctl.journal import ledger
from tests.books.work import counted

PROCESSES, EACH, KILLS = map(int, os.environ.get("AGENTCTL_FIRE", "50 60 40").split())
# The tightest one is asked last: what it refuses must not count in those before it.
CAPS = {"run_usd:all": None, "user_daily_usd:ada": 40 * PROCESSES * EACH, "hourly_usd:store": 20 * PROCESSES * EACH}


def watched(store, seen):
    """What stands in every scope, in one look: never over its cap, and what is held is the open holds."""

    def look(tx):
        tx.execute("BEGIN" if store.path else "BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            found = [(one.key, one.limit, one.spent, one.held) for one in ledger.budgets(tx)]
            return found, [counted(tx, key) for key, *_ in found]
        finally:
            tx.execute("COMMIT")

    found, holds = store.read(look)
    for (key, cap, spent, held), by_holds in zip(found, holds, strict=True):
        assert cap is None or spent + held <= cap, f"{key} is over its cap"
        assert (spent, held) == by_holds, key
    seen.append(found)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_killed_or_not_fifty_processes_never_pass_a_cap_and_nobody_is_refused_what_fits(store, place, fleet):
    """D43 D48 H5: all scopes or none, judged by each process in its own transaction and by a reader all the while."""
    dice, seen, living, lives, done = random.Random(5), [], {}, {}, {}

    def start(run):
        lives[run] = lives.get(run, 0) + 1
        given = {"at": place, "gate": fleet.gate("go"), "run_id": f"r_{run}", "life": lives[run], "caps": CAPS}
        member = fleet.start("spends", **given, first=done.get(run, -1) + 1, last=EACH, amount=99, actual=60)
        living[member] = run

    for run in range(PROCESSES):
        start(run)
    fleet.until(lambda: len(living) == fleet.born)
    fleet.open("go")
    killed = 0
    while living:
        watched(store, seen)
        for member, run in tuple(living.items()):
            if (code := fleet.ended(member)) is not None:
                del living[member]
                done[run] = max(
                    (line["done"] for line in fleet.said(member) if "done" in line), default=done.get(run, -1)
                )
                assert code in {0, -9}, fleet.complaints()
                if code:
                    killed += 1
                    start(run)
        if killed < KILLS and living:
            fleet.signal(dice.choice(list(living)))

    watched(store, seen)
    orphans = store.read(lambda tx: tx.execute("SELECT count(*) FROM holds WHERE actual > 60").fetchone()[0])
    print(f"{killed} killed, {orphans} holds settled for the dead, {len(seen)} looks")  # noqa: T201  # shown by -s
    assert killed >= KILLS // 2
    spent = {one.key: one.spent for one in store.read(ledger.budgets)}
    assert 1 == len(set(spent.values())), spent
    left = CAPS["hourly_usd:store"] - spent["hourly_usd:store"]
    scopes = [ledger.Scope(key, 0, cap) for key, cap in CAPS.items()]
    assert store.write(lambda tx: ledger.reserve(tx, "one too many", "r", left + 1, scopes))
    assert None is store.write(lambda tx: ledger.reserve(tx, "the last", "r", left, scopes))
