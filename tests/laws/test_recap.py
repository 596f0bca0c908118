"""Summaries: each is made of what its trim drops, once; none grows without bound; none ends or lands a run."""

from hypothesis import given

from agentctl.core import recap, transcript
from agentctl.core.events import Completed, ContextTrimmed, ModelAsked, ModelReplied, Resumed, Stamped
from agentctl.core.guards import context
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, long_plays
from tests.play import Play


@examples(60)
@given(long_plays(crashes=True))
def test_a_summary_is_followed_by_the_trim_that_drops_what_it_was_made_of(play: Play):
    """B03 D17: one request for a trim, and its text is taken in whole or in its newest lines."""
    run_through(play)
    asked = None
    for stamped in play.events:
        match stamped.event:
            case ModelAsked(purpose="summary") as one:
                assert asked is None, "a second summary for the same trim"
                asked = one
            case ModelAsked():
                assert asked is None, "a request was made before the trim"
            case ContextTrimmed() as trim:
                assert not trim.summary or trim.first_kept == (asked.upto if asked else trim.first_kept)
                asked = None
            case Resumed() | Completed():
                asked = None
            case _:
                pass


@examples(60)
@given(long_plays(crashes=True))
def test_all_summaries_together_keep_their_bound(play: Play):
    """D17: they are a tenth of what a trim leaves, at the most."""
    rules = play.setup.policy.context
    most = context.summaries(rules, rules.max_tokens)

    def watch(play: Play, stamped: Stamped) -> None:
        state = play.state.transcript
        if isinstance(stamped.event, ContextTrimmed):
            assert state.summary_tokens <= most
            assert state.entries[0].tokens == play.start.goal_tokens + state.summary_tokens
            assert len(state.entries[0].parts) <= 2
            assert state.entries[0].seq == transcript.GOAL_SEQ

    play.watch = watch
    run_through(play)


@examples(60)
@given(long_plays(crashes=True))
def test_a_summary_is_asked_for_only_where_there_is_more_than_what_stays_anyway(play: Play):
    """B05 B07: no step, no landing, at most 512 tokens."""

    def watch(play: Play, stamped: Stamped) -> None:
        if isinstance(stamped.event, ModelAsked) and stamped.event.purpose == "summary":
            rules = play.setup.policy.context
            assert len(play.state.transcript.messages) > rules.keep_recent
            assert play.state.run.landing is None
            assert stamped.event.max_output_tokens <= context.SUMMARY_TOKENS
            assert stamped.event.estimated_tokens == recap.size(play.state.transcript.before(stamped.event.upto))

    play.watch = watch
    run_through(play)

    assert play.state.run.step == sum(reply.purpose == "answer" for reply in play.of(ModelReplied))
