"""What still fits: trimmed in whole units, and refused before it is sent."""

from contextlib import suppress

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import budget, context, tokens
from agentctl.core.guards.context import Cut, Rules, State, Unit
from agentctl.core.messages import Usage
from agentctl.core.policy import Provider
from agentctl.core.prices import Price, Rate
from tests.play import (
    MAIN,
    SAME_AGAIN,
    Crash,
    Crashed,
    Fault,
    Play,
    Refused,
    Reply,
    Script,
    asks,
    call,
    contract,
    make_setup,
    played,
    policy,
)

LITTLE = Provider(name="main", sdk="anthropic", model="model-a", max_output_tokens=200)


def stamped(event: ev.Event) -> ev.Stamped:
    return ev.Stamped("r", 1, "s", 0, 0.0, event)


def asked(tokens: int) -> ev.Stamped:
    return stamped(ev.ModelAsked("main", "id", "m", 1, "answer", tokens, 100, 0))


def replied(prompt: int, output: int = 1, stop: str = "end_turn") -> ev.Stamped:
    usage = Usage(prompt, output)
    return stamped(ev.ModelReplied("main", "id", "m", usage, 0, 1, stop, "x", (), "answer", output))


def started(fixed: int, goal: int) -> ev.Stamped:
    return stamped(ev.RunStarted("t", "p", "d", "u", "", "goal", "system", fixed, goal, {}))


def finished(tokens: int) -> ev.Stamped:
    return stamped(ev.ToolFinished("c1", "look", "success", None, False, 1, {}, tokens))


def after(*events: ev.Stamped, state: State | None = None) -> State:
    state = State() if state is None else state
    for event in events:
        state = context.apply(state, event)
    return state


def units(*sizes: int, messages: int = 2) -> tuple[Unit, ...]:
    return tuple(Unit(10 * n, messages, size) for n, size in enumerate(sizes, 1))


def grown(rules: Rules, steps: int, size: int, provider: Provider = LITTLE, **options) -> Play:
    """A run whose tool results have `size` tokens each."""
    results = {"look": [envelope.success("x" * 4 * size)]}
    script = Script([*[asks(call("look", q=n)) for n in range(steps)], Reply("done")], results)
    limits = {"tokens": tokens.Rules(enabled=False), "budget": budget.Rules(max_steps=400, max_tool_calls=400)}
    return played(policy(provider, context=rules, **limits, **SAME_AGAIN), script, contract("look"), **options)


def test_a_request_is_trimmed_from_seventy_five_thousand_tokens():
    """A23, C64"""
    assert (75_000, 90_000) == context.limits(Rules(), None, 8_192)
    assert ("oldest", True) == (Rules().strategy, Rules().enabled)


def test_nothing_above_ninety_thousand_tokens_is_sent():
    """A28"""
    assert 90_000 == context.limits(Rules(), 200_000, 8_192)[1]


def test_ten_messages_at_the_end_stay_as_they_are():
    """B04"""
    many = units(*[100] * 20, messages=1)

    assert Cut(110, 10, 1_000) == context.cut(Rules(), 0, many, 0, 10_000)


def test_the_other_defaults_are_those_of_the_standard_policy():
    """A25, C65"""
    rules = Rules()

    assert (0.6, "oldest", "calibrated") == (rules.trim_to, rules.strategy, rules.counter)
    assert "summary" in str(Rules.__annotations__["strategy"])


def test_a_models_own_window_is_obeyed_where_it_is_smaller():
    """G19: what the price data or the provider says for the model."""
    assert (7_000, 7_000) == context.limits(Rules(), 8_000, 1_000)
    assert (6_000, 6_000) == context.limits(Rules(), 8_000, 8_000)
    assert (75_000, 90_000) == context.limits(Rules(), 1_000_000, 64_000)


def test_the_four_limits_are_four_things():
    """G8: cumulative budget, trim target, pre-flight block, the model's own."""
    standard = policy()
    trim, hard = context.limits(standard.context, 80_000, 8_000)

    assert 500_000 == standard.tokens.total
    assert (72_000, 72_000) == (trim, hard)


def test_what_a_provider_has_counted_is_no_estimate_any_more():
    """C28, C29: counted as reported, and only what came since is estimated."""
    state = after(started(300, 40), asked(340), replied(500, output=20))

    assert 520 == context.estimate(state)
    assert 550 == context.estimate(after(finished(30), state=state))


def test_before_the_first_reply_everything_is_an_estimate():
    assert 340 == context.estimate(after(started(300, 40)))


