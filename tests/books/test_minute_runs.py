"""Whole runs in a full minute: they wait their turn, say for what, and leave without a trace."""

import asyncio
import signal
import time

import pytest

from agentctl.core.events import Waited
from agentctl.core.guards import pace as minute
from agentctl.journal import pace
from tests.runner.stage import ModelAsked, Reply, usage

LIMIT = 2_000


@pytest.fixture
def full(stages, monkeypatch):
    """A stage whose minute somebody has filled just now. A minute is five slices of a second long."""
    for name, value in (("SLICE_S", 1), ("WINDOW", 4), ("APART", 5)):
        monkeypatch.setattr(minute, name, value)

    async def make(*, spent=False, **rules):
        stage = stages()
        stage.policy(pace={"tokens_per_minute": LIMIT, **rules})
        stage.providers = [{"name": "main", "api": "messages", "max_output_tokens": 1_100}]
        stage.replies = [Reply(text="Answered.", usage=usage(5))]
        assert 0 == (await stage.run()).exit_code
        stage.stamped, stage.states = [], []
        fill(stage, spent=spent)
        return stage

    return make


def fill(stage, *, spent):
    """Somebody takes what is left of the minute, for a call that is under way or over."""

    def work(tx):
        ((scope,),) = tx.execute("SELECT DISTINCT scope FROM token_buckets WHERE scope LIKE 'tokens%'").fetchall()
        now = time.time()
        demand = minute.Demand(scope, LIMIT - pace.used(tx, scope, now), LIMIT)
        (booking,) = pace.take(tx, [demand], now)
        if spent:
            pace.correct(tx, [(booking, demand.amount)])

    with stage.store() as journal:
        journal.write(work)


def windows(tx):
    return pace.windows(tx, time.time())


def queue(stage):
    """Who waits for a minute, and since when."""
    with stage.store() as journal:
        return dict(journal.read(lambda tx: tx.execute("SELECT DISTINCT owner, since FROM waiting").fetchall()))


async def test_a_run_waits_for_the_minute_says_so_and_is_answered(full):
    """C19 C49: throttled here, so that the provider never has to refuse."""
    stage = await full()
    with stage.store() as journal:
        ((filled,),) = journal.read(
            lambda tx: tx.execute("SELECT max(bucket_start) FROM token_buckets WHERE held > 0").fetchall()
        )

    result = await stage.run()

    assert (0, "Answered.") == (result.exit_code, result.answer)
    (waited,), (asked, *_) = stage.of(Waited), stage.of(ModelAsked)
    assert ("tokens_per_minute", False) == (waited.event.reason, waited.event.refused)
    assert 0 < waited.event.seconds <= 5
    assert asked.ts >= filled + minute.APART
    assert {} == queue(stage)


async def test_a_run_keeps_the_place_that_it_came_for(full):
    """Looking again makes it neither earlier nor later than others."""
    stage = await full()
    seen = []

    async def look():
        while len(stage.asked()) < 2:
            seen.append(tuple(queue(stage).values()))
            await asyncio.sleep(0.2)

    result, _ = await asyncio.gather(stage.run(), look())

    assert 0 == result.exit_code
    ((since,),) = {each for each in seen if each}
    assert since <= stage.of(Waited)[0].ts


async def test_a_run_that_would_surely_wait_too_long_ends_at_once_and_says_how_long(full):
    stage = await full(spent=True, max_wait_s=0.5)

    result = await stage.run()

    assert ("stopped", "pace", 10, 1) == (result.status, result.reason, result.exit_code, len(stage.asked()))
    assert "s for tokens_per_minute, over max_wait_s of 0.5s" in result.message
    assert [True] == [waited.refused for waited in stage.events(Waited)]
    assert {} == queue(stage)


async def test_a_run_that_nobody_made_room_for_ends_once_it_has_waited_so_long(full, monkeypatch):
    """What is under way may be given back: so long it is hoped for."""
    monkeypatch.setattr(minute, "WINDOW", 60)
    monkeypatch.setattr(minute, "APART", 61)
    stage = await full(max_wait_s=1.5)

    result = await stage.run()

    assert ("stopped", "pace", 10, 1) == (result.status, result.reason, result.exit_code, len(stage.asked()))
    first, last = stage.of(Waited)
    assert [False, True] == [first.event.refused, last.event.refused]
    assert last.ts - first.ts >= 1.4
    assert {} == queue(stage)


async def test_a_run_that_waits_while_the_clock_is_set_back_keeps_its_place_in_the_queue(full, clock, monkeypatch):
    """Its place goes back with the clock, so that nobody who comes later is before it."""
    monkeypatch.setattr(minute, "WINDOW", 60)
    monkeypatch.setattr(minute, "APART", 61)
    stage = await full(max_wait_s=1.5)
    places = []

    def later():
        places.extend(queue(stage).values())
        clock.ahead -= 50

    stage.when(Waited, lambda: asyncio.get_running_loop().call_later(0.5, later))

    result = await asyncio.wait_for(stage.run(), 30)

    first, last = stage.of(Waited)
    assert ("stopped", "pace") == (result.status, result.reason)
    assert ([False, True], 1) == ([first.event.refused, last.event.refused], len(places))
    assert -50 < last.ts - first.ts < 0
    assert {} == queue(stage)


