"""The seams: the order in which guards speak, every stop and every text that the core gives."""

import re
from dataclasses import replace

import pytest

from agentctl.core import decisions as do
from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.decide import CUT, EMPTY, next_action
from agentctl.core.decide_call import CHANGED, DOUBT, before_tool, unknown_tool
from agentctl.core.decide_end import LANDING, RESUMED
from agentctl.core.guards import approval, args, budget, circuit, context, loops, results, retry, risk, tokens
from agentctl.core.guards.loops import Seen
from agentctl.core.inflight import CallState
from agentctl.core.messages import Usage
from agentctl.core.policy import Provider
from agentctl.core.setup import Call
from agentctl.core.state import Run, State
from agentctl.core.tiers import Tier
from tests.play import (
    MAIN,
    PRICE,
    SAME_AGAIN,
    SPARE,
    START,
    Asks,
    Crash,
    Crashed,
    Fault,
    Play,
    Refused,
    Reply,
    Says,
    Script,
    asks,
    call,
    contract,
    make_setup,
    played,
    policy,
    writer,
)

LOOK = contract("look")
SEND = writer("send")
FREE = risk.Rules(enabled=False)


def end(play: Play) -> tuple[str, str, int]:
    last = play.of(ev.Completed)[-1]
    return last.status, last.reason, last.exit_code


def decide(call_: Asks, state: State, *, at: CallState | None = None, digest: str = "", **tables):
    setup = make_setup(policy(**tables), [LOOK, SEND, contract("few", max_calls_per_session=1)])
    held = at or CallState("c1", call_.tool, "key")
    return before_tool(setup, state, Call(held, call_.args, "not json", digest), START)


def guard(decision: do.CallDecision) -> str:
    return decision.guard if isinstance(decision, do.RefuseCall) else type(decision).__name__


# --- Which guard speaks first ---------------------------------------------------------------------


def test_the_guards_speak_about_a_call_in_their_order():
    """C14, C71, D71: validation, loops, budgets, limits, health, risk; each only where the one before is silent."""
    landing = ev.Decided("before_model", "budget", "land", "max_steps", "note")
    seen = loops.State((Seen("key"),))
    broken = circuit.State({"tool:send": START + 60})
    used = results.State({"few": 1})
    spent = budget.State(tool_calls=100)
    told = []
    state = State(run=Run(landing=landing), loops=seen, budget=spent, results=used, circuit=broken)
    told.append(guard(decide(call("nothing", bad=1), state)))
    state = replace(state, run=Run())
    told.append(guard(decide(call("nothing", bad=1), state)))
    told.append(guard(decide(call("few", bad=1), state)))
    told.append(guard(decide(call("few"), state)))
    state = replace(state, loops=loops.State())
    told.append(guard(decide(call("few"), state)))
    state = replace(state, budget=budget.State())
    told.append(guard(decide(call("few"), state)))
    told.append(guard(decide(call("send"), state)))
    state = replace(state, circuit=circuit.EMPTY)
    told.append(guard(decide(call("send"), state)))
    told.append(guard(decide(call("look"), state)))

    order = ["budget", "args", "args", "loops", "budget", "results", "circuit", "AskPerson", "RunCall"]

    assert order == told


def test_a_model_call_is_checked_for_limits_then_health_then_size_then_money():
    """C14, D48, C72: all or none, before anything is sent."""
    setup = make_setup(policy(MAIN, tokens=tokens.Rules(enabled=False)))
    big = context.State(fresh=100_000)
    down = circuit.State({MAIN.name: START + 60})
    broke = budget.State(steps=20, spent_micro=1_500_000)
    state = State(context=big, circuit=down, budget=broke)
    first = next_action(setup, state, START, 0.0)
    state = replace(state, budget=replace(broke, steps=0))
    second = next_action(setup, state, START, 0.0)
    state = replace(state, circuit=circuit.EMPTY)
    third = next_action(setup, state, START, 0.0)
    state = replace(state, context=context.State(fresh=100))
    fourth = next_action(setup, state, START, 0.0)
    fifth = next_action(setup, replace(state, budget=budget.State()), START, 0.0)

    assert [
        ("Land", "max_steps"),
        ("Stop", "providers"),
        ("Stop", "context"),
        ("Land", "run_usd"),
        ("AskModel", ""),
    ] == [(type(one).__name__, getattr(one, "reason", "")) for one in (first, second, third, fourth, fifth)]


