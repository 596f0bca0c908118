"""The same call again and again: said so once, then stopped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import loops
from agentctl.core.guards.loops import Rules, Seen, State, canonical_bytes
from tests.play import Asks, Reply, Script, asks, call, contract, key_of, played, policy, writer

SAME = asks(call("look", q="orders"))
REFLECTION = (
    "You've called the same tool with the same arguments multiple times. This approach isn't working. "
    "Try a different strategy or conclude with what you know."
)
FREE = {"risk": policy().risk.__class__(enabled=False)}


def seen(keys: str, *, safe: str = "", effect: str = "") -> State:
    """One answered call per letter; those in `safe` may be tried again, those in `effect` changed something."""
    return State(tuple(Seen(key, key in safe, key in effect) for key in keys))


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


def test_a_cycle_of_four_is_found_in_a_window_that_holds_it():
    assert ("window", 3) == repeat(seen("abcdabcd"), rules=Rules(window=9))
    assert ("window", 2) == repeat(seen("abcd"), rules=Rules(max_repeats=2))


def test_a_call_after_a_result_that_may_be_tried_again_is_no_repeat():
    """G1, D02: pending is not stuck."""
    assert None is repeat(seen("aaa", safe="a"))


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
    """G2"""
    state = State((Seen("a", retry_safe=False, effect=False),), ("a",))
    first = loops.check(Rules(), seen("a"), "a", pollable=False)
    ignored = loops.check(Rules(), state, "a", pollable=False)

    assert "reflect_then_halt" == Rules().on_loop
    assert first is not None
    assert not first.halt
    assert ignored is not None
    assert ignored.halt


@pytest.mark.parametrize(("on_loop", "halts"), [("reflect", [False, False]), ("halt", [True, True])])
def test_what_a_loop_leads_to_can_be_chosen(on_loop, halts):
    told = State((Seen("a", retry_safe=False, effect=False),), ("a",))
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
    """A39, A40"""
    play = played(policy(), Script([SAME]), contract("look"))
    end = play.of(ev.Completed)[-1]
    message = "look was called 2 times with the same arguments"

    assert ("stopped", "loop", 11) == (end.status, end.reason, end.exit_code)
    assert f"Could not complete: {message}. Please try a more specific query." == end.message
    assert 3 == len([one for one in play.asked if one.purpose == "answer"])


def test_each_loop_that_is_seen_is_an_event():
    play = played(policy(), Script([SAME]), contract("look"))

    assert [ev.LoopSeen("consecutive", "look", 2, 8)] * 2 == play.of(ev.LoopSeen)


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


# --- Keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"q": "Orders of MAY"}, {"q": "orders of may"}),
        ({"q": "  orders \t of\nmay "}, {"q": "orders of may"}),
        ({"q": "\uff4f\uff52\uff44\uff45\uff52\uff53"}, {"q": "orders"}),
        ({"q": "caf\u0065\u0301"}, {"q": "café"}),
        ({"q": "STRASSE"}, {"q": "straße"}),
        ({"n": 5}, {"n": 5.0}),
        ({"n": [{"y": 1.0, "x": 2}]}, {"n": [{"x": 2, "y": 1}]}),
    ],
    ids=["key order", "case", "space", "width", "composition", "folding", "number form", "nested"],
)
def test_arguments_that_mean_the_same_have_one_key(one, other):
    """C05, H8"""
    assert key_of("look", one) == key_of("look", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"n": 5}, {"n": 6}),
        ({"n": 5}, {"n": "5"}),
        ({"n": 1}, {"n": True}),
        ({"n": 5.5}, {"n": 5}),
        ({"n": [1, 2]}, {"n": [2, 1]}),
        ({"a": "x"}, {"b": "x"}),
        ({"n": None}, {}),
        ({"q": "orders of may"}, {"q": "ordersofmay"}),
        ({"n": 2.0**60}, {"n": 2**60 + 1}),
    ],
)
def test_arguments_that_mean_something_else_have_another_key(one, other):
    assert canonical_bytes("look", one) != canonical_bytes("look", other)


def test_the_same_arguments_for_another_tool_have_another_key():
    """B21"""
    assert key_of("look", {"q": 1}) != key_of("find", {"q": 1})


def test_a_key_is_the_same_in_every_process():
    """H8: no per-process hash."""
    assert b'["look",{"a":5,"b":["x y",null,true]}]' == canonical_bytes("look", {"b": ["X  y", None, True], "a": 5.0})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values)
def test_every_json_value_has_a_key(value):
    assert canonical_bytes("look", value) == canonical_bytes("look", value)


def test_arguments_that_are_no_object_have_a_key_too():
    play = played(
        policy(), Script([asks(Asks("look", None)), asks(Asks("look", None)), Reply("done")]), contract("look")
    )

    assert ["INVALID_ARGS", "INVALID_ARGS"] == [end.code for end in play.answers]
