"""What a list of many runs shows of each."""

from agentctl.core import events as e
from agentctl.core import glance
from agentctl.core.glance import KINDS, Glance
from tests.tui.scene import NOW, WAITING, WORKING, asked, requested


def seen(events, *, only=True):
    found = Glance()
    for seq, event in enumerate(events, 1):
        if not only or isinstance(event, KINDS):
            found = glance.apply(found, e.Stamped("r_1", seq, "s_1", 1, NOW + seq, event))
    return found


def test_it_says_who_is_asked_how_full_it_is_and_which_circuit_is_open():
    found = seen(WORKING)

    assert ("openai", 3_700, {"anthropic": NOW + 42.0}) == (found.provider, found.context, found.open)
    assert "asks openai" == found.doing


def test_events_of_other_kinds_say_nothing():
    for events in (WORKING, WAITING):
        assert seen(events).waiting == seen(events, only=False).waiting
        assert seen(events).open == seen(events, only=False).open
        assert seen(events).context == seen(events, only=False).context


def test_a_call_waits_until_somebody_decided():
    assert {"c3.1": "send_refund"} == seen(WAITING).waiting

    decided = e.ApprovalDecided("c3.1", "approve", "ada", 3.0, "", "d")

    assert {} == seen([*WAITING, decided]).waiting


def test_from_the_middle_it_knows_what_came_since():
    assert seen(WORKING[-6:]).open == seen(WORKING).open
    assert "" == seen([requested()]).provider


def test_a_failure_is_told_until_the_next_request():
    failed = e.ModelFailed("anthropic", "i", "overloaded", 529, None, "", 1, "answer", 0, 3)

    assert "529 overloaded" == seen([asked(), failed]).failing
    assert "" == seen([asked(), failed, asked()]).failing


def test_what_a_resume_raises_counts():
    found = seen([e.Resumed(3, "ada", add_micro=500_000, add_steps=5)])

    assert (500_000, 5) == (found.raised_micro, found.raised_steps)