def test_a_request_says_all_that_the_loop_needs():
    """Reserved before it is sent, within what is left."""
    setup = make_setup(policy(MAIN))
    action = next_action(setup, State(context=context.State(fresh=1_000)), START, 0.0)

    assert (
        do.AskModel(
            "main",
            "answer",
            attempt=1,
            estimated_tokens=1_000,
            max_output_tokens=8_192,
            reserve_micro=PRICE.worst(2_301, 8_192),
            cap_micro=1_380_000,
            uncached_tokens=1_000,
        )
        == action
    )


def test_words_are_no_part_of_a_stop():
    assert do.Stop("failed", "x", 14, "one text") == do.Stop("failed", "x", 14, "another text")


# --- How a run ends -------------------------------------------------------------------------------


def test_an_answer_completes_the_run_with_zero():
    play = played(policy(), Script([Reply("fine")]))

    assert ("completed", "done", 0) == end(play)
    assert "fine" == play.of(ev.Completed)[0].answer


def test_a_refusal_ends_it_with_eighteen_and_the_reason():
    play = played(policy(MAIN, SPARE), Script([Reply(stop="refusal", refusal="it is harmful")]))

    assert ("failed", "refusal", 18) == end(play)
    assert "The model refused to answer: it is harmful" == play.of(ev.Completed)[0].message
    assert "The model refused to answer" == played(policy(), Script([Reply(stop="refusal")])).events[-1].event.message


@pytest.mark.parametrize(
    ("reason", "tables"),
    [
        ("max_steps", {"budget": budget.Rules(max_steps=2)}),
        ("max_tool_calls", {"budget": budget.Rules(max_tool_calls=2)}),
        ("max_tool_errors", {"budget": budget.Rules(max_tool_errors=2)}),
        ("max_wall_s", {"budget": budget.Rules(max_wall_s=2.0)}),
        ("run_usd", {"budget": budget.Rules(run_usd=0.03)}),
        ("tokens", {"tokens": tokens.Rules(total=2_500)}),
    ],
)
def test_every_limit_of_a_run_ends_it_with_ten_after_a_last_answer(reason, tables):
    """E14, C84: it surrenders gracefully and returns what it has."""
    wrong = {"look": [envelope.permanent("no such order")]}
    turns = [asks(call("look", q=n), usage=Usage(300, 20)) for n in range(30)]
    script = LandingScript(turns, wrong)
    play = played(policy(**tables), script, LOOK)
    landed = [one for one in play.of(ev.Decided) if one.decision == "land"]

    assert ("stopped", reason, 10) == end(play)
    assert [reason] == [one.reason for one in landed]
    assert LANDING.format(reason=reason) == landed[0].text
    assert "landing" == play.asked[-1].purpose
    assert "what I found" == play.of(ev.Completed)[0].answer


def test_a_limit_never_ends_a_run_with_zero():
    play = played(policy(budget=budget.Rules(max_steps=1)), LandingScript([asks(call("look"))]), LOOK)

    assert 0 != play.of(ev.Completed)[-1].exit_code


def test_a_limit_that_leaves_no_room_for_a_last_answer_stops_without_one():
    rules = budget.Rules(run_usd=0.001)
    play = played(policy(budget=rules), Script([Reply("x")]))

    assert ("stopped", "run_usd", 10) == end(play)
    assert [] == play.asked
    assert re.fullmatch(r"run_usd limit exceeded: \$0\.00 \+ \$0\.0\d{3} > \$0\.00", play.of(ev.Completed)[0].message)


def test_a_refused_reservation_ends_the_run_under_the_name_of_the_limit():
    """G9: the lowest wins and is named."""
    play = played(policy(), Script([Refused("session_usd", 0.45, 0.50)]))

    assert ("stopped", "session_usd", 10) == end(play)
    assert play.of(ev.Completed)[0].message.startswith("session_usd limit exceeded: $0.45 + $")
    assert play.of(ev.Completed)[0].message.endswith(" > $0.50")