def test_a_reply_without_a_figure_is_taken_at_the_estimate():
    assert 360 == context.estimate(after(started(300, 40), asked(340), replied(0, output=20)))


def test_a_reservation_takes_estimates_at_their_worst_and_counts_as_they_are():
    """H7: an estimate that counts a rare script as a quarter does not make a call dearer than reserved."""
    fresh, counted = after(started(1_000, 0)), after(started(1_000, 0), asked(1_000), replied(1_000, output=0))

    assert 2_301 == context.worst(fresh, "id")
    assert 1_001 == context.worst(counted, "id")
    assert 1_501 == context.worst(counted, "another")


def test_a_trim_counts_as_what_is_left_and_reserves_as_if_nothing_had_gone():
    trimmed = after(
        started(1_000, 0), asked(1_000), replied(9_000, output=0), stamped(ev.ContextTrimmed(4_000, 9_000, 9, 5))
    )

    assert 4_000 == context.estimate(trimmed)
    assert 9_000 <= context.worst(trimmed, "id")


def test_a_reply_that_filled_the_window_is_trimmed_for():
    state = after(started(300, 40), asked(340), replied(500, stop="context_exceeded"))

    assert (True, False) == (state.refused, state.hardened)


def test_the_newest_units_stay_and_the_oldest_go():
    """C27, A22"""
    assert Cut(20, 2, 500) == context.cut(Rules(keep_recent=1), 100, units(100, 200, 200), 500, 1_000)


def test_a_unit_is_dropped_whole_or_not_at_all():
    made = context.cut(Rules(keep_recent=1), 0, units(100, 900, 100), 550, 1_000)

    assert Cut(30, 4, 100) == made


def test_the_newest_unit_stays_however_large_it_is():
    """C30: the goal and a turn at the least."""
    assert Cut(20, 2, 5_000) == context.cut(Rules(keep_recent=1), 0, units(10, 5_000), 100, 1_000)


def test_nothing_to_drop_is_no_trim():
    assert None is context.cut(Rules(keep_recent=1), 0, units(5_000), 100, 1_000)
    assert None is context.cut(Rules(), 0, (), 100, 1_000)
    assert None is context.cut(Rules(), 0, units(10, 10), 100, 1_000)


def test_recent_messages_go_only_where_the_hard_limit_wants_it():
    many = units(300, 300, 300, 300)

    assert None is context.cut(Rules(keep_recent=10), 0, many, 400, 2_000)
    assert Cut(20, 2, 900) == context.cut(Rules(keep_recent=10), 0, many, 400, 1_000)


def test_a_trim_brings_the_request_down_once_so_that_the_cache_holds_again():
    """C43, C50: tokens are counted, not messages."""
    play = grown(Rules(max_tokens=10_000, hard_limit_tokens=12_000, keep_recent=1), steps=30, size=800)
    trims = play.of(ev.ContextTrimmed)

    assert 30 > 3 * len(trims) > 0
    assert {True} == {trim.tokens <= 6_000 for trim in trims}


def test_three_hundred_turns_stay_below_the_limit_and_none_is_refused():
    """C04"""
    play = grown(Rules(), steps=300, size=2_000, prices={"main": None})

    assert ("completed", 301) == (play.state.run.status, play.state.budget.steps)
    assert max(one.estimated_tokens for one in play.asked) < 75_000
    assert [] == play.of(ev.ModelFailed)


def test_the_goal_survives_every_trim():
    """D14: it stays the first message."""
    play = grown(Rules(max_tokens=3_000, hard_limit_tokens=4_000, keep_recent=1), steps=30, size=500)

    assert ("goal", 1) == (play.state.transcript.entries[0].kind, play.state.transcript.entries[0].seq)
    assert 0 < len(play.of(ev.ContextTrimmed))


def test_what_no_trim_brings_under_the_hard_limit_is_never_sent():
    """A29, A30"""
    play = grown(Rules(max_tokens=3_000, hard_limit_tokens=4_000), steps=5, size=9_000)
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "context", 10) == (end.status, end.reason, end.exit_code)
    assert end.message.startswith("Context too large: 9")
    assert end.message.endswith(" tokens")
    assert 1 == len(play.asked)


def test_the_message_says_how_large_it_was():
    """A29"""
    assert "Context too large: 93120 tokens" == context.message(93_120)


def test_a_provider_that_says_too_long_is_trimmed_for_once_and_then_obeyed():
    history = [asks(call("look", q=n)) for n in range(6)]
    script = Script([*history, Fault("context", 400), Reply("done")], {"look": [envelope.success("x" * 2_000)]})
    play = played(policy(context=Rules(keep_recent=1), **SAME_AGAIN), script, contract("look"))
    trim = play.of(ev.ContextTrimmed)[0]

    assert ("done", 1) == (play.state.run.reason, len(play.of(ev.ContextTrimmed)))
    assert trim.tokens <= trim.limit * context.HARDER


