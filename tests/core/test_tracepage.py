"""The page of a run holds every event of it once, is bounded, and adds up."""

from hypothesis import given

from agentctl.core import events as e
from agentctl.core import timeline, tracepage
from agentctl.core.tracepage import page
from tests.core.test_timeline import asked, completed, failed, finished, replied, sample, stamped, started, tool_started
from tests.journal.golden import EXPECTED
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play, policy

KINDS = {"llm.completion": "model", "tool.get_order_status": "tool", "response.final": "run"}


def seqs(made):
    return [piece.seq for pieces in (made.beginning, *(entry.pieces for entry in made.entries)) for piece in pieces]


@examples(20)
@given(plays(crashes=True))
def test_every_event_of_any_run_is_on_the_page_once_and_the_rows_add_up(play: Play):
    """E22: every call, input and output, by time."""
    run_through(play)
    made = page(play.events, play.setup.policy)

    assert [one.seq for one in play.events] == sorted(seqs(made))
    assert len(made.entries) == len({entry.row.seq for entry in made.entries})
    assert made.figures.cost_micro == sum(entry.row.cost_micro for entry in made.entries)
    assert [entry.row for entry in made.entries] == list(timeline.rows(play.events))
    assert [point.at_s for point in made.points] == sorted(point.at_s for point in made.points)


def test_an_event_of_every_kind_is_on_it():
    events = stamped(*EXPECTED["1.0.0"])

    assert list(range(1, len(events) + 1)) == sorted(seqs(page(events)))


def test_a_call_stands_with_its_intent_and_its_outcome():
    made = page(sample(), policy())
    titles = [[piece.title for piece in entry.pieces] for entry in made.entries]

    model = "anthropic.claude-sonnet-4-6"
    assert [f"llm.asked [{model}, answer]", f"llm.replied [{model}, 423ms, $0.0184]"] == titles[0]
    assert ["tool.get_order_status [started, safe, attempt 1]", "tool.get_order_status [success, 88ms]"] == titles[1]
    assert '"order_id": "A-1001"' in made.entries[1].pieces[0].text
    assert ["run.started [order-triage under customer-facing, for ada]"] == [one.title for one in made.beginning]
    assert all(KINDS[entry.row.name] == entry.kind for entry in made.entries)


def test_each_row_says_in_a_word_how_it_stands():
    person = e.ApprovalRequested("c2", "send_refund", "high", "rule", "d", {})
    models = asked(), failed(), e.Retried(1, 0.5), asked(), failed(), asked(), replied(9, 9)
    rest = e.Waited("pace", 2.0), finished(), e.ContextTrimmed(9, 9, 2, 3), person, tool_started()
    events = stamped(started(), *models, *rest)

    assert ["warning", "failed", "ok", "note", "ok", "warning", "open", "open"] == [
        entry.word for entry in page(events).entries
    ]


def test_it_says_under_which_policy_the_run_was_last():
    resumed = e.Resumed(2, "bob", policy_digest="d2", policy="strict")
    made = page(stamped(started(policy_digest="d1"), resumed, completed()))

    assert ("strict", "d2", "completed") == (made.policy, made.digest, made.ended.status)


def test_long_texts_are_cut_and_say_so_and_many_are_cut_shorter():
    """D116: what is shown of a result is in its own order."""
    result = {"data": [f"order {number:06}" for number in range(4_000)]}
    alone = page(stamped(started(), tool_started(), finished(result=result)))
    piece = alone.entries[0].pieces[-1]
    both = page(stamped(started(), *[finished(f"c{n}", result=result) for n in range(100)]))

    assert piece.left_out > 20_000
    assert len(piece.text) < tracepage.LENGTHS[0] + 100
    assert f"… {piece.left_out:,} characters left out …" in piece.text
    assert piece.text.index("order 000001") < piece.text.index("order 000002") < piece.text.index("order 003999")
    assert sum(len(each.text) for entry in both.entries for each in entry.pieces) < 1.1 * tracepage.MOST_TEXT


def test_a_very_long_run_has_its_beginning_and_its_end():
    events = stamped(started(), *[finished(f"c{n}") for n in range(5_000)], completed())
    made = page(events)

    assert (4_000, 1_001) == (len(made.entries), made.left_out)
    assert ("tool.get_order_status", "response.final") == (made.entries[0].row.name, made.entries[-1].row.name)
    assert len(made.points) <= tracepage.MOST_POINTS + 1


def test_very_many_events_behind_one_row_are_counted_and_not_shown():
    made = page(stamped(started(), *[e.Thought("hm")] * 1_000, replied(9, 9)))
    (entry,) = made.entries

    assert tracepage.MOST_PIECES + 1 == len(entry.pieces)
    assert "901 more events from here" == entry.pieces[tracepage.MOST_PIECES // 2].title


def test_a_clock_that_is_set_back_does_not_bend_the_curve():
    happened = (1000.0, started()), (1010.0, asked()), (900.0, replied(10, 10)), (1005.0, completed())
    events = [e.Stamped("r_1", seq, "s_1", 1, ts, event) for seq, (ts, event) in enumerate(happened, 1)]
    made = page(events)

    assert all(0 <= one.at_s <= two.at_s for one, two in zip(made.points, made.points[1:], strict=False))
    assert all(entry.at_s >= 0 for entry in made.entries)


def test_nothing_recorded_is_a_page_too():
    made = page([])

    assert ("", None, (), ()) == (made.run_id, made.ended, made.entries, made.points)
