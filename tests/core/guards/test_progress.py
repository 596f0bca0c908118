"""Different calls, the same answers: a run that learns nothing is told so, and then stopped."""

from dataclasses import replace

import pytest

from agentctl.core import envelope
from agentctl.core import events as ev
from agentctl.core.guards import progress
from agentctl.core.guards.progress import EMPTY, Rules
from agentctl.core.state import fold
from tests.play import Crash, Crashed, Play, Reply, Script, asks, call, contract, make_setup, played, policy, writer

NOTHING = envelope.success({"results": [], "total": 0})
LOOK = contract("look")
FREE = {"risk": policy().risk.__class__(enabled=False)}


def asked(count: int, tool: str = "look"):
    """So many calls, each in other words."""
    return [asks(call(tool, q=f"try {n}")) for n in range(count)]


def search(replies, *answers, tools=(LOOK,), **tables) -> Play:
    return played(policy(**tables), Script([*replies, Reply("so far")], {"look": list(answers)}), *tools)


def results(*said, tool: str = "look", **more):
    """The state after these results."""
    state = EMPTY
    for number, data in enumerate(said):
        result = envelope.success(data).as_json()
        done = ev.ToolFinished(f"c{number}", tool, "success", None, False, 1, result, 1, **more)
        state = progress.apply(state, ev.Stamped("r", number, "s", 0, 0.0, done))
    return state


def stall(state, rules: Rules | None = None):
    found = progress.check(rules or Rules(), state)
    return None if found is None else (found.kind, found.tool, found.count, found.window, found.halt)


def test_a_stall_is_three_of_five_results_alike():
    """A36, A37"""
    assert None is stall(results("same", "same"))
    assert ("stall", "look", 3, 5, False) == stall(results("same", "same", "same"))
    assert ("stall", "look", 3, 5, False) == stall(results("same", "x", "same", "y", "same"))
    assert None is stall(results("same", "x", "same", "y", "z", "same"))


def test_alike_is_more_than_85_percent():
    """C34, C85: strictly greater."""
    text = " ".join("abcdefghijklmnopq")
    exactly = [f"{text} {other}" for other in ("1 2 3", "4 5 6", "7 8 9")]
    more = [f"{text} r s {other}" for other in ("1", "2", "3")]

    assert None is stall(results(*exactly), Rules(similarity=17 / 23))
    assert None is not stall(results(*exactly), Rules(similarity=16.9 / 23))
    assert None is not stall(results(*more))
    assert None is stall(results(*(f"{text} {other}" for other in ("1 2", "3 4", "5 6"))))
    assert 0.85 == Rules().similarity


def test_fewer_than_three_results_are_no_stall():
    """C35"""
    assert None is stall(results("same", "same"), Rules(max_stale=2))
    assert None is not stall(results("x", "same", "same"), Rules(max_stale=2))


def test_another_tool_that_says_the_same_is_another_result():
    state = results("same", "same")
    other = ev.ToolFinished("c9", "find", "success", None, False, 1, envelope.success("same").as_json(), 1)

    assert None is stall(progress.apply(state, ev.Stamped("r", 9, "s", 0, 0.0, other)))


@pytest.mark.parametrize(
    "more",
    [{"retry_safe": True}, {"pollable": True}, {"ran": False}, {"final": False}],
    ids=["pending", "pollable", "not run", "another attempt follows"],
)
def test_what_waits_or_did_not_run_is_no_result(more):
    """G3, D02"""
    base = ev.ToolFinished("c1", "look", "success", None, False, 1, envelope.success("same").as_json(), 1)
    state = EMPTY
    for number in range(5):
        state = progress.apply(state, ev.Stamped("r", number, "s", 0, 0.0, replace(base, **more)))

    assert () == state.results


def test_a_change_begins_anew():
    state = results("same", "same")
    effect = ev.ToolFinished("c9", "save", "success", None, False, 1, {}, 1, effect=True)

    assert () == progress.apply(state, ev.Stamped("r", 9, "s", 0, 0.0, effect)).results


def test_what_is_remembered_is_bounded():
    """C31"""
    state = results(*(f"answer {n}" for n in range(100)))

    assert (progress.MOST_RESULTS, 100) == (len(state.results), state.count)
    assert 1 == len({id(one.words) for one in results(*["the same words"] * 10).results}), "one set for all"


def test_the_guard_can_be_off():
    assert None is stall(results(*["same"] * 9), Rules(enabled=False))


# --- In a run -------------------------------------------------------------------------------------


def test_a_search_that_finds_nothing_ends_however_it_is_asked():
    """A31, C37, C77: other words each time, the same empty answer."""
    play = search(asked(9), NOTHING)
    end = play.of(ev.Completed)[-1]

    assert ("stopped", "no_progress", 11) == (end.status, end.reason, end.exit_code)
    assert (
        "Could not complete: the last 4 results of look were the same. Please try a more specific query." == end.message
    )
    assert 4 == len(play.of(ev.ToolStarted))


def test_the_model_is_told_once_before_it_is_stopped():
    """C84, B63, C66"""
    play = search(asked(9), NOTHING)
    note, landing = play.said

    assert ("progress", "say", "stall") == (note.guard, note.decision, note.reason)
    assert note.text.startswith("The last 3 results of look were the same")
    assert ("progress", "land", "no_progress") == (landing.guard, landing.decision, landing.reason)
    assert [(3, False), (4, True)] == [(one.count, one.halt) for one in play.of(ev.LoopSeen)]


