"""A rate limit hits twenty processes at once: they come back apart, as often as they may, and when they are told."""

import asyncio
import collections
import signal
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agentctl.core.events import FellBack, ProviderOut, Retried
from tests.runner.stage import Fault, ModelFailed, Reply, usage

DONE = Reply(text="Answered.", usage=usage(20, 5))
SLOT_S = 0.05


def many(fleet, task, count=20):
    return [fleet.start("drives", task=str(task), gates=[fleet.gate("go")]) for _ in range(count)]


async def all_at_once(stage, fleet, members):
    with stage.store():  # it is there before they come
        pass
    await asyncio.to_thread(fleet.until, lambda: len(members) == fleet.born)
    fleet.open("go")
    await asyncio.to_thread(fleet.wait, *members)
    ends = [fleet.said(member)[-1] for member in members]
    assert [] == [end for end in ends if "exit_code" not in end]
    return ends


def retried(stage, ends):
    """The waits that the journals of these runs tell of."""
    with stage.store() as journal:
        events = [one.event for end in ends for one in journal.events(end["run_id"])]
    return [event for event in events if isinstance(event, Retried)]


@pytest.mark.slow
async def test_twenty_processes_that_meet_a_429_at_the_same_moment_come_back_apart(stage, drivers):
    """A10 A21 C42: over half a second, and of its ten slots of 50 ms none has more than half of them.

    By the delays that they wrote down, each as a share of the longest one of its attempt: on a machine with much to do
    one comes so late that another meets the limit a second time, in its place, and waits twice as long.
    """
    stage.policy(retry={"base_delay_s": 1.0, "jitter": True})
    stage.replies, stage.faults = [DONE], [Fault("status", status=429, requests="1-20")]
    members = many(drivers, await stage.lay_out())

    ends = await all_at_once(stage, drivers, members)
    waits = [wait.delay_s / 2 ** (wait.attempt - 1) for wait in retried(stage, ends)]

    assert [0] * 20 == [end["exit_code"] for end in ends]
    assert 40 == len(stage.asked())
    assert 20 == len(waits)
    assert all(0.5 <= wait <= 1.0 for wait in waits)
    slots = collections.Counter(int(wait / SLOT_S) for wait in waits)
    assert len(slots) >= 5, "10 slots, 20 waits: fewer than 5 of them once in 400,000 times"
    assert max(slots.values()) <= 10
    print(f"the second attempts came in {spread(stage):.2f} s")  # noqa: T201  # shown by -s


def spread(stage):
    at = [seen.at for seen in stage.asked()[20:]]
    return max(at) - min(at)


@pytest.mark.slow
async def test_a_rate_limit_that_stays_costs_four_requests_of_each_and_opens_no_circuit(stage, drivers):
    """A12 G5 C23: exactly eighty of twenty, though an SDK would have tried each of them again."""
    stage.replies, stage.faults = [DONE], [Fault("status", status=429)]
    members = many(drivers, await stage.lay_out())

    ends = await all_at_once(stage, drivers, members)

    assert {("failed", "providers", 14)} == {(end["status"], end["reason"], end["exit_code"]) for end in ends}
    assert 80 == len(stage.asked())
    assert 60 == len(retried(stage, ends))


@pytest.mark.slow
async def test_a_signal_while_a_process_waits_for_its_next_attempt_ends_it_at_once(stage, drivers):
    """H4: a cancellation is no failure to be tried again."""
    stage.replies, stage.faults = [DONE], [Fault("status", status=429, headers={"retry-after": "29"})]
    members = many(drivers, await stage.lay_out(), 3)
    await asyncio.to_thread(drivers.until, lambda: 3 == drivers.born)
    drivers.open("go")
    while len(stage.asked()) < 3:  # noqa: ASYNC110  # the server keeps a list and rings no bell
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    told = time.monotonic()
    for member in members:
        drivers.signal(member, signal.SIGINT)
    await asyncio.to_thread(drivers.wait, *members)

    assert time.monotonic() - told < 20, "they slept on"
    assert {("paused", 130)} == {(drivers.said(m)[-1]["status"], drivers.said(m)[-1]["exit_code"]) for m in members}
    assert 3 == len(stage.asked())


