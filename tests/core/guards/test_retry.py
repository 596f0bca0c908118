"""When a failed model call is tried again, and after how long."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import events as ev
from agentctl.core.decide import CLOCK_S
from agentctl.core.guards import circuit, retry
from agentctl.core.guards.retry import Rules
from tests.play import MAIN, SPARE, Fault, Reply, Script, played, policy

DOWN = Fault("server", 500)
ALONE = circuit.Rules(enabled=False)


def failure(kind: str = "server", status: int | None = 500, attempt: int = 1, after: float | None = None):
    return ev.ModelFailed("main", "id", kind, status, after, "x", attempt, "answer", 0, 1)


def delays(play) -> list[float]:
    return [event.delay_s for event in play.of(ev.Retried)]


def test_a_call_is_four_requests_in_all_with_no_sleep_after_the_last():
    """A12, C23, G5"""
    play = played(policy(MAIN, circuit=ALONE), Script([DOWN]))

    assert [1, 2, 3, 4] == [asked.attempt for asked in play.asked]
    assert 3 == len(delays(play))
    assert play.events[-1].ts == next(one.ts for one in reversed(play.events) if isinstance(one.event, ev.ModelFailed))


def test_three_to_five_attempts_are_the_default():
    """E12"""
    assert 3 <= Rules().max_attempts <= 5


def test_a_single_attempt_never_sleeps():
    play = played(policy(MAIN, retry=Rules(max_attempts=1)), Script([DOWN]))

    assert 1 == len(play.asked)
    assert [] == delays(play)


def test_without_jitter_delays_double_from_one_second():
    """A13"""
    wait = [retry.delay(Rules(jitter=False, max_attempts=9), failure(attempt=n), 0.3) for n in range(1, 5)]

    assert [1.0, 2.0, 4.0, 8.0] == wait


def test_no_delay_is_longer_than_thirty_seconds():
    """A14"""
    rules = Rules(jitter=False, max_attempts=9)

    assert 16.0 == retry.delay(rules, failure(attempt=5), 0.0)
    assert 30.0 == retry.delay(rules, failure(attempt=6), 0.0)
    assert 30.0 == retry.delay(rules, failure(attempt=8), 0.0)


def test_however_many_attempts_the_delay_stays_a_number():
    rules = Rules(jitter=False, max_attempts=10_000)

    assert 30.0 == retry.delay(rules, failure(attempt=9_000), 0.0)


def test_the_whole_schedule_is_four_attempts_from_one_to_thirty_seconds_with_jitter():
    """C63, C25"""
    rules = Rules()

    assert (4, 1.0, 30.0, True) == (rules.max_attempts, rules.base_delay_s, rules.max_delay_s, rules.jitter)


def test_jitter_is_on_and_spreads_twenty_clients():
    """A15, A21, C82: not the same second."""
    twenty = [retry.delay(Rules(), failure(attempt=3), n / 20) or 0.0 for n in range(20)]

    assert 20 == len(set(twenty))
    assert 2.0 == min(twenty)
    assert max(twenty) < 4.0
    assert statistics.pstdev(twenty) > 0.5


def test_a_wave_of_twenty_clients_does_not_come_back_as_one():
    """A10: a retry storm is spread; nobody crashes."""
    plays = [played(policy(MAIN), Script([Fault("rate_limit", 429), Reply("done")]), seed=n) for n in range(20)]

    assert 20 == len({round(play.asked[1].attempt + play.events[-2].ts, 6) for play in plays})
    assert {"done"} == {play.state.run.reason for play in plays}


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_statuses_worth_another_try_are_tried_again(status):
    """A16, C24, G6"""
    kind = "rate_limit" if status == 429 else "server"

    assert retry.worthwhile(Rules(), failure(kind, status))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 418, 422, 451, 501])
def test_no_other_status_is_ever_tried_again(status):
    """E11"""
    assert not retry.worthwhile(Rules(), failure("server", status))


@pytest.mark.parametrize("kind", ["timeout", "connection", "truncated", "malformed", "overloaded"])
@pytest.mark.parametrize("status", [None, 200])
def test_what_breaks_on_the_way_is_tried_again(kind, status):
    assert retry.worthwhile(Rules(), failure(kind, status))


@pytest.mark.parametrize("kind", ["quota", "auth", "invalid", "context", "cancelled"])
def test_what_no_second_try_mends_is_never_tried_again(kind):
    """E11: whatever status it came with."""
    assert not retry.worthwhile(Rules(), failure(kind, 429 if kind == "quota" else None))


def test_an_exhausted_quota_is_asked_once_and_the_provider_is_out():
    play = played(policy(MAIN, SPARE), Script([Fault("quota", 429), Reply("done")]))

    assert ["main", "spare"] == [asked.provider for asked in play.asked]
    assert [None] == [out.until for out in play.of(ev.ProviderOut)]


def test_a_refusal_is_an_answer_and_is_never_asked_for_again():
    """E11: content policy."""
    play = played(policy(MAIN, SPARE), Script([Reply(stop="refusal", refusal="not this")]))

    assert 1 == len(play.asked)
    assert ("failed", "refusal") == (play.state.run.status, play.state.run.reason)


def test_retry_after_is_waited_for_where_it_is_longer():
    asked = [retry.delay(Rules(), failure("rate_limit", 429, 1, 12.0), dice) or 0.0 for dice in (0.0, 0.5, 0.99)]

    assert 12.0 == asked[0]
    assert sorted(set(asked)) == asked
    assert asked[-1] < 13.0


def test_retry_after_never_shortens_the_own_delay():
    assert 4.0 == retry.delay(Rules(jitter=False), failure(attempt=3, after=0.1), 0.0)


def test_a_wave_that_is_told_the_longest_retry_after_does_not_come_back_as_one():
    """A15, A21: at the limit of A14 the jitter is added all the same, since less than was asked for is never waited."""
    for after in (29.4, 29.9, 30.0):
        twenty = [retry.delay(Rules(), failure("rate_limit", 429, 1, after), n / 20) or 0.0 for n in range(20)]

        assert 20 == len(set(twenty))
        assert after == min(twenty)
        assert max(twenty) - after > 0.4


@given(
    st.floats(0.001, 100.0), st.floats(0.001, 100.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0, exclude_max=True),
    st.integers(1, 5), st.booleans(),
)  # fmt: skip
def test_a_delay_is_never_below_retry_after_nor_taken_for_a_clock_that_was_set_back(
    base, longest, share, dice, attempt, jitter
):
    """A14, A15: nor above the longest delay and half of the first."""
    rules = Rules(base_delay_s=base, max_delay_s=longest, max_attempts=9, jitter=jitter)
    wait = retry.delay(rules, failure("rate_limit", 429, attempt, share * longest), dice)

    assert wait is not None
    assert share * longest <= wait <= longest + 0.5 * base
    assert wait + 0.001 < longest + CLOCK_S, "decide.after_failure would try again at once"
    assert jitter or wait <= longest


def test_a_longer_retry_after_rests_the_provider_until_then():
    play = played(policy(MAIN, SPARE), Script([Fault("rate_limit", 429, retry_after=31.0), Reply("done")]))
    out = play.of(ev.ProviderOut)[0]

    assert retry.too_long(Rules(), failure(after=31.0))
    assert not retry.too_long(Rules(), failure(after=30.0))
    assert ["main", "spare"] == [asked.provider for asked in play.asked]
    assert out.until == pytest.approx(play.events[2].ts + 31.0)


def test_the_guard_can_be_off():
    play = played(policy(MAIN, retry=Rules(enabled=False)), Script([DOWN]))

    assert 1 == len(play.asked)
    assert not retry.worthwhile(Rules(enabled=False), failure())


def test_a_failure_that_passes_leaves_the_run_as_if_nothing_had_been():
    """E04, C03"""
    play = played(policy(MAIN), Script([DOWN, DOWN, Reply("done")]))

    assert [1, 2, 3] == [asked.attempt for asked in play.asked]
    assert "done" == play.state.run.reason
    assert 1 == play.state.budget.steps
