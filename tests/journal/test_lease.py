"""One driver per run: who may take it, who is dead, who is told."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agentctl.errors import Forbidden, LeaseLost
from agentctl.journal import lease
from agentctl.journal.events import Change

ELSEWHERE = "mail3/abcdef01/4026531836:4711:99:aabbccdd"


@pytest.fixture
def tx(store, driven):
    driven()
    store.write(lambda tx: tx.execute("UPDATE runs SET owner = '', lease_until = 0, epoch = 0"))

    def call(function, *args):
        return store.write(lambda tx: function(tx, "r_1", *args))

    return call


def test_a_free_run_is_taken_and_given_back(tx):
    assert 1 == tx(lease.take, lease.new_owner(), 100.0)
    tx(lease.release, 1)
    assert 2 == tx(lease.take, lease.new_owner(), 101.0)


def test_a_driven_run_is_refused_naming_the_driver(tx):
    tx(lease.take, ELSEWHERE, 1_790_000_000.0)
    with pytest.raises(Forbidden) as caught:
        tx(lease.take, lease.new_owner(), 1_790_000_029.9)

    assert caught.value.exit_code == 20
    assert caught.value.message == ("r_1 is driven by process 4711 on mail3 since 2026-09-21 14:13:20 UTC")
    assert 2 == tx(lease.take, lease.new_owner(), 1_790_000_030.0)


def test_even_its_own_process_can_not_drive_a_run_twice(tx):
    owner = lease.new_owner()
    tx(lease.take, owner, 100.0)
    with pytest.raises(Forbidden, match=f"process {os.getpid()} on"):
        tx(lease.take, owner, 101.0)


def test_renewing_moves_the_end_until_somebody_else_has_it(tx):
    tx(lease.take, ELSEWHERE, 100.0)
    assert 150.0 == tx(lease.renew, 1, 120.0)
    with pytest.raises(Forbidden):
        tx(lease.take, lease.new_owner(), 140.0)
    tx(lease.take, lease.new_owner(), 151.0)
    with pytest.raises(LeaseLost, match=f"process {os.getpid()} on .* took it over at"):
        tx(lease.renew, 1, 152.0)


def test_a_lease_that_a_clock_wrote_that_was_set_back_is_over(tx, store):
    """By an hour; by seconds it is waited for."""
    tx(lease.take, ELSEWHERE, 10_000.0)
    row = replace(store.run("r_1"), status="running")

    assert not lease.crashed(row, 9_990.0)
    assert lease.crashed(row, 6_400.0)
    assert not lease.abandoned(ELSEWHERE, row.lease_until, 9_990.0)
    assert lease.abandoned(ELSEWHERE, row.lease_until, 6_400.0)
    with pytest.raises(Forbidden):
        tx(lease.take, lease.new_owner(), 9_990.0)
    assert 2 == tx(lease.take, lease.new_owner(), 6_400.0)


def test_a_living_process_of_this_machine_is_not_dead_because_the_clock_was_set_back(tx):
    """What it holds stays held."""
    owner = lease.new_owner()

    assert not lease.abandoned(owner, 10_030.0, 6_400.0)


def test_what_was_given_back_is_not_renewed(tx):
    tx(lease.take, ELSEWHERE, 100.0)
    tx(lease.release, 1)
    with pytest.raises(LeaseLost, match="let go"):
        tx(lease.renew, 1, 101.0)


def test_an_old_driver_gives_nothing_back(tx):
    tx(lease.take, ELSEWHERE, 100.0)
    tx(lease.take, ELSEWHERE, 200.0)
    tx(lease.release, 1)
    with pytest.raises(Forbidden):
        tx(lease.take, ELSEWHERE, 201.0)


def test_no_run_no_lease(store):
    for work in (
        lambda tx: lease.take(tx, "r_x", ELSEWHERE, 1.0),
        lambda tx: lease.renew(tx, "r_x", 1, 1.0),
    ):
        with pytest.raises(Forbidden, match="there is no run r_x"):
            store.write(work)


# --- Who is dead ----------------------------------------------------------------------------------


@pytest.fixture
def dead_owner():
    code = "from agentctl.journal.lease import new_owner; print(new_owner())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_dead_process_of_this_machine_need_not_be_waited_for(tx, dead_owner):
    tx(lease.take, dead_owner, 100.0)
    assert 2 == tx(lease.take, lease.new_owner(), 101.0)


def test_only_what_is_certainly_dead_is_gone(dead_owner):
    mine = lease.new_owner()
    place, pid, _, _ = mine.split(":")

    assert lease.gone(dead_owner)
    assert lease.gone(f"{place}:{pid}:1:aa"), "a later process with the same number"
    assert not lease.gone(mine)
    assert not lease.gone(ELSEWHERE)
    assert not lease.gone("")
    assert not lease.gone(f"{place}:x:1:aa")
    assert not lease.gone(dead_owner.replace(place, place + "1")), "another namespace"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_process_that_nobody_buried_is_gone(process):
    child = process("from agentctl.journal.lease import new_owner as n; print(n(), flush=True); input()")
    owner = child.stdout.readline().strip()
    assert not lease.gone(owner)
    child.kill()
    deadline = time.monotonic() + 5
    while not lease.gone(owner) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lease.gone(owner)
    assert child.returncode is None


async def test_a_run_that_nobody_runs_has_crashed(store, driven, stamp, dead_owner):
    epoch = driven()
    await store.append(epoch, stamp("a"), Change(status="running"))
    row = store.run("r_1")

    assert not lease.crashed(row, row.lease_until - 1)
    assert lease.crashed(row, row.lease_until)
    store.write(lambda tx: tx.execute("UPDATE runs SET owner = ?", (dead_owner,)))
    assert lease.crashed(store.run("r_1"), row.lease_until - 1)
    await store.append(epoch, stamp("b", seq=2), Change(status="parked"))
    assert not lease.crashed(store.run("r_1"), row.lease_until + 100)


# --- Races ----------------------------------------------------------------------------------------

TAKE = """
import asyncio, sys
from pathlib import Path
from agentctl.errors import Forbidden
from agentctl.journal import lease
from agentctl.journal.store import open_store

