"""What a request would carry is always a conversation: no orphan, the goal first, everything once."""

from hypothesis import given

from agentctl.core.events import ModelAsked, ModelReplied, Stamped, ToolFinished
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play


def conversation_holds(play: Play) -> None:
    events = {stamped.seq: stamped.event for stamped in play.events}
    entries = play.state.transcript.entries
    parts = [part for entry in entries for part in entry.parts]

    assert entries[0].kind == "goal"
    assert ["goal"] == [entry.kind for entry in entries if entry.kind == "goal"]
    assert len(parts) == len(set(parts))
    assert sorted(entry.seq for entry in entries) == [entry.seq for entry in entries]
    assert play.state.transcript.tokens == sum(entry.tokens for entry in entries)

    waiting: tuple[str, ...] = ()
    for entry in entries:
        if entry.kind == "answers":
            answered = [events[seq] for seq in entry.parts]
            assert waiting == tuple(event.call_id for event in answered if isinstance(event, ToolFinished))
            waiting = ()
            continue
        assert waiting == (), "a reply's calls stand without their answers"
        reply = events[entry.seq]
        waiting = tuple(call.call_id for call in reply.calls) if isinstance(reply, ModelReplied) else ()
    assert waiting == ()


@examples(100)
@given(plays(crashes=True))
def test_what_is_sent_has_no_orphans_and_the_goal_first(play: Play):
    """D14, G12: pairs of call and result are never split; the goal survives."""

    def watch(play: Play, stamped: Stamped) -> None:
        if isinstance(stamped.event, ModelAsked):
            conversation_holds(play)

    play.watch = watch
    run_through(play)


@examples(100)
@given(plays(crashes=True))
def test_no_two_calls_of_a_run_have_the_same_id(play: Play):
    run_through(play)
    ids = [call.call_id for reply in play.of(ModelReplied) for call in reply.calls]

    assert len(ids) == len(set(ids))


@examples(100)
@given(plays())
def test_nothing_larger_than_the_hard_limit_is_ever_sent(play: Play):
    """A28, A30, C83"""
    play.run()
    rules = play.setup.policy.context

    if rules.enabled:
        assert [] == [asked for asked in play.asked if asked.estimated_tokens > rules.hard_limit_tokens]