def test_a_model_that_calls_tools_although_it_may_not_is_stopped_after_one_last_answer():
    """B24: the landing is one call, whatever it says."""
    play = played(policy(budget=budget.Rules(max_steps=2)), Script([asks(call("look", q=1))]), LOOK)

    assert ["answer", "answer", "landing"] == [one.purpose for one in play.asked]
    assert ("stopped", "max_steps", 10) == end(play)
    assert "LIMIT" == play.answers[-1].code


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"budget": budget.Rules(max_steps=3)}, "max_steps"),
        ({"budget": budget.Rules(run_usd=0.025)}, "run_usd"),
        ({"budget": budget.Rules(max_tool_calls=2)}, "max_tool_calls"),
        ({"tokens": tokens.Rules(total=2_000)}, "tokens"),
        ({}, "no_progress"),
        ({"budget": budget.Rules(max_steps=3, max_tool_calls=2)}, "max_tool_calls"),
    ],
)
def test_all_stops_stand_in_one_row_and_the_first_one_reached_names_the_end(tables, reason):
    """A33, A82: the same run, under each limit alone and under two at once."""
    nothing = {"look": [envelope.success({"results": []})]}
    play = played(policy(**tables), Script([asks(call("look", q=n)) for n in range(50)], nothing), LOOK)

    assert ("stopped", reason) == end(play)[:2]


def test_the_night_of_a_tool_that_always_times_out_is_short():
    """D15, E34"""
    stuck = {"look": [envelope.timed_out(5)]}
    turns = [asks(call("look", q=n)) for n in range(1_000)]
    play = played(policy(), Script(turns, stuck), LOOK)

    assert play.state.budget.steps <= 20
    assert play.state.budget.spent_micro <= 500_000


# --- Replies that are no answer -------------------------------------------------------------------


def test_a_cut_reply_goes_on_where_it_stopped_and_both_parts_are_the_answer():
    play = played(
        policy(), Script([Reply("one ", stop="max_tokens"), Reply("two ", stop="max_tokens"), Reply("three")])
    )

    assert ("completed", "one two three") == (end(play)[0], play.state.run.answer)
    assert [CUT, CUT] == [one.text for one in play.said]
    assert 3 == play.state.budget.steps


def test_a_model_that_never_comes_to_an_end_runs_into_its_steps():
    play = played(policy(budget=budget.Rules(max_steps=4)), Script([Reply("on ", stop="max_tokens")]))

    assert ("stopped", "max_steps", 10) == end(play)
    assert 5 == len(play.asked)


def test_an_empty_reply_is_nudged_once():
    play = played(policy(), Script([Reply(""), Reply("here")]))

    assert [EMPTY] == [one.text for one in play.said]
    assert ("done", "here") == (play.state.run.reason, play.state.run.answer)


def test_a_second_empty_reply_is_no_answer_and_no_success():
    play = played(policy(), Script([Reply("")]))

    assert ("failed", "output", 15) == end(play)
    assert (2, [EMPTY]) == (len(play.asked), [one.text for one in play.said])


def test_white_space_is_an_empty_reply():
    assert [EMPTY] == [one.text for one in played(policy(), Script([Reply(" \n"), Reply("x")])).said]


def test_a_paused_turn_is_asked_on_without_a_word():
    play = played(policy(), Script([Reply("so far", stop="pause"), Reply("done")]))

    assert (2, []) == (len(play.asked), play.said)
    assert "done" == play.state.run.reason


def test_a_limit_that_is_reached_while_a_turn_is_paused_still_gets_its_last_answer():
    play = played(policy(budget=budget.Rules(max_steps=1)), Script([Reply("so far", stop="pause"), Reply("landed")]))

    assert ["answer", "landing"] == [one.purpose for one in play.asked]
    assert "landed" == play.state.run.answer