async def main():
    with open_store(sys.argv[1], seal_dir=Path("/nowhere")) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            print(await store.take("r_1", lease.new_owner()), flush=True)
        except Forbidden as error:
            print(error.message, flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_of_many_takers_one_wins(store, url, driven, process):
    await store.release("r_1", driven())
    takers = [process(TAKE, url) for _ in range(6)]
    for taker in takers:
        taker.stdout.readline()
    for taker in takers:
        taker.stdin.write("\n")
        taker.stdin.flush()
    said = [taker.stdout.readline().strip() for taker in takers]

    assert 1 == said.count("2")
    assert 5 == sum("r_1 is driven by process" in line for line in said)


async def test_the_heartbeat_ends_when_the_lease_is_lost(store, driven):
    epoch = driven()
    before = store.run("r_1").lease_until
    beat = asyncio.create_task(store.keep("r_1", epoch, every_s=0.01))
    await asyncio.sleep(0.2)
    assert before < store.run("r_1").lease_until
    store.write(lambda tx: lease.take(tx, "r_1", ELSEWHERE, time.time() + 100))

    with pytest.raises(LeaseLost):
        await asyncio.wait_for(beat, 5)


@pytest.mark.parametrize("lost", ["next_seq = 2", "epoch = epoch - 1"])
async def test_a_driver_is_told_when_the_store_forgot_what_it_wrote(store, driven, stamp, lost):
    """A server that crashed has lost its last commits, or an older copy was put in its place."""
    epoch = driven()
    await store.append(epoch, stamp("a", "b"))
    store.write(lambda tx: tx.execute(f"UPDATE runs SET {lost}"))

    with pytest.raises(LeaseLost, match="the store is behind") as caught:
        await store.append(epoch, stamp("c", seq=3))
    assert "agentctl resume r_1" in caught.value.hint