async def test_a_signal_ends_the_wait_at_once_and_nobody_waits_behind_it(full, monkeypatch):
    monkeypatch.setattr(minute, "WINDOW", 60)
    monkeypatch.setattr(minute, "APART", 61)
    stage = await full()
    stage.interrupt_at(Waited, signal.SIGINT)
    began = time.monotonic()

    result = await stage.run()

    assert ("paused", 130, 1) == (result.status, result.exit_code, len(stage.asked()))
    assert time.monotonic() - began < 30
    assert {} == queue(stage)


@pytest.mark.parametrize("wish", ["pause", "cancel"])
async def test_a_run_that_is_asked_to_stop_while_it_waits_leaves_the_queue(full, wish):
    stage = await full()
    stage.when(Waited, lambda: (setattr(stage, "run_id", stage.stamped[0].run_id), stage.letter(wish)))

    result = await stage.run()

    assert (wish[:5], 1) == (result.status[:5], len(stage.asked()))
    assert {} == queue(stage)
    with stage.store() as journal:
        used = [window.used for window in journal.read(windows) if window.scope.startswith("tokens")]
    assert max(used, default=0) <= LIMIT // 2


# --- As many processes ----------------------------------------------------------------------------


async def together(stage, fleet, members):
    """Let them go at the same moment; what each came to, and the most that the minute held while they ran."""
    heaviest = 0
    await asyncio.to_thread(fleet.until, lambda: len(members) == fleet.born)
    with stage.store() as journal:
        fleet.open("go")
        while any(fleet.ended(member) is None for member in members):
            found = [each.used + each.later for each in journal.read(windows) if each.scope.startswith("tokens")]
            heaviest = max(heaviest, *found, 0)
            await asyncio.sleep(0.02)
    await asyncio.to_thread(fleet.wait, *members)
    return [fleet.said(member)[-1] for member in members], heaviest


@pytest.mark.slow
async def test_twenty_runs_at_once_under_the_standard_minute_are_all_answered_before_it_is_over(stage, drivers):
    """A10 A20 A61: each reserves a fifth of the minute and gives nearly all of it back."""
    del stage.tables["pace"]
    stage.providers[0]["max_output_tokens"] = 8_192
    stage.replies = [Reply(text="Answered.", usage=usage(700, 60))]
    task = await stage.lay_out()
    members = [drivers.start("drives", task=str(task), gates=[drivers.gate("go")]) for _ in range(20)]

    ends, heaviest = await together(stage, drivers, members)

    assert [(0, "Answered.")] * 20 == [(end["exit_code"], end["answer"]) for end in ends], ends
    at = [seen.at for seen in stage.asked()]
    assert (20, {200}) == (len(at), {seen.status for seen in stage.asked()})
    assert max(at) - min(at) < 60, "somebody waited for the minute to pass"
    assert 8_192 < heaviest <= 40_000
    assert {} == queue(stage)


@pytest.fixture
def limited(stage):
    """The stage under a limit of so many tokens a minute; the minute is the same one."""

    def change(tokens):
        stage.providers[0]["max_output_tokens"] = 8_192
        stage.replies = [Reply(text="Answered.", usage=usage(700, 60))]
        stage.policy(pace={"tokens_per_minute": tokens, "usd_per_minute": 2.0})
        return stage

    return change


async def test_what_a_run_owes_under_a_tiny_limit_stops_nobody(limited):
    assert 0 == (await limited(10).run()).exit_code, "it goes alone"

    stage = limited(40_000)
    result = await stage.run()

    assert (0, []) == (result.exit_code, stage.events(Waited))


@pytest.mark.slow
async def test_a_run_that_waits_under_a_tiny_limit_stops_nobody_and_a_signal_ends_it(limited, fleets):
    """A61 H4: its limit is its own affair, and the queue forgets it at once."""
    stage = limited(40_000)
    assert 0 == (await stage.run()).exit_code
    task = await limited(10).lay_out()
    alone, others = fleets(warm=True), fleets(warm=True)
    tiny = alone.start("drives", task=str(task), gates=[alone.gate("tiny")])
    alone.open("tiny")
    await asyncio.to_thread(alone.until, lambda: bool(queue(stage)))
    await limited(40_000).lay_out()
    members = [others.start("drives", task=str(task), gates=[others.gate("go")]) for _ in range(4)]

    ends, _ = await together(stage, others, members)

    assert [0] * 4 == [end["exit_code"] for end in ends], ends
    with stage.store() as journal:
        events = [one.event for end in ends for one in journal.events(end["run_id"])]
    assert [] == [event for event in events if isinstance(event, Waited)]
    assert alone.ended(tiny) is None
    alone.signal(tiny, signal.SIGINT)
    await asyncio.to_thread(alone.wait, tiny)
    assert ("paused", 130) == (alone.said(tiny)[-1]["status"], alone.said(tiny)[-1]["exit_code"])
    assert {} == queue(stage)