def test_a_reply_that_ran_out_of_window_is_trimmed_for_and_goes_on():
    history = [asks(call("look", q=n)) for n in range(6)]
    script = Script(
        [*history, Reply("half", stop="context_exceeded"), Reply(" whole")],
        {"look": [envelope.success("x" * 2_000)]},
    )
    play = played(policy(context=context.Rules(keep_recent=1), **SAME_AGAIN), script, LOOK)

    assert ("half whole", [CUT]) == (play.state.run.answer, [one.text for one in play.said])
    assert 1 == len(play.of(ev.ContextTrimmed))


# --- Failures of a model call ---------------------------------------------------------------------


def test_a_failed_call_waits_before_it_is_made_again():
    play = Play(make_setup(policy(MAIN)), Script([Fault("server", 500), Reply("x")]))
    play.run()
    names = [type(one.decision).__name__ for one in play.made]

    assert ["AskModel", "Retry", "Sleep", "AskModel", "Stop"] == names


def test_all_providers_down_end_it_with_fourteen_and_say_so():
    """C26"""
    play = played(policy(MAIN, SPARE), Script([Fault("connection")]))
    message = play.of(ev.Completed)[0].message

    assert ("failed", "providers", 14) == end(play)
    assert "Max retries exceeded: no provider is left (main: failed; spare: failed)" == message
    assert 8 == len(play.asked)


def test_no_provider_with_a_key_ends_it_with_fourteen():
    play = played(policy(MAIN), Script(), ready=[])

    assert ("failed", "providers", 14) == end(play)
    assert "main: no key" in play.of(ev.Completed)[0].message


def test_a_failure_while_landing_is_tried_again_like_any_other():
    script = Script([asks(call("look")), Fault("server", 500), Reply("landed")])
    play = played(policy(MAIN, budget=budget.Rules(max_steps=1)), script, LOOK)

    assert ["answer", "landing", "landing"] == [one.purpose for one in play.asked]
    assert ("stopped", "max_steps", 10) == end(play)


def test_a_run_that_reaches_its_limit_while_it_waits_lands_all_the_same():
    script = Script([Fault("server", 500, took=10.0), Reply("landed")])
    play = played(policy(MAIN, budget=budget.Rules(max_wall_s=5.0)), script)

    assert ["answer", "landing"] == [one.purpose for one in play.asked]
    assert ("stopped", "max_wall_s", 10) == end(play)


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        (Fault("server", 500), 4),
        (Fault("timeout"), 4),
        (Fault("rate_limit", 429), 4),
        (Fault("quota", 429), 1),
        (Fault("auth", 401), 1),
        (Fault("invalid", 400), 1),
        (Fault("server", 501), 1),
        (Fault("rate_limit", 429, retry_after=120.0), 1),
    ],
)
def test_how_often_a_provider_is_asked_depends_on_why_it_failed(fault, asked):
    """E04"""
    assert asked == len(played(policy(MAIN), Script([fault])).asked)


def test_a_clock_that_was_set_back_is_not_waited_for():
    """E04: a delay that seems longer than any delay is over."""
    play = Play(make_setup(policy(MAIN)), Script([Fault("server", 500), Reply("All done.")]))
    setback = [3_600.0]

    def watch(play: Play, stamped: ev.Stamped) -> None:
        if isinstance(stamped.event, ev.Retried) and setback:
            play.now -= setback.pop()

    play.watch = watch
    began = play.now
    play.run()

    assert play.now <= began
    assert 2 == len(play.asked)


# --- Tool calls -----------------------------------------------------------------------------------


def test_an_unknown_tool_is_answered_with_the_nearest_ones():
    """D08"""
    play = played(policy(), Script([asks(call("lok")), Reply("done")]), LOOK, contract("book"), contract("zip"))
    answer = play.answers[0]

    assert ("Unknown tool: lok.", "UNKNOWN_TOOL") == (answer.result["message"], answer.code)
    assert "Nearest tools: look, book. Use one of these or answer." == answer.result["hint"]
    assert ("permanent", False, "completed") == (answer.error_type, answer.retry_safe, play.state.run.status)


def test_a_name_that_is_near_nothing_gets_some_names_and_a_long_one_is_cut():
    """D08"""
    assert "Nearest tools: a, b, c. Use one of these or answer." == unknown_tool("zzz", ("c", "b", "a", "d")).hint
    assert "Nearest tools: none. Use one of these or answer." == unknown_tool("zzz", ()).hint
    assert len(unknown_tool("z" * 10_000, ("a",)).message) < 120


