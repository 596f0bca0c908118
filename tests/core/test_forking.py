"""Where a run can be forked: nothing under way, and something left to do."""

from agentctl.core.events import Forked, HandedOff, SecretsNumbered
from agentctl.core.forking import around, effects_after, last_fork, masked_until, own_from, safe_points
from tests.play import Play, Reply, Script, asks, call, contract, played, policy, writer


def a_run() -> Play:
    script = Script([asks(call("look", q=1)), asks(call("send", q=2)), Reply("done")])
    tools = contract("look"), writer("send", side_effects="local")
    return played(policy(), script, *tools)


def kinds(play: Play, points: tuple[int, ...]) -> list[str]:
    return [type(play.events[point - 1].event).__name__ for point in points]


def test_safe_points_lie_between_what_is_begun_and_what_has_come_of_it():
    play = a_run()

    assert ["RunStarted", "ModelReplied", "ToolFinished", "ModelReplied", "ToolFinished"] == kinds(
        play, safe_points(play.events)
    )


def test_after_the_answer_there_is_no_safe_point():
    play = a_run()

    assert safe_points(play.events)[-1] < play.events[-2].seq


def test_the_nearest_points_of_one_that_is_none():
    assert (3, 7) == around((1, 3, 7), 5)
    assert (None, 1) == around((1, 3), 0)
    assert (3, None) == around((1, 3), 9)


def test_effects_after_a_point_are_named_once():
    play = a_run()

    assert ("send",) == effects_after(play.events, 1)
    assert () == effects_after(play.events, len(play.events))


def test_what_a_fork_has_copied_ends_with_the_last_event_that_says_so():
    play = a_run()
    assert 1 == own_from(play.events)
    assert last_fork(play.events) is None
    seq = play.record(Forked("r_1", 4, "ada", gone=2)).seq
    play.record(Forked("r_2", seq, "eve"))

    assert seq + 1 == own_from(play.events)
    assert seq == masked_until(play.events)
    assert "r_2" == (last_fork(play.events) or Forked("", 0, "")).parent


def test_what_each_guard_makes_of_a_fork():
    """What was said and seen goes along; what was spent, promised or handed over does not."""
    play = a_run()
    play.record(SecretsNumbered(2, "d"))
    play.record(HandedOff("tools fail", "ada", "c1"))
    before = play.state
    play.record(Forked("r_1", 4, "ada", goal="short", goal_tokens=7, gone=1))
    state = play.state

    assert (2, 2) == (state.scrub.numbered, state.scrub.gone)
    assert (("c1",), ()) == (before.handoff.handed, state.handoff.handed)
    assert {"the run was forked with another goal"} == {known.since for known in state.cache.known.values()}
    assert len("short") == state.route.goal_chars
    assert before.prompt_tokens + 7 == state.prompt_tokens
    assert (before.loops, before.trust, before.progress) == (state.loops, state.trust, state.progress)
    assert "queued" == state.run.status