def test_a_second_refusal_after_the_trim_stops_the_run():
    history = [asks(call("look", q=n)) for n in range(6)]
    script = Script([*history, Fault("context", 400)], {"look": [envelope.success("x" * 2_000)]})
    play = played(policy(context=Rules(keep_recent=1), **SAME_AGAIN), script, contract("look"))
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "context", 10) == (end.status, end.reason, end.exit_code)
    assert (8, 1) == (len(play.asked), len(play.of(ev.ContextTrimmed)))


def test_a_first_prompt_that_is_too_long_stops_the_run_because_nothing_can_go():
    play = played(policy(MAIN), Script([Fault("context", 400)]))

    assert ("context", 1) == (play.state.run.reason, len(play.asked))


def test_with_the_guard_off_a_refused_prompt_stops_the_run_too():
    play = played(policy(MAIN, context=Rules(enabled=False)), Script([Fault("context", 400)]))

    assert ("context", 1) == (play.state.run.reason, len(play.asked))


def test_with_the_guard_off_nothing_is_trimmed():
    play = grown(Rules(enabled=False, max_tokens=500, hard_limit_tokens=600), steps=5, size=900)

    assert [] == play.of(ev.ContextTrimmed)
    assert "completed" == play.state.run.status


def test_another_provider_with_a_smaller_window_is_trimmed_for():
    """C83: the payload is within the model's own constraints before it is sent."""
    play = Play(
        make_setup(
            policy(LITTLE, context=Rules(keep_recent=1), **SAME_AGAIN), [contract("look")], windows={"main": 4_000}
        ),
        Script([*[asks(call("look", q=n)) for n in range(9)], Reply("x")], {"look": [envelope.success("x" * 4_000)]}),
    )
    play.run()

    assert max(one.estimated_tokens for one in play.asked) <= 3_800
    assert "done" == play.state.run.reason


# --- summaries ---

BULLETS = "- a fact\n- a decision"
SUMMED = Rules(max_tokens=10_000, hard_limit_tokens=12_000, keep_recent=2, strategy="summary")


def summed(rules: Rules, steps: int, size: int, *models, provider: Provider = LITTLE) -> Play:
    """A run whose summary calls are answered by these, the last one again and again; all others ask for the tool."""
    results = {"look": [envelope.success("x" * 4 * size)]}
    limits = {
        "tokens": tokens.Rules(enabled=False),
        "budget": budget.Rules(max_steps=400, max_tool_calls=400, run_usd=1_000.0),
    }
    setup = make_setup(policy(provider, context=rules, **limits, **SAME_AGAIN), [contract("look")])
    return played_by(setup, Briefed(steps, list(models) or [Reply(BULLETS)], results))


class Briefed(Script):
    """A world that tells summaries from steps."""

    def __init__(self, steps: int, briefs: list, results: dict) -> None:
        super().__init__(tools=results)
        self.steps, self.briefs = steps, briefs

    def model(self, asked):
        if asked.purpose == "summary":
            return self.briefs.pop(0) if len(self.briefs) > 1 else self.briefs[0]
        self.steps -= 1
        return asks(call("look", q=self.steps)) if self.steps >= 0 else Reply("done")


def played_by(setup, script) -> Play:
    play = Play(setup, script)
    play.run()
    return play


def briefs(play: Play) -> list[ev.ModelAsked]:
    return [asked for asked in play.asked if asked.purpose == "summary"]


def test_a_trim_is_summarised_before_it_is_made():
    """B03, A25, C65"""
    play = summed(SUMMED, 30, 800)
    trims = play.of(ev.ContextTrimmed)

    assert "done" == play.state.run.reason
    assert len(trims) == len(briefs(play)) > 3
    assert [trim.first_kept for trim in trims] == [asked.upto for asked in briefs(play)]
    assert BULLETS == trims[0].summary
    assert f"{BULLETS}\n{BULLETS}" == trims[1].summary
    assert max(asked.estimated_tokens for asked in play.asked) < 10_000


def test_one_summary_takes_at_most_five_hundred_and_twelve_tokens():
    """B07"""
    large = Provider(name="main", sdk="anthropic", model="model-a", max_output_tokens=8_192)
    play = summed(Rules(strategy="summary"), 40, 4_000, provider=large)

    assert {512} == {asked.max_output_tokens for asked in briefs(play)}