# --- What a provider asks for ---------------------------------------------------------------------


def in_a_while(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.fixture
def two(stage):
    """A second provider stands by."""
    stage.providers = [
        {"name": "first", "api": "messages", "priority": 1},
        {"name": "second", "api": "chat", "priority": 2},
    ]
    stage.replies = [DONE]
    return stage


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "1"}, 1.0, 1.0),
        ({"retry-after": "0.3"}, 0.3, 0.3),
        ({"retry-after-ms": "300", "retry-after": "25"}, 0.3, 0.3),
        ({"retry-after": "{date}"}, 0.9, 2.0),
    ],
    ids=["seconds", "part of a second", "milliseconds first", "date"],
)
async def test_what_the_provider_asks_for_is_waited_for(two, headers, least, most):
    """A16"""
    headers = {name: value.format(date=in_a_while(2)) for name, value in headers.items()}
    two.faults = [Fault("status", provider="first", status=429, headers=headers, requests="1")]

    result = await two.run()

    (wait,) = two.events(Retried)
    refused, again = two.asked("first")
    assert (0, 0) == (result.exit_code, len(two.asked("second")))
    assert least <= wait.delay_s <= most
    assert again.at - refused.at >= least - 0.05


@pytest.mark.parametrize("asked", ["-5", "nan", "inf", "soon", "", "Wed, 99 Foo 2031 99:99:99 GMT", "9" * 400])
async def test_a_wait_that_makes_no_sense_is_not_waited_for(two, asked):
    """H4: the own delay counts."""
    two.faults = [Fault("status", provider="first", status=429, headers={"retry-after": asked}, requests="1")]

    result = await two.run()

    assert (0, ["first", "first"]) == (result.exit_code, [seen.provider for seen in two.asked()])
    assert [0.01] == [wait.delay_s for wait in two.events(Retried)]
    assert [None] == [failed.retry_after_s for failed in two.events(ModelFailed)]


@pytest.mark.parametrize("asked", ["1e99", "Fri, 31 Dec 9999 23:59:59 GMT", "31", "86400000"])
async def test_a_wait_above_the_longest_rests_the_provider_for_a_day_at_most_and_falls_back(two, asked):
    """A14 H4: nobody sleeps until the year 9999, and the user has an answer."""
    two.faults = [Fault("status", provider="first", status=429, headers={"retry-after": asked})]

    result = await two.run()

    assert (0, ["first", "second"]) == (result.exit_code, [seen.provider for seen in two.asked()])
    (out,) = two.of(ProviderOut)
    assert 30 < out.event.until - out.ts <= 86_400
    assert [] == two.events(Retried)
    assert [("first", "second")] == [(fell.from_, fell.to) for fell in two.events(FellBack)]


@pytest.mark.parametrize(
    ("status", "code", "asked_twice"),
    [(429, "insufficient_quota", False), (404, "", False), (418, "", False), (409, "", True), (408, "", True)],
)
async def test_of_what_a_client_did_wrong_only_what_may_pass_is_tried_again(stages, status, code, asked_twice):
    """E11 G6: a second request can't mend a quota or a wrong path."""
    stage = stages("chat")
    stage.replies, stage.faults = [DONE], [Fault("status", status=status, code=code, requests="1")]

    result = await stage.run()

    assert (2 if asked_twice else 1) == len(stage.asked())
    assert (0 if asked_twice else 14) == result.exit_code


async def test_a_refusal_is_asked_for_once_and_of_nobody_else(two):
    """E11: a content-policy refusal is an answer."""
    two.replies = [Reply(text="I will not.", stop="refusal")]

    result = await two.run()

    assert (18, ["first"]) == (result.exit_code, [seen.provider for seen in two.asked()])