def test_a_tool_is_known_by_its_wire_name_too():
    play = played(policy(), Script([asks(call("fs__read")), Reply("x")]), contract("fs.read"))

    assert ["fs.read"] == [one.tool for one in play.of(ev.ToolStarted)]


def test_identical_calls_of_one_step_run_once_and_share_the_result():
    """D64: three times the same, one run."""
    play = played(policy(), Script([asks(*[call("look", q=1)] * 3), Reply("done")]), LOOK)
    first = play.answers[0].call_id

    assert 1 == len(play.of(ev.ToolStarted))
    assert ["", first, first] == [one.shared_with for one in play.answers]
    assert [True, False, False] == [one.ran for one in play.answers]


def test_calls_of_one_step_that_only_mean_the_same_run_each_and_are_no_loop():
    """`README` may be another file than `readme`; the next step would be told that it goes in circles."""
    both = asks(call("look", q="A b"), call("look", q="a  B"))
    play = played(policy(), Script([both, asks(call("look", q="a b")), Reply("x")]), LOOK)

    assert 2 == len(play.of(ev.ToolStarted))
    assert [None, None, "LOOP"] == [one.code for one in play.answers]


def test_a_person_is_asked_once_about_identical_calls():
    twice = asks(call("send", to="a"), call("send", to="a"))
    play = played(policy(), Script([twice, Reply("ok")], people=[Says("deny", "no"), Says("approve")]), SEND)

    assert 1 == len(play.of(ev.ApprovalRequested))
    assert [] == play.of(ev.ToolStarted)
    assert ["DENIED", "DENIED"] == [one.code for one in play.answers]


def test_independent_calls_of_one_step_all_run():
    play = played(policy(), Script([asks(*[call("look", q=n) for n in range(3)]), Reply("x")]), LOOK)

    assert 3 == len(play.of(ev.ToolStarted))
    assert 2 == play.state.budget.steps


def test_tools_are_not_run_once_the_run_is_landing():
    landing = ev.Decided("before_model", "budget", "land", "max_steps", "note")
    refused = decide(call("look"), State(run=Run(landing=landing)))

    assert isinstance(refused, do.RefuseCall)
    assert "Not run: max_steps is reached." == refused.envelope.message
    assert ("LIMIT", False) == (refused.envelope.code, refused.envelope.retry_safe)


def test_an_approved_call_is_judged_again_when_it_runs():
    """D70: checked again at the moment of execution."""
    digest = "of the exact action"
    approved = CallState("c1", "send", "key", phase="approved", approved=True, approved_at=START, digest=digest)
    seen = loops.State((Seen("key"),))

    assert isinstance(decide(call("send"), State(), at=approved, digest=digest), do.RunCall)
    drifted = do.AskPerson(Tier.MEDIUM, CHANGED.format(drift="tool, arguments or policy"))
    assert drifted == decide(call("send"), State(), at=approved, digest="another")
    assert "args" == guard(decide(call("send", bad=1), State(), at=approved))
    assert "loops" == guard(decide(call("send"), State(loops=seen), at=approved))


def test_a_denied_call_is_answered_with_the_persons_reason():
    """B42"""
    denied = CallState("c1", "send", "key", phase="denied", why="too risky")
    refused = decide(call("send"), State(), at=denied)

    assert do.RefuseCall("approval", approval.denied("send", "too risky")) == refused


def test_a_halt_refuses_the_other_calls_and_a_resume_may_make_them_again():
    rules = loops.Rules(on_loop="halt")
    replies = [asks(call("look", q=1)), asks(call("look", q=1), call("look", q=2)), Reply("so far")]
    play = played(policy(loops=rules), Script([*replies, asks(call("look", q=2)), Reply("done")]), LOOK)
    first = play.of(ev.Completed)[-1]
    stop = play.resume()

    assert ("loop", 11, "so far") == (first.reason, first.exit_code, first.answer)
    assert [None, "LOOP", "LIMIT", None] == [one.code for one in play.answers]
    assert ("done", 2) == (stop.reason, len(play.of(ev.ToolStarted)))