def test_the_stop_gives_the_last_answer():
    """E14, E24"""
    play = search(asked(4), NOTHING)

    assert ["answer"] * 4 + ["landing"] == [one.purpose for one in play.asked]
    assert "so far" == play.state.run.answer


def test_who_heeds_the_note_goes_on():
    play = search([*asked(3), asks(call("find", q="elsewhere"))], NOTHING, tools=(LOOK, contract("find")))

    assert ("done", "so far") == (play.state.run.reason, play.state.run.answer)
    assert 1 == len(play.of(ev.LoopSeen))


def test_something_new_after_the_note_makes_the_next_stall_a_first_one():
    news = envelope.success("three orders of May were found in the archive")
    play = search(asked(6), NOTHING, NOTHING, NOTHING, news, NOTHING, NOTHING)

    assert [False, False] == [one.halt for one in play.of(ev.LoopSeen)][:2]


def test_answers_that_take_turns_are_a_stall_too():
    """Two answers back and forth are no news the second time."""
    other = envelope.success("try again with other words please")
    play = search(asked(15), *[NOTHING, other] * 8)

    assert "no_progress" == play.state.run.reason
    assert len(play.of(ev.ToolStarted)) < 10


def test_the_same_error_of_different_calls_is_a_stall():
    """B62"""
    play = search(asked(9), envelope.permanent("no access to the archive"))

    assert ("no_progress", 4) == (play.state.run.reason, len(play.of(ev.ToolStarted)))


def test_a_stall_can_be_reported_alone():
    """C68: an event, and the run goes on."""
    play = search(asked(6), NOTHING, progress=Rules(halt_on_stall=False))

    assert ("done", 6) == (play.state.run.reason, len(play.of(ev.ToolStarted)))
    assert [("stall", 3, False)] == [(one.kind, one.count, one.halt) for one in play.of(ev.LoopSeen)]
    assert [] == play.said


def test_polling_is_no_stall():
    """D02: a tool that is declared pollable, and a result that says that it may be tried again."""
    poll = contract("poll", pollable=True)
    waiting = envelope.transient("still running")
    pending = contract("look", retry_policy="none")
    same = [asks(call("poll"))] * 4
    polled = played(policy(), Script([*same, Reply("x")], {"poll": [envelope.success("running")]}), poll)
    asked_again = played(policy(), Script([*[asks(call("look"))] * 4, Reply("x")], {"look": [waiting]}), pending)

    assert [("done", 4)] * 2 == [
        (play.state.run.reason, len(play.of(ev.ToolStarted))) for play in (polled, asked_again)
    ]


def test_paging_is_no_stall():
    """Each page has other lines, be they but ids."""
    names = [
        "ada",
        "bob",
        "cyd",
        "dan",
        "eve",
        "fay",
        "gus",
        "hal",
        "ida",
        "jim",
        "kim",
        "lou",
        "mia",
        "ned",
        "oda",
        "pia",
    ]
    pages = [
        envelope.success(
            {"page": n, "next": n + 1, "rows": [{"id": 1000 + 2 * n + k, "name": names[2 * n + k]} for k in (0, 1)]}
        )
        for n in range(8)
    ]
    ids = [envelope.success([f"3f2504e0-4f89-11d3-9a0c-{9 * n + k:012x}" for k in range(9)]) for n in range(8)]

    for each in (pages, ids):
        play = search([asks(call("look", page=n)) for n in range(8)], *each)
        assert ("done", 8) == (play.state.run.reason, len(play.of(ev.ToolStarted)))


def test_work_in_between_is_progress():
    """A result that is the same again after something was changed is what the change led to."""
    turns = [reply for n in range(6) for reply in (asks(call("save", n=n)), asks(call("look", q=f"check {n}")))]
    play = played(
        policy(**FREE), Script([*turns, Reply("done")], {"look": [envelope.success("ok")]}), LOOK, writer("save")
    )

    assert ("done", []) == (play.state.run.reason, play.of(ev.LoopSeen))


def test_a_resumed_run_begins_anew():
    play = search(asked(4), NOTHING)
    left = fold(play.events).progress
    play.script.models = [*asked(4), Reply("so far"), *asked(7)[4:], Reply("done")]
    stop = play.resume()

    assert ((), 0) == (left.results, left.told_at)
    assert "done" == stop.reason
    assert [False, True, False] == [one.halt for one in play.of(ev.LoopSeen)]


def test_a_crash_changes_nothing():
    """Law 2: who is killed between two results has learned as little as who was not."""
    script = Script([*asked(9), Reply("so far")], {"look": [NOTHING, NOTHING, Crash(), NOTHING]})
    play = Play(make_setup(policy(), (LOOK,)), script)
    with pytest.raises(Crashed):
        play.run()
    stop = play.resume()

    assert ("no_progress", 11) == (stop.reason, stop.exit_code)


def test_the_window_and_the_similarity_of_others_are_accepted():
    """G3: 0.80, and another window."""
    text = " ".join("abcdefghijklmnopqrst")
    near = [f"{text} {n} {n}" for n in "123"]

    assert None is not stall(results(*(f"{text} {n} {n}x" for n in "123")), Rules(similarity=0.80))
    assert None is not stall(results(*near), Rules(window=3, max_stale=3))
