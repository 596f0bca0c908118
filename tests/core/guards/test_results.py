"""What a tool's answer may be: how large, how late, how often tried."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import results
from agentctl.core.guards.results import Rules, State
from tests.play import Reply, Script, asks, call, contract, played, policy, writer

BROKEN = envelope.transient("it broke")


def answer(play) -> ev.ToolFinished:
    (only,) = play.answers
    return only


def run(tool, *answers, rules: Rules | None = None):
    script = Script([asks(call(tool.name)), Reply("done")], {tool.name: list(answers)})
    return played(policy(results=rules or Rules(), risk=policy().risk.__class__(enabled=False)), script, tool)


def test_a_tool_is_tried_three_times_in_all():
    """B12"""
    play = run(contract("look"), BROKEN)

    assert [1, 2, 3] == [start.attempt for start in play.of(ev.ToolStarted)]
    assert [False, False, True] == [end.final for end in play.of(ev.ToolFinished)]


def test_the_delays_between_tries_are_one_and_two_seconds():
    """B14"""
    play = run(contract("look"), BROKEN)

    assert [1.0, 2.0] == [retried.delay_s for retried in play.of(ev.Retried)]


def test_a_fixed_policy_waits_the_same_each_time():
    play = run(contract("look", retry_policy="fixed"), BROKEN)

    assert [1.0, 1.0] == [retried.delay_s for retried in play.of(ev.Retried)]


def test_however_often_a_tool_is_tried_the_delay_stays_a_number():
    delay = results.retry_delay(Rules(max_attempts=10_000), contract("look"), BROKEN, 9_000)

    assert delay == results.retry_delay(Rules(max_attempts=10_000), contract("look"), BROKEN, 17)


def test_after_the_last_try_the_answer_says_how_often_it_was_tried():
    """B19, G11, B20: the real count, and a result that the model can go on with."""
    end = answer(run(contract("look"), BROKEN))

    assert "Tool failed after 3 attempts: it broke. Proceeding without this result." == end.result["message"]
    assert ("error", "transient", False) == (end.status, end.error_type, end.retry_safe)


def test_the_count_is_the_number_of_attempts_that_were_made():
    """G11"""
    end = answer(run(contract("look"), BROKEN, rules=Rules(max_attempts=2)))

    assert "Tool failed after 2 attempts: it broke. Proceeding without this result." == end.result["message"]


def test_a_tool_that_was_tried_once_is_not_said_to_have_been_tried_often():
    """G11"""
    end = answer(run(contract("look", retry_policy="none"), BROKEN))

    assert ("it broke", True) == (end.result["message"], end.retry_safe)


def test_a_failure_that_passes_is_the_answer_of_the_last_try():
    """B11, D26, D114"""
    play = run(contract("look"), BROKEN, envelope.success({"order": 7}))

    assert {"order": 7} == answer(play).result["data"]
    assert "done" == play.state.run.reason


def test_a_permission_error_is_never_tried_again():
    """B16, B17"""
    play = run(contract("look"), envelope.forbidden("/etc/shadow"))

    assert 1 == len(play.of(ev.ToolStarted))
    assert "Permission denied: /etc/shadow. Cannot complete this step." == answer(play).result["message"]


def test_an_unknown_error_is_never_tried_again():
    """B18, D25"""
    play = run(contract("look"), envelope.permanent("something odd"))

    assert 1 == len(play.of(ev.ToolStarted))


@pytest.mark.parametrize(("asked", "waited"), [(0.5, 1.0), (7, 7.0), (30, 30.0)])
def test_a_limited_tool_is_tried_again_after_the_rest_that_it_asks_for(asked, waited):
    """B15, D31, H4: not before it."""
    play = run(contract("look"), envelope.rate_limited(asked), envelope.success("ok"))

    assert 2 == len(play.of(ev.ToolStarted))
    assert [waited] == [retried.delay_s for retried in play.of(ev.Retried)]


def test_a_limited_tool_that_asks_for_a_long_rest_is_not_waited_for():
    """B15: the model is told when to come back, and that it may."""
    play = run(contract("look"), envelope.rate_limited(60))

    assert 1 == len(play.of(ev.ToolStarted))
    assert ("rate_limit", True) == (answer(play).error_type, answer(play).retry_safe)
    assert "Rate limit hit. Retry after 60s." == answer(play).result["message"]


def test_what_may_have_happened_is_not_done_again():
    """D64: only idempotent or harmless calls are repeated after a timeout."""
    play = run(writer("send", retry_policy="exponential_backoff"), envelope.timed_out(5))
    end = answer(play)

    assert 1 == len(play.of(ev.ToolStarted))
    assert ("permanent", False, "UNKNOWN_OUTCOME") == (end.error_type, end.retry_safe, end.code)
    assert "Timeout after 5s; the outcome of send is unknown and it is not retried." == end.result["message"]


@pytest.mark.parametrize("tool", [writer("send", idempotent=True), contract("look")], ids=["idempotent", "read only"])
def test_a_timeout_of_what_may_be_repeated_is_tried_again(tool):
    assert not results.in_doubt(tool, envelope.timed_out(5))


def test_a_failure_that_surely_did_nothing_is_not_in_doubt():
    assert not results.in_doubt(writer("send"), envelope.server_error(503))


def test_the_guard_can_be_off():
    play = run(contract("look"), BROKEN, rules=Rules(enabled=False))

    assert 1 == len(play.of(ev.ToolStarted))


def test_a_tool_may_take_five_seconds_where_its_contract_says_nothing():
    """D30"""
    assert 5.0 == Rules().timeout_s


def test_a_result_may_have_ten_thousand_tokens():
    assert (10_000, 1.0) == (Rules().max_tokens, Rules().base_delay_s)


# --- Call limits ----------------------------------------------------------------------------------


def test_a_limit_per_minute_looks_at_any_sixty_seconds():
    """D05"""
    tool = contract("look", max_calls_per_minute=2)
    state = State({"look": 3}, {"look": (10.0, 65.0, 69.0)})

    assert None is results.check(state, tool, 125.5)
    assert "Call limit: max_calls_per_minute of 2 reached for look." == results.check(state, tool, 120.0).message


def test_calls_of_times_to_come_are_no_calls_of_the_last_minute():
    """The clock was set back by an hour, and the tool is not locked for an hour."""
    tool = contract("look", max_calls_per_minute=2)
    state = State({"look": 2}, {"look": (3_700.0, 3_701.0)}, others={"look": (3_702.0,)})
    started = ev.Stamped("r", 9, "s", 0, 100.0, ev.ToolStarted("c", "look", {}, "safe", 1, False, 5.0))

    assert None is results.check(state, tool, 100.0)
    assert {"look": (100.0,)} == results.apply(state, started).starts
    assert None is not results.check(state, tool, 3_698.0), "a second is no setting back"


def test_a_limit_per_minute_counts_the_other_runs_of_the_session():
    """D88: for a minute each."""
    tool = contract("look", max_calls_per_minute=2)
    begun = after(ev.Resumed(1, "cli", earlier_starts={"look": (50.0, 90.0)}))

    assert "max_calls_per_minute of 2" in results.check(begun, tool, 109.0).message
    assert None is results.check(begun, tool, 110.0)
    assert State({}) == results.apply(begun, ev.Stamped("r", 2, "s", 0, 110.0, ev.Resumed(1, "cli")))


def after(event: ev.Event) -> State:
    return results.apply(results.EMPTY, ev.Stamped("r", 1, "s", 0, 100.0, event))


def test_a_tools_own_call_limit_is_named_when_it_is_reached():
    """D88"""
    tool = contract("look", max_calls_per_session=2)
    over = results.check(State({"look": 2}), tool, 100.0)

    assert None is results.check(State({"look": 1}), tool, 100.0)
    assert None is results.check(State({"look": 99}), contract("look"), 100.0)
    assert over is not None
    assert "Call limit: max_calls_per_session of 2 reached for look." == over.message
    assert ("permanent", False, "CALL_LIMIT") == (over.error_type, over.retry_safe, over.code)


def test_a_call_beyond_its_limit_is_not_run():
    """D88, D16"""
    script = Script([*[asks(call("look", q=n)) for n in range(5)], Reply("done")])
    play = played(policy(), script, contract("look", max_calls_per_session=3))

    assert 3 == len(play.of(ev.ToolStarted))
    assert [None, None, None, "CALL_LIMIT", "CALL_LIMIT"] == [end.code for end in play.answers]


def test_tries_of_one_call_count_once():
    script = Script([asks(call("look", q=1)), asks(call("look", q=2)), Reply("done")], {"look": [BROKEN]})
    play = played(policy(), script, contract("look", max_calls_per_session=2))

    assert {"look": 2} == play.state.results.calls


# --- Size -----------------------------------------------------------------------------------------


def test_a_result_that_fits_is_left_alone():
    assert "short" == results.cut("short", 5)


def test_a_longer_result_is_cut_with_a_visible_marker_and_its_full_size():
    assert "aaaa\n[… cut: 1,996 of 2,000 characters are not shown …]" == results.cut("a" * 2_000, 4)


def test_a_cut_never_splits_a_character():
    assert results.cut("日本語", 4).startswith("日\n[… cut: 2 of 3 ")
    assert results.cut("é" * 10, 3).startswith("é\n")


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60), st.integers(0, 80))
def test_a_cut_is_a_head_of_the_text_in_the_bytes_that_it_may_have(text, most):
    cut = results.cut(text, most)
    head = cut.partition("\n[… cut: ")[0] if cut != text else text

    assert text.startswith(head)
    assert len(head.encode(errors="surrogatepass")) <= most or cut == text