# --- Crash and resume -----------------------------------------------------------------------------


def test_a_run_that_died_in_a_model_call_goes_on_and_has_paid_for_it():
    play = Play(make_setup(policy(MAIN)), Script([Crash(), Reply("done")]))
    with pytest.raises(Crashed):
        play.run()
    stop = play.resume()

    assert "done" == stop.reason
    assert play.state.budget.spent_micro > play.asked[0].reserved_micro


def test_a_harmless_call_that_was_in_flight_is_made_again():
    script = Script([asks(call("look")), Reply("done")], {"look": [Crash(), envelope.success("ok")]})
    play = Play(make_setup(policy(), [LOOK]), script)
    with pytest.raises(Crashed):
        play.run()
    stop = play.resume()

    assert ("done", [1, 2]) == (stop.reason, [one.attempt for one in play.of(ev.ToolStarted)])
    assert [] == play.of(ev.LoopSeen)


def test_a_call_in_doubt_is_not_made_again_without_a_person_however_often_the_run_is_resumed():
    """D122: No double charge."""
    script = Script([asks(call("send")), Reply("done")], {"send": [Crash(), envelope.success("ok")]}, people=[None])
    play = Play(make_setup(policy(risk=FREE), [SEND]), script)
    with pytest.raises(Crashed):
        play.run()
    stops = [play.resume(), play.resume(), play.resume()]

    assert ["unknown_outcome"] * 3 == [stop.reason for stop in stops]
    assert [DOUBT] == [one.rule for one in play.of(ev.ApprovalRequested)]
    assert 1 == len(play.of(ev.ToolStarted))


def test_a_call_in_doubt_that_a_person_will_not_repeat_says_that_nobody_knows():
    script = Script([asks(call("send")), Reply("done")], {"send": [Crash()]}, people=[Says("deny", "it is there")])
    play = Play(make_setup(policy(risk=FREE), [SEND]), script)
    with pytest.raises(Crashed):
        play.run()
    stop = play.resume()
    answer = play.answers[0]

    assert ("done", "UNKNOWN_OUTCOME", False) == (stop.reason, answer.code, answer.retry_safe)
    assert "The outcome of send is unknown and it was not run again. Reason: it is there" == answer.result["message"]


def test_a_run_that_was_stopped_by_a_limit_goes_on_where_it_was():
    script = LandingScript([asks(call("look", q=1)), asks(call("look", q=2)), Reply("the answer")])
    play = Play(make_setup(policy(budget=budget.Rules(max_steps=1)), [LOOK]), script)
    play.run()
    stop = play.resume(add_steps=5)

    assert ("completed", "done", "the answer") == (stop.status, stop.reason, play.state.run.answer)
    assert RESUMED == play.said[-1].text
    assert 3 == play.state.budget.steps


def test_a_resume_that_raises_nothing_stops_at_the_same_limit():
    script = LandingScript([asks(call("look", q=1)), asks(call("look", q=2))])
    play = Play(make_setup(policy(budget=budget.Rules(max_steps=1)), [LOOK]), script)
    play.run()
    stop = play.resume()

    assert ("stopped", "max_steps", 10) == (stop.status, stop.reason, stop.exit_code)
    assert 1 == play.state.budget.steps


def test_a_run_that_a_person_stopped_too_often_can_be_gone_on_with():
    many = [asks(call("send", n=n)) for n in range(3)]
    play = Play(make_setup(policy(), [SEND]), Script([*many, Reply("ok")], people=[Says("deny")]))
    play.run()
    stop = play.resume()

    assert "done" == stop.reason


# --- What is asked for depends on what is left ----------------------------------------------------


def test_a_small_provider_never_reserves_more_than_it_says():
    little = Provider(name="main", sdk="anthropic", model="m", max_output_tokens=64)

    assert [64] == [one.max_output_tokens for one in played(policy(little), Script()).asked]


