"""The same call again and again: said so once, then stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import loops
from agentctl.core.guards.loops import Rules, Seen, State
from tests.play import Reply, Script, asks, call, contract, played, policy, writer

SAME = asks(call("look", q="orders"))
REFLECTION = (
    "You've called the same tool with the same arguments multiple times. This approach isn't working. "
    "Try a different strategy or conclude with what you know."
)
FREE = {"risk": policy().risk.__class__(enabled=False)}


def seen(keys: str, *, waits: str = "", effect: str = "", refused: tuple[int, ...] = (), unread: int = 0) -> State:
    """One answered call per letter; those in `waits` may be tried again, those in `effect` changed something."""
    calls = (Seen(key, key in waits, key in effect, at in refused) for at, key in enumerate(keys))
    return State(tuple(calls), unread=unread)


def repeat(state: State, key: str = "a", rules: Rules | None = None, *, pollable: bool = False):
    found = loops.check(rules or Rules(), state, key, pollable=pollable)
    return None if found is None else (found.kind, found.count)


def test_the_second_identical_call_in_a_row_is_a_repeat():
    """E16, G1"""
    assert None is repeat(seen(""))
    assert ("consecutive", 2) == repeat(seen("a"))


def test_the_third_identical_call_within_the_window_is_a_repeat():
    """A32, B22, B64"""
    assert None is repeat(seen("ab"))
    assert ("window", 3) == repeat(seen("abab"))


def test_the_window_is_eight_calls():
    """A32, B23"""
    assert ("window", 3) == repeat(seen("acabcde"[:7]))
    assert None is repeat(seen("a" + "bcadefg"))
    assert ("window", 3) == repeat(seen("abcadef"))


@pytest.mark.parametrize("cycle", ["ab", "abc", "acb"])
def test_cycles_of_different_calls_are_found(cycle):
    """H8 and B21: on tool and arguments, whatever stands in between."""
    assert ("window", 3) == repeat(seen(cycle * 2))


def test_a_short_cycle_is_found_in_a_window_that_holds_it():
    assert ("window", 3) == repeat(seen("abcdabcd"), rules=Rules(window=9))
    assert ("window", 2) == repeat(seen("abcd"), rules=Rules(max_repeats=2))


@pytest.mark.parametrize("length", range(4, 9))
def test_a_cycle_is_found_up_to_the_length_of_the_window(length):
    """H8, C05: a cycle of four has no call three times within eight, and goes round all the same."""
    cycle = "abcdefghijkl"[:length]

    assert None is repeat(seen(cycle + cycle[:-1]), cycle[-1])
    assert ("cycle", 3) == repeat(seen(cycle * 2))
    assert ("cycle", 3) == repeat(seen("xyz" + cycle * 2))
    assert None is repeat(seen(cycle * 2), "z")
    assert length == loops.check(Rules(), seen(cycle * 2), "a", pollable=False).window


def test_a_cycle_longer_than_the_window_is_none():
    assert None is repeat(seen("abcdefghi" * 2))
    assert ("cycle", 3) == repeat(seen("abcdefghi" * 2), rules=Rules(window=9))


def test_a_round_that_differs_is_no_cycle():
    """G1: what is new in between is another try."""
    assert None is repeat(seen("abcdabxd"))
    assert None is repeat(seen("abcdacbd"))


def test_as_many_rounds_are_allowed_as_repeats():
    assert None is repeat(seen("abcde" * 2), rules=Rules(max_repeats=4))
    assert ("cycle", 4) == repeat(seen("abcde" * 3), rules=Rules(max_repeats=4))


def test_one_round_alone_is_no_cycle():
    assert None is repeat(seen("abcdefgh"), rules=Rules(max_repeats=2))


def test_a_cycle_that_waits_for_something_is_none():
    """G1, D02: a round in which a result may be tried again is polling."""
    assert None is repeat(seen("abcde" * 2, waits="c"))


def test_a_cycle_in_which_something_is_changed_is_none():
    """G1"""
    assert None is repeat(seen("abcde" * 2, effect="c"))
    assert ("cycle", 3) == repeat(seen("abcde" * 2, effect="a"))


def test_who_goes_on_in_a_cycle_although_told_is_halted():
    """G2"""
    told = seen("abcdeabcdea", refused=(10,))
    beside = seen("abcdeabcdea", refused=(10,), unread=1)

    assert ("cycle", 3) == repeat(told, "b")
    assert loops.check(Rules(), told, "b", pollable=False).halt
    assert not loops.check(Rules(), beside, "b", pollable=False).halt, "another call of the same reply"


@given(st.integers(2, 8), st.integers(2, 5), st.text("abcdefgh", max_size=9))
def test_any_cycle_ends_at_its_last_allowed_round(length, repeats, before):
    """H8: whatever came before it."""
    rules = Rules(max_repeats=repeats, consecutive=99)
    cycle, state = "ABCDEFGH"[:length], seen(before)
    for at in range(length * (max(repeats, 3) - 1) + 1):
        key = cycle[at % length]
        found = loops.check(rules, state, key, pollable=False)
        if found is not None:
            break
        state = State((*state.seen, Seen(key)))
    else:
        raise AssertionError("it went round and round")


def test_a_call_after_a_result_that_may_be_tried_again_is_no_repeat():
    """G1, D02: pending is not stuck."""
    assert None is repeat(seen("aaa", waits="a"))


def test_a_call_after_something_changed_is_no_repeat():
    """G1"""
    assert None is repeat(seen("ababw", effect="w"))
    assert ("consecutive", 2) == repeat(seen("abwa", effect="w"))


def test_an_effect_that_is_repeated_is_a_repeat():
    assert ("consecutive", 2) == repeat(seen("w", effect="w"), "w")


def test_a_pollable_tool_may_ask_again():
    """G1"""
    assert None is repeat(seen("aaaaaaa"), pollable=True)


def test_the_guard_can_be_off():
    assert None is repeat(seen("aaaa"), rules=Rules(enabled=False))


def test_each_detector_can_be_turned_up_alone():
    assert None is repeat(seen("aa"), rules=Rules(consecutive=9, max_repeats=9))
    assert ("window", 3) == repeat(seen("aa"), rules=Rules(consecutive=9))
    assert ("consecutive", 2) == repeat(seen("a"), rules=Rules(max_repeats=9))


def test_a_loop_is_reflected_once_and_then_halts():
    """G2, B54"""
    state = State((Seen("a"),), ("a",))
    first = loops.check(Rules(), seen("a"), "a", pollable=False)
    ignored = loops.check(Rules(), state, "a", pollable=False)

    assert "reflect_then_halt" == Rules().on_loop
    assert first is not None
    assert not first.halt
    assert ignored is not None
    assert ignored.halt


@pytest.mark.parametrize(("on_loop", "halts"), [("reflect", [False, False]), ("halt", [True, True])])
def test_what_a_loop_leads_to_can_be_chosen(on_loop, halts):
    told = State((Seen("a"),), ("a",))
    found = [loops.check(Rules(on_loop=on_loop), state, "a", pollable=False) for state in (seen("a"), told)]

    assert halts == [one is not None and one.halt for one in found]


# --- In a run -------------------------------------------------------------------------------------


def test_the_reflection_is_the_calls_result_and_the_run_goes_on():
    """B25, B26"""
    play = played(policy(), Script([SAME, SAME, Reply("I give up")]), contract("look"))
    end = play.answers[-1]

    assert REFLECTION == end.result["message"]
    assert ("permanent", False, "LOOP", False) == (end.error_type, end.retry_safe, end.code, end.ran)
    assert ("done", "I give up") == (play.state.run.reason, play.state.run.answer)


def test_a_repeat_is_not_run():
    """A38"""
    play = played(policy(), Script([SAME]), contract("look"))

    assert 1 == len(play.of(ev.ToolStarted))


def test_an_ignored_reflection_ends_the_run_with_eleven():
    """A39, A40, C01"""
    play = played(policy(), Script([SAME]), contract("look"))
    end = play.of(ev.Completed)[-1]
    message = "look was called 2 times with the same arguments"

    assert ("stopped", "loop", 11) == (end.status, end.reason, end.exit_code)
    assert f"Could not complete: {message}. Please try a more specific query." == end.message
    assert ["answer"] * 3 + ["landing"] == [one.purpose for one in play.asked]


def test_a_loop_ends_with_an_answer_whatever_led_to_it():
    """E14, E24: also where the policy halts at once."""
    halts = {"loops": Rules(on_loop="halt")}
    play = played(policy(**halts), Script([SAME, SAME, Reply("this is how far I came")]), contract("look"))

    assert ("loop", "this is how far I came") == (play.state.run.reason, play.state.run.answer)
    assert ["answer", "answer", "landing"] == [one.purpose for one in play.asked]


def test_the_other_calls_of_a_reply_that_ends_the_run_are_not_run():
    both = asks(call("look", q=1), call("find", q=2))
    play = played(
        policy(loops=Rules(on_loop="halt")),
        Script([both, both, both, Reply("so far")]),
        contract("look"),
        contract("find"),
    )

    assert ["look", "find"] * 2 == [one.tool for one in play.of(ev.ToolStarted)]
    assert ["LOOP", "LIMIT"] == [end.code for end in play.answers[4:]]


def test_a_resumed_run_is_told_once_again_before_it_ends_again():
    play = played(policy(), Script([*[SAME] * 3, Reply("so far"), SAME, Reply("done")]), contract("look"))
    play.resume()

    assert ("done", "done") == (play.state.run.reason, play.state.run.answer)
    assert [False, True, False] == [one.halt for one in play.of(ev.LoopSeen)]


def test_a_cycle_of_five_in_a_run_is_reflected_on_and_ended():
    """B21, C44: five calls in a circle, none of them three times within eight."""
    turns = [asks(call("look", q=n)) for n in (1, 2, 3, 4, 5)]
    play = played(policy(), Script([*turns, *turns, *turns[:2], Reply("so far")]), contract("look"))

    assert 10 == len(play.of(ev.ToolStarted))
    assert [("cycle", 3, 5, False), ("cycle", 3, 5, True)] == [
        (one.kind, one.count, one.window, one.halt) for one in play.of(ev.LoopSeen)
    ]
    assert play.of(ev.Completed)[-1].message.startswith("Could not complete: the same 5 calls came again and again")


def test_each_loop_that_is_seen_is_an_event():
    """C13"""
    play = played(policy(), Script([SAME]), contract("look"))

    first = ev.LoopSeen("consecutive", "look", 2, 8)

    assert [first, ev.LoopSeen("consecutive", "look", 2, 8, halt=True)] == play.of(ev.LoopSeen)


def test_the_same_error_again_without_noticing_is_a_loop():
    """B62, B63"""
    play = played(policy(), Script([SAME], {"look": [envelope.permanent("no such order")]}), contract("look"))

    assert ("loop", 1) == (play.state.run.reason, len(play.of(ev.ToolStarted)))


def test_writing_and_looking_again_is_work():
    turns = [
        asks(call("look")),
        asks(call("save", n=1)),
        asks(call("look")),
        asks(call("save", n=2)),
        asks(call("look")),
    ]
    play = played(policy(**FREE), Script([*turns, Reply("done")]), contract("look"), writer("save"))

    assert 5 == len(play.of(ev.ToolStarted))
    assert [] == play.of(ev.LoopSeen)


def test_a_refused_effect_changed_nothing():
    """G1: only what ran can have changed something."""
    tight = {"results": policy().results.__class__()}
    turns = [
        asks(call("look")),
        asks(call("save", n=1)),
        asks(call("look")),
        asks(call("save", n=2)),
        asks(call("look")),
    ]
    limited = writer("save", max_calls_per_session=0)
    play = played(policy(**FREE, **tight), Script([*turns, Reply("done")]), contract("look"), limited)

    assert [("window", 3)] == [(one.kind, one.count) for one in play.of(ev.LoopSeen)]


def test_identical_calls_of_one_step_are_no_loop():
    play = played(policy(), Script([asks(*[call("look", q=1)] * 3), Reply("done")]), contract("look"))

    assert [] == play.of(ev.LoopSeen)
    assert 1 == len(play.of(ev.ToolStarted))


def test_retries_of_one_call_are_no_loop():
    broken = {"look": [envelope.transient("it broke")]}
    play = played(policy(), Script([SAME, Reply("done")], broken), contract("look"))

    assert 3 == len(play.of(ev.ToolStarted))
    assert [] == play.of(ev.LoopSeen)


def test_what_is_remembered_is_bounded():
    state = State()
    for n in range(500):
        event = ev.ToolFinished("c", "look", "error", None, False, 1, {}, 1, "LOOP" if n % 2 else None, str(n))
        state = loops.apply(state, ev.Stamped("r", n, "s", 0, 0.0, event))

    assert (loops.MOST_SEEN, loops.MOST_SEEN) == (len(state.seen), len(state.reflected))
    assert 2 * 64 < loops.MOST_SEEN, "two rounds of the longest cycle"
