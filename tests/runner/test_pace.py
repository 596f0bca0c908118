"""The minute that all runs share: a run waits for it, says so, and gives up at once where that would be too long."""

import signal

import pytest

from agentctl.core.events import Waited
from tests.runner.stage import Fault, ModelAsked, Reply, usage

DONE = Reply(text="Answered.", usage=usage(900, 90))


@pytest.fixture
def paced(stages):
    """A run whose one call takes half of the minute."""

    def make(**rules):
        stage = stages("messages")
        stage.providers[0]["max_output_tokens"] = 1_000
        stage.policy(pace={"tokens_per_minute": 2_000, "overhead_tokens": 900} | rules)
        stage.replies = [DONE]
        return stage

    return make


def booked(stage, change: str = "") -> int:
    """What is booked in tokens, after an optional change to the slices."""
    with stage.store() as journal:
        if change:
            journal.write(lambda tx: tx.execute(change))
        (amount,) = journal.read(
            lambda tx: tx.execute(
                "SELECT COALESCE(SUM(tokens), 0) FROM token_buckets WHERE scope LIKE 'tokens%'"
            ).fetchone()
        )
    return int(amount)


async def test_what_was_really_used_is_what_counts(paced):
    """A19, C22"""
    stage = paced()
    await stage.run()

    assert 990 == booked(stage)
    assert [] == stage.events(Waited)


async def test_a_run_waits_for_its_place_and_says_for_how_long(paced):
    """A20, A61: slower answers, not errors."""
    stage = paced()
    await stage.run()
    booked(stage, "UPDATE token_buckets SET bucket_start = bucket_start - 60, tokens = 2000")

    result = await stage.run()

    (waited,) = stage.events(Waited)
    assert (0, "Answered.") == (result.exit_code, result.answer)
    assert ("tokens_per_minute", False) == (waited.reason, waited.refused)
    assert 0 < waited.seconds <= 5
    before = [type(one.event) for one in stage.stamped]
    assert before.index(Waited) < before.index(ModelAsked)


async def test_a_wait_over_max_wait_s_is_refused_at_once_and_can_be_resumed(paced):
    stage = paced(max_wait_s=30)
    await stage.run()
    booked(stage, "UPDATE token_buckets SET tokens = 2000")

    result = await stage.run()

    (waited,) = stage.events(Waited)
    assert ("stopped", "pace", 10) == (result.status, result.reason, result.exit_code)
    assert f"would wait {waited.seconds:.0f}s for tokens_per_minute, over max_wait_s of 30s" in result.message
    assert 1 == len(stage.asked())
    assert f"agentctl resume {stage.run_id}" == result.resume

    booked(stage, "DELETE FROM token_buckets")
    assert 0 == (await stage.resume()).exit_code


async def test_a_call_that_failed_unbilled_gives_its_place_back(paced):
    stage = paced()
    stage.policy(retry={"max_attempts": 1})
    stage.faults = [Fault("status", status=429)]

    assert 14 == (await stage.run()).exit_code
    assert 0 == booked(stage)


def waiting(stage):
    with stage.store() as journal:
        return journal.read(lambda tx: tx.execute("SELECT count(*) FROM waiting").fetchone())[0]


async def test_ctrl_c_ends_the_wait_and_leaves_the_queue(paced):
    stage = paced(max_wait_s=600)
    await stage.run()
    before = booked(stage, "UPDATE token_buckets SET tokens = 2000")
    stage.interrupt_at(Waited, signal.SIGINT)

    result = await stage.run()

    assert ("paused", 130) == (result.status, result.exit_code)
    assert (before, 0) == (booked(stage), waiting(stage))


async def test_a_pause_from_another_terminal_ends_the_wait(paced):
    stage = paced(max_wait_s=600)
    await stage.run()
    booked(stage, "UPDATE token_buckets SET tokens = 2000")

    def pause():
        stage.run_id = stage.stamped[0].run_id
        stage.letter("pause")

    stage.when(Waited, pause)
    result = await stage.run()

    assert ("paused", "pause") == (result.status, result.reason)
    assert 0 == waiting(stage)


async def test_a_wait_counts_against_the_time_that_the_run_may_take(paced):
    stage = paced(max_wait_s=600)
    await stage.run()
    booked(stage, "UPDATE token_buckets SET tokens = 2000, bucket_start = bucket_start - 50")
    stage.policy(budget={"max_wall_s": 1.5})

    result = await stage.run()

    assert (10, "max_wall_s") == (result.exit_code, result.reason)


async def test_who_waits_is_let_go_as_soon_as_others_give_back(paced):
    """A20, A61: most of what is reserved is not used."""
    stage = paced(max_wait_s=600)
    await stage.run()
    booked(stage, "UPDATE token_buckets SET tokens = 2000, held = 2000 WHERE scope LIKE 'tokens%'")
    stage.when(Waited, lambda: booked(stage, "UPDATE token_buckets SET tokens = 10, held = 0"))

    result = await stage.run()

    assert 0 == result.exit_code
    assert result.body["duration_s"] < 30


async def test_dollars_are_paced_too(paced):
    """C21"""
    stage = paced(tokens_per_minute=50_000, usd_per_minute=0.018, max_wait_s=1)
    await stage.run()

    result = await stage.run()

    assert "pace" == result.reason
    assert "for usd_per_minute" in result.message


async def test_providers_with_other_keys_have_minutes_of_their_own(paced, monkeypatch):
    stage = paced(max_wait_s=1)
    await stage.run()
    booked(stage, "UPDATE token_buckets SET tokens = 2000")
    monkeypatch.setenv("OTHER_KEY", "sk-test-another-0c1d2e3f")
    stage.providers[0]["key_env"] = "OTHER_KEY"

    assert 0 == (await stage.run()).exit_code
