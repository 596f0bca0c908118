"""An outage as twenty real processes with whole runs meet it: one server counts requests, and the users see answers."""

import asyncio
import signal
import time

import pytest

from agentctl.journal import circuits
from agentctl.runner.stores import open_journal
from tests.runner.stage import Fault, Reply, usage

RECOVERY = PATIENCE = 4.0
SMALL = usage(20, 5)
FIRST = Reply(text="From the first.", provider="first", usage=SMALL)
SECOND = Reply(text="From the second.", provider="second", usage=SMALL)


def two_providers(stage):
    stage.providers = [
        {"name": "first", "api": "messages", "priority": 1, "timeout_s": PATIENCE},
        {"name": "second", "api": "responses", "priority": 2},
    ]
    stage.policy(circuit={"failure_threshold": 5, "recovery_s": RECOVERY}, retry={"max_attempts": 1})
    stage.replies = [FIRST, SECOND]


def started(fleet, task, count, *gates):
    with open_journal(None):  # the store is there before they come
        pass
    return [fleet.start("drives", task=str(task), gates=[fleet.gate(gate) for gate in gates]) for _ in range(count)]


async def wave(fleet, gate, members):
    """Open a gate, and what the runs behind it came to."""
    before = {member: len(results(fleet, member)) for member in members}
    fleet.open(gate)
    await asyncio.to_thread(fleet.until, lambda: all(len(results(fleet, m)) > n for m, n in before.items()))
    return [results(fleet, member)[before[member]] for member in members]


def results(fleet, member):
    return [line for line in fleet.said(member) if "exit_code" in line or "error" in line]


async def recovery(stage):
    """Until the next probe may go."""
    with stage.store() as journal:
        (row,) = [row for row in journal.read(circuits.listing) if row.circuit.opened_at]
    await asyncio.sleep(max(0.0, row.circuit.opened_at + RECOVERY - time.time()))


@pytest.mark.slow
async def test_twenty_processes_pay_five_failures_in_all_and_one_probe_brings_the_primary_back(stage, fleets):
    """A60 A62 H2: and the processes that are served after it are not those that saw it break."""
    two_providers(stage)
    stage.faults = [Fault("status", provider="first", status=529, requests="1-5")]
    stage.replies = [Reply(text="From the first.", provider="first", usage=SMALL, delay_s=0.7), SECOND]
    task = await stage.lay_out()
    old, new = fleets(warm=True), fleets(warm=True)
    saw, others = started(old, task, 5, "fail"), started(new, task, 20, "open", "probe", "closed")
    await asyncio.to_thread(new.until, lambda: 20 == new.born)

    for end in await wave(old, "fail", saw) + await wave(new, "open", others):
        assert (0, "From the second.") == (end["exit_code"], end["answer"]), end
    assert 5 == len(stage.asked("first"))

    await recovery(stage)
    answered = [end["answer"] for end in await wave(new, "probe", others)]
    assert (1, 19) == (answered.count("From the first."), answered.count("From the second."))
    assert 6 == len(stage.asked("first"))

    assert {"From the first."} == {end["answer"] for end in await wave(new, "closed", others)}
    assert 26 == len(stage.asked("first"))
    await asyncio.to_thread(new.wait, *others)


@pytest.mark.slow
async def test_a_probe_whose_process_is_killed_gives_its_place_to_the_next_one(stage, drivers):
    """C45 H3: a hung probe blocks nobody for longer than its patience, killed or not."""
    two_providers(stage)
    stage.faults = [
        Fault("status", provider="first", status=529, requests="1-5"),
        Fault("hang", provider="first", requests="6"),
    ]
    task = await stage.lay_out()
    saw, members = started(drivers, task, 5, "fail"), started(drivers, task, 8, "probe", "again")
    await wave(drivers, "fail", saw)
    await recovery(stage)

    drivers.open("probe")
    await asyncio.to_thread(drivers.until, lambda: 7 == sum(bool(results(drivers, member)) for member in members))
    (hung,) = [member for member in members if not results(drivers, member)]
    drivers.signal(hung, signal.SIGKILL)
    await asyncio.to_thread(drivers.wait, hung)
    members.remove(hung)
    assert 6 == len(stage.asked("first"))
    await asyncio.sleep(PATIENCE)

    answered = [end["answer"] for end in await wave(drivers, "again", members)]
    assert "From the first." in answered
    with stage.store() as journal:
        assert 0.0 == journal.read(circuits.listing)[0].circuit.opened_at
    await asyncio.to_thread(drivers.wait, *members)