def test_no_summary_is_made_of_a_history_that_is_no_longer_than_what_stays():
    """B05: such a trim drops what does not fit, and asks nobody."""
    play = summed(Rules(max_tokens=10_000, hard_limit_tokens=12_000, keep_recent=10, strategy="summary"), 9, 2_500)

    assert [] == briefs(play)
    assert 0 < len(play.of(ev.ContextTrimmed))


def test_a_summary_that_fails_is_not_tried_again_for_the_same_trim():
    """B11: neither stop nor loop."""
    play = summed(SUMMED, 30, 800, Fault("server", 500))

    assert "done" == play.state.run.reason
    assert len(briefs(play)) == len(play.of(ev.ContextTrimmed)) > 3
    assert [] == play.of(ev.Retried)
    assert 0 == play.state.transcript.summary_tokens


def test_after_one_that_failed_the_next_trim_is_summarised_again():
    play = summed(SUMMED, 30, 800, Fault("overloaded", 529), Reply(BULLETS))
    first, second, *_ = play.of(ev.ContextTrimmed)

    assert ("", BULLETS) == (first.summary, second.summary)


def test_an_earlier_summary_survives_trims_without_one():
    play = summed(SUMMED, 30, 800, Reply(BULLETS), Fault("server", 500))

    assert [BULLETS] == [trim.summary for trim in play.of(ev.ContextTrimmed) if trim.summary]
    assert 0 < play.state.transcript.summary_tokens


def test_the_ledger_that_has_no_room_for_a_summary_lands_nothing():
    play = summed(SUMMED, 30, 800, Refused())

    assert "done" == play.state.run.reason
    assert [] == play.of(ev.BudgetCounted)
    assert [] == [decided for decided in play.of(ev.Decided) if decided.decision == "land"]


def test_a_summary_that_the_budget_cannot_pay_for_is_not_asked_for():
    play = summed(SUMMED, 30, 800)
    other = played_by(
        make_setup(
            policy(
                LITTLE,
                Provider(name="brief", sdk="openai", model="b", roles=("summary",)),
                context=SUMMED,
                **SAME_AGAIN,
            ),
            [contract("look")],
            prices={"main": None, "brief": Price((Rate(1e6, 1e6, 1e6, 1e6, 1e6),), "gold")},
        ),
        Briefed(18, [Reply(BULLETS)], {"look": [envelope.success("x" * 3_200)]}),
    )

    assert 0 < len(briefs(play))
    assert (0, "done") == (len(briefs(other)), other.state.run.reason)
    assert 0 < len(other.of(ev.ContextTrimmed))


def test_what_is_summarised_changes_nothing_of_the_answer_the_step_or_the_provider():
    """B03: it is no step and no reply."""
    play = summed(SUMMED, 30, 800)

    assert (31, "done") == (play.state.run.step, play.state.run.answer)
    assert 31 == play.state.budget.steps


def test_a_crash_while_a_summary_is_awaited_asks_for_it_again():
    """E19: and the run knows what it would have known."""
    rules = policy(LITTLE, context=SUMMED, budget=budget.Rules(max_steps=400), **SAME_AGAIN)
    setup = make_setup(rules, [contract("look")])
    play = Play(setup, Briefed(20, [Crash(), Reply(BULLETS)], {"look": [envelope.success("x" * 3_200)]}))
    with suppress(Crashed):
        play.run()
    play.resume()

    assert "done" == play.state.run.reason
    assert BULLETS == play.of(ev.ContextTrimmed)[0].summary


def test_the_wait_for_a_summary_in_hand_is_over_with_its_trim():
    asked_for = stamped(ev.ModelAsked("b", "id", "m", 1, "summary", 100, 50, 0, upto=7))
    came = ev.Stamped(
        "r", 9, "s", 0, 0.0, ev.ModelReplied("b", "id", "m", Usage(9, 9), 0, 1, "", "- x", (), "summary", 5)
    )
    state = after(started(300, 40), asked_for, came)

    assert (7, 9, 5, False) == (state.covers, state.summary, state.summary_tokens, state.unsummed)
    assert 340 == context.estimate(state)
    trimmed = after(stamped(ev.ContextTrimmed(100, 340, 2, 7, "- x", 5)), state=state)
    assert (0, 0, 0, False) == (trimmed.covers, trimmed.summary, trimmed.summary_tokens, trimmed.unsummed)


def test_all_summaries_take_a_tenth_of_what_a_trim_leaves():
    """D17"""
    assert 4_500 == context.summaries(Rules(), 75_000)
