"""What a run may use in all, and what happens on the way there."""

import pytest

from agentctl.core import events as ev
from agentctl.core.guards import context, tokens
from agentctl.core.guards.tokens import Rules, State
from agentctl.core.messages import Usage
from agentctl.core.policy import Provider
from tests.play import Reply, Script, asks, call, contract, played, policy

SMALL = Provider(name="main", sdk="anthropic", model="model-a", max_output_tokens=100)


def replied(usage: Usage) -> ev.Stamped:
    event = ev.ModelReplied("main", "id", "m", usage, 0, 1, "end_turn", "x", (), "answer", usage.output)
    return ev.Stamped("r_1", 1, "s_1", 0, 0.0, event)


def test_a_run_may_use_half_a_million_tokens():
    assert 500_000 == tokens.total(Rules(), State())


def test_input_and_output_count_and_cache_reads_do_not():
    """E15: cumulative input and output."""
    usage = Usage(input=100, output=10, cache_read=10_000, cache_write=1_000, cache_write_1h=500)

    assert 1_610 == tokens.apply(State(), replied(usage)).used


@pytest.mark.parametrize(
    ("used", "level"),
    [(0, "OK"), (750, "OK"), (751, "WARNING"), (1_000, "WARNING"), (1_001, "EXCEEDED")],
)
def test_the_warning_is_strictly_above_its_share_and_the_end_strictly_above_the_total(used, level):
    """D37, D38"""
    assert level == tokens.level(Rules(total=1_000), State(used=used))


def test_the_message_names_used_and_total():
    """D39"""
    assert "Token budget exceeded: 51200/50000" == tokens.message(Rules(total=50_000), State(used=51_200))


def test_crossing_the_warning_compresses_once_and_again_when_the_request_doubled():
    """D42, D36: high water reclaims, and not at every step."""
    rules = Rules(total=1_000)
    crossed = State(used=800)
    once = tokens.apply(crossed, ev.Stamped("r", 1, "s", 0, 0.0, ev.ContextTrimmed(100, 200, 3, 9)))

    assert tokens.compress(rules, crossed, 200)
    assert not tokens.compress(rules, once, 199)
    assert tokens.compress(rules, once, 200)


def test_a_trim_before_the_warning_does_not_count_as_the_warnings_own():
    before = tokens.apply(State(used=700), ev.Stamped("r", 1, "s", 0, 0.0, ev.ContextTrimmed(100, 200, 3, 9)))
    crossed = State(800, before.raised, before.compressed_to, before.compressed_at)

    assert not tokens.compress(Rules(total=1_000), before, 150)
    assert tokens.compress(Rules(total=1_000), crossed, 150)


@pytest.mark.parametrize("used", [700, 1_001])
def test_nothing_is_compressed_below_the_warning_or_beyond_the_end(used):
    assert not tokens.compress(Rules(total=1_000), State(used=used), 200)


def test_the_guard_can_be_off():
    off = Rules(enabled=False, total=1_000)

    assert not tokens.compress(off, State(used=800), 200)
    assert tokens.left(off, State(used=10**9), 0.0) > 10**12


def test_a_share_is_kept_back_for_the_last_answer():
    assert 120 == tokens.left(Rules(total=1_000), State(used=800), 0.08)
    assert 200 == tokens.left(Rules(total=1_000), State(used=800), 0.0)


def test_a_resume_raises_the_total():
    raised = tokens.apply(State(used=900), ev.Stamped("r", 1, "s", 0, 0.0, ev.Resumed(1, "cli", add_tokens=500)))

    assert 1_500 == tokens.total(Rules(total=1_000), raised)
    assert 900 == raised.used


def test_a_run_lands_when_its_tokens_are_used_up():
    """B53, E28, C01: tracked, and enforced before the call that would go over."""
    many = Script([asks(call("look", q=n), usage=Usage(240, 20)) for n in range(40)])
    play = played(policy(SMALL, tokens=Rules(total=2_000)), many, contract("look"))
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "tokens", 10) == (end.status, end.reason, end.exit_code)
    assert "landing" == play.asked[-1].purpose
    assert play.state.tokens.used <= 2_000
    assert end.message.startswith("Token budget exceeded: ")


def test_a_warning_compresses_older_turns_and_the_run_goes_on():
    """D125: after the warning the call still proceeds."""
    rules = {"tokens": Rules(total=12_000), "context": context.Rules(keep_recent=1)}
    many = [asks(call("look", q=n), usage=Usage(600, 20)) for n in range(15)]
    play = played(policy(SMALL, **rules), Script([*many, Reply("done")]), contract("look"))
    trims = [seq for seq, one in enumerate(play.events) if isinstance(one.event, ev.ContextTrimmed)]

    assert 1 == len(trims)
    assert isinstance(play.events[trims[0] + 1].event, ev.ModelAsked)
    assert "done" == play.state.run.reason
