"""A replay shows every event of every run, whatever is in it, and where the run stood."""

from dataclasses import replace

from hypothesis import given

from agentctl.core import events as e
from agentctl.core.replaying import Unread, frames
from agentctl.core.state import fold
from tests.journal.golden import EXPECTED
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play, policy


@examples(40)
@given(plays(crashes=True))
def test_every_event_of_any_run_is_one_step_with_the_gauges_of_the_fold(play: Play):
    """B48"""
    run_through(play)
    shown = list(frames(play.events, play.setup.policy))
    spent = next(gauge for gauge in shown[-1].gauges if gauge.key == "run_usd").used

    assert [one.seq for one in play.events] == [frame.seq for frame in shown]
    assert all(frame.title and frame.event for frame in shown)
    assert spent == fold(play.events).budget.spent_micro / 1e6


def test_an_event_of_every_kind_has_a_title_and_says_what_it_holds():
    stamped = [e.Stamped("r_1", seq, "s_1", 1, 0.0, event) for seq, event in enumerate(EXPECTED["1.0.0"], 1)]
    shown = list(frames(stamped))

    assert all(frame.tone for frame in shown)
    assert [frame.event for frame in shown if not frame.title] == []
    assert all(gauge.limit is None for frame in shown for gauge in frame.gauges)


def test_what_can_not_be_read_is_a_line_and_no_part_of_the_fold():
    broken = e.Retried("often", None)  # type: ignore[arg-type]  # what a changed store may hold
    started = e.RunStarted("t", "p", "d", "ada", "", "goal", "system", 10, 5, {})
    events = [
        e.Stamped("r_1", 1, "s_1", 0, 0.0, started),
        Unread(2, 0.0, "event 2 is missing"),
        e.Stamped("r_1", 3, "s_1", 0, 0.0, broken),
        e.Stamped("r_1", 4, "s_1", 0, 0.0, e.Thought("still here")),
    ]
    shown = list(frames(events, policy()))

    assert ["RunStarted", "", "", "Thought"] == [frame.event for frame in shown]
    assert "event 2 is missing" == shown[1].title
    assert "can't be read: it has values of the wrong kind (TypeError)" == shown[2].title
    assert ("still here",) == shown[3].lines
    assert shown[0].gauges == shown[3].gauges


def test_a_request_tells_what_is_new_in_it_and_a_rewritten_history_is_told_anew():
    asked = e.ModelAsked("main", "i", "m", 1, "answer", 10, 10, 10)
    started = e.RunStarted("t", "p", "d", "ada", "", "find it", "system", 10, 5, {})
    kinds = [started, asked, e.ModelFailed("main", "i", "server", 500, None, "no", 1, "answer", 0, 1), asked,
             e.Forked("r_0", 3, "ada", goal="be brief", goal_tokens=2), asked]  # fmt: skip
    stamped = [e.Stamped("r_1", seq, "s_1", 0, 0.0, event) for seq, event in enumerate(kinds, 1)]
    first, again, anew = (frame.lines for frame in frames(stamped) if frame.event == "ModelAsked")

    assert ("sent: 1 messages", "  goal: find it") == first[1:]
    assert ("sent: 1 messages, 0 of them new",) == again[1:]
    assert "  goal: be brief" == anew[-1]
    assert any("rewritten" in line for line in anew)


def test_an_answer_of_a_person_is_told_by_the_tool_s_name():
    asked = e.ApprovalRequested("c1", "refund", "high", "rule", "d", {"id": 1})
    said = e.ApprovalDecided("c1", "deny", "ada", 1.0, "too much", "d")
    stamped = [e.Stamped("r_1", seq, "s_1", 0, 0.0, event) for seq, event in enumerate((asked, said), 1)]

    assert list(frames(stamped))[1].title.startswith("approval.refund [denied")
    assert replace(said, why="") != said
