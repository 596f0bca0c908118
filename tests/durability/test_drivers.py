"""One driver per run, however many want it, sleep, are told to stop, or are told another time."""

import random
import signal
import time
from pathlib import Path

import pytest

from agentctl.core.events import Resumed
from tests.durability.errand import PAUSED

pytestmark = pytest.mark.slow
OWNERS = 20
ASLEEP_S = 40.0
"""Longer than a lease lasts."""
STOPS = (
    *("before-intent:1", "before-intent:3", "after-intent:2", "after-intent:3", "before-outcome:3", "after-outcome:2"),
    *("before-reserve:2", "after-model-intent:2", "after-model-reply:2", "settle-posted:1", "before-end:1"),
)


def test_of_twenty_owners_one_drives(errand):
    """D07: the others are told who does, and change nothing."""
    errand.live("after-model-intent:2")
    gate = errand.fleet.gate("twenty")

    members = [errand.start(gate=gate) for _ in range(OWNERS)]
    errand.fleet.open("twenty")
    lives = [errand.buried(member) for member in members]

    driven = [life for life in lives if life.code != 20]
    refused = [life.said["error"] for life in lives if life.code == 20]
    assert {"parked"} == {life.said["status"] for life in driven}
    assert len(driven) < OWNERS / 2  # who comes late on a busy machine finds it parked, and takes its turn
    with errand.store() as store:
        assert len(driven) == len(errand.events(store, Resumed))
    assert all("is driven by process" in error for error in refused)
    errand.answer()
    assert 0 == errand.to_the_end().code
    assert [] == errand.faults()


@pytest.mark.parametrize(
    ("kind", "where"), [*(("sqlite", each) for each in STOPS), *(("postgres", each) for each in STOPS[::3])],
    indirect=["kind"],
)  # fmt: skip
def test_a_driver_that_wakes_after_a_takeover_writes_nothing_and_starts_nothing(errand, where):
    """E30: it was suspended there, its lease ran out, and another one took the run to its end."""
    sleeper = errand.start(where, stops=True, renew_s=0.2)
    errand.fleet.until(lambda: _is_stopped(errand, sleeper))
    errand.find_run()

    assert 0 == errand.to_the_end(ahead=ASLEEP_S).code
    with errand.store() as store:
        written = len(store.events(errand.run_id))
    effects = errand.effects()
    errand.fleet.signal(sleeper, signal.SIGCONT)
    woken = errand.buried(sleeper)

    assert 20 == woken.code, woken
    assert "lost the lease" in woken.said["error"]
    with errand.store() as store:
        assert written == len(store.events(errand.run_id))
    assert effects == errand.effects()
    assert [] == errand.faults()


def _is_stopped(errand, member):
    pid = errand.fleet.pid(member)
    return pid is not None and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_at_any_time_a_run_is_saved_and_goes_on(errand, number):
    """E20"""
    dice = random.Random(int(number))

    for _ in range(8):
        member = errand.start()
        errand.fleet.until(lambda member=member: bool(errand.fleet.said(member)))
        time.sleep(dice.random() * 0.4)
        errand.fleet.signal(member, number)
        life = errand.buried(member)
        assert life.code in {0, 12, *PAUSED, -number}, (life, errand.fleet.complaints())
        if life.code == 12:
            errand.answer()
        if errand.over:
            break
    else:
        errand.to_the_end()

    assert [] == errand.faults()


@pytest.mark.parametrize(
    ("kind", "ahead", "sleeps"),
    [
        *(("sqlite", ahead, sleeps) for ahead in (3_600.0, -3_600.0, 86_400.0) for sleeps in (0, 30, 60)),
        *(("postgres", ahead, 30) for ahead in (-3_600.0, 86_400.0)),
    ],
    indirect=["kind"],
)
def test_a_clock_that_jumps_neither_loses_nor_repeats_anything(errand, ahead, sleeps):
    """As after the sleep of a laptop, or when a clock is set."""
    errand.live("before-outcome:3", ahead=ahead, sleeps=sleeps)

    assert 0 == errand.to_the_end().code
    assert [] == errand.faults()
