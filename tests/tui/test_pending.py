"""What waits, until when, and what became of it, from the journal alone."""

import subprocess
import sys
from dataclasses import replace

import pytest

from agentctl.core import events as e
from agentctl.tui import asked, pending
from agentctl.tui.pending import Requests

from .deck import BEGUN, REFUND


def folded(*events):
    found = Requests({}, {}, {}, {})
    for seq, (ts, event) in enumerate(events, 1):
        pending.take(found, e.Stamped("r_1", seq, "s_1", 1, BEGUN + ts, event))
    return found


def test_it_stands_from_when_it_was_last_asked():
    again = (400, e.Resumed(2, "ada", add_micro=500_000))
    assert 300.0 == folded((0, REFUND)).asked["c3.0"].until - BEGUN
    assert 700.0 == folded((0, REFUND), again).asked["c3.0"].until - BEGUN
    assert 2.0 == folded((0, REFUND), again).asked["c3.0"].limit_usd


def test_the_next_one_stands_once_the_one_before_it_is_decided():
    first = replace(REFUND, call_id="c3.1")
    found = folded((0, first), (1, REFUND), (60, e.ApprovalDecided("c3.1", "approve", "ada", 60.0, "", "d")))

    assert ["c3.0"] == [each.call_id for each in found.waiting]
    assert 360.0 == found.asked["c3.0"].until - BEGUN


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (e.ApprovalDecided("c3.0", "deny", "bob", 1.0, "no", "d"), "denied by bob: no"),
        (e.CallEdited("c3.0", "send_refund", {}, "bob"), "bob changed its arguments"),
        (e.CallSettled("c3.0", "send_refund", happened=True, by="bob"), "bob says that it happened"),
    ],
)
def test_what_became_of_it_is_told_with_whose_word_it_was(event, words):
    found = folded((0, REFUND), (5, event))

    assert ([], words) == (found.waiting, found.became("c3.0"))
    assert words == asked.of(found, folded((0, REFUND)).asked["c3.0"], spent_micro=0, running=True).became
    assert "" == folded((0, REFUND), (5, event), (6, REFUND)).became("c3.0")


@pytest.mark.parametrize("seconds", [(0, "0:00"), (65.4, "1:05"), (3_723, "1:02:03"), (-5, "0:00")])
def test_a_span(seconds):
    assert seconds[1] == asked.span(seconds[0])


def test_what_the_command_line_needs_of_it_loads_no_textual():
    code = (
        "import sys; from agentctl.tui import answers, asked, gate, pending; "
        "print([name for name in sys.modules if name.split('.')[0] in {'textual', 'rich'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == done.stdout