def test_cached_input_costs_no_tokens_of_the_run():
    cached = Usage(input=10, output=20, cache_read=4_000)
    turns = [asks(call("look", q=n), usage=cached) for n in range(10)]
    play = played(policy(tokens=tokens.Rules(total=14_000)), Script([*turns, Reply("x", usage=cached)]), LOOK)

    assert ("done", 330) == (play.state.run.reason, play.state.tokens.used)


def test_an_unknown_price_reserves_nothing_and_the_run_goes_on():
    play = played(policy(), Script([Reply("x")]), prices={"main": None})

    assert (0, 0, "done") == (play.asked[0].reserved_micro, play.state.budget.spent_micro, play.state.run.reason)


@pytest.mark.parametrize(
    "rules",
    [args.Rules(), loops.Rules(), results.Rules(), retry.Rules(), context.Rules(), tokens.Rules(), circuit.Rules()],
    ids=lambda rules: type(rules).__module__.rpartition(".")[2],
)
def test_every_guard_of_the_first_issue_is_on_by_default(rules):
    """B55, C70"""
    assert rules.enabled


class LandingScript(Script):
    """Plays its replies for answers, and one text for landings."""

    def model(self, asked):
        return Reply("what I found") if asked.purpose == "landing" else super().model(asked)


# --- in doubt ---


def in_doubt(**contract_changes):
    """A call that was started by a driver that died, and the setup that another one finds."""
    tool = writer("send", fallback_tool="look", **contract_changes)
    script = Script([asks(call("send")), Reply("done")], {"send": [Crash()]}, people=[None])
    play = Play(make_setup(policy(risk=FREE), [tool, LOOK]), script)
    with pytest.raises(Crashed):
        play.run()
    (at,) = play.state.inflight.calls
    return play, play.call(at)


def test_what_may_have_happened_is_never_said_not_to_have_been():
    """E30: circuit open or tool gone, the model hears that nobody knows, and no other tool stands in."""
    play, at = in_doubt(recovery="same_key")
    down = replace(play.state, circuit=circuit.State({"tool:send": play.now + 60}))
    gone = replace(play.setup, contracts={})

    for setup, state in ((play.setup, down), (gone, play.state)):
        decision = before_tool(setup, state, at, play.now)
        assert isinstance(decision, do.RefuseCall)
        assert ("UNKNOWN_OUTCOME", False) == (decision.envelope.code, decision.envelope.retry_safe)
        assert "is unknown and it was not run again" in decision.envelope.message


def test_a_limit_that_was_reached_meanwhile_does_not_settle_a_doubt():
    """E30: a person is asked first, also where the run is about to end."""
    play, at = in_doubt()
    ended = replace(play.state, loops=replace(play.state.loops, halted="loop"))

    decision = before_tool(play.setup, ended, at, play.now)

    assert isinstance(decision, do.AskPerson)
    assert decision.person


def test_what_works_over_the_network_is_given_its_time_whoever_died():
    """E30: nobody here can end it, also where the driver is known to be gone."""
    play, at = in_doubt(remote=True)
    play.record(ev.Resumed(len(play.events), "tests"))
    (there,) = play.state.inflight.calls
    began = there.started_at

    assert (began, began + 5.0) == (there.started_at, there.quiet[1])
    assert isinstance(before_tool(play.setup, play.state, replace(at, state=there), began + 1), do.Sleep)
    assert isinstance(before_tool(play.setup, play.state, replace(at, state=there), began + 6), do.AskPerson)


def test_nobody_is_asked_while_an_earlier_driver_may_be_at_work():
    """E30: not a person, not a program, and it is not run again either."""
    for recovery, after in (("ask", do.AskPerson), ("reconcile", do.Verify), ("same_key", do.RunCall)):
        play, at = in_doubt(recovery=recovery, verify=("known",))
        quiet = replace(at, state=replace(at.state, quiet=(play.now, play.now + 35)))

        assert do.Sleep(35) == before_tool(play.setup, play.state, quiet, play.now)
        assert do.Sleep(1) == before_tool(play.setup, play.state, quiet, play.now + 34)
        assert isinstance(before_tool(play.setup, play.state, quiet, play.now + 36), after)
        # The clock was set back by an hour since: how long it has been nobody can tell.
        assert isinstance(before_tool(play.setup, play.state, quiet, play.now - 3600), after)
