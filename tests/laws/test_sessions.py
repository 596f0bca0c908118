"""What a session said before is a part of its next run like any other: sized, trimmed, decided by, replayed."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import transcript
from agentctl.core.events import Exchange, ModelAsked
from agentctl.core.state import State, fold
from tests.laws.worlds import examples, plays
from tests.play import Play, again

exchanges = st.lists(
    st.builds(Exchange, st.just("r_0"), st.just("?"), st.just("!"), st.integers(1, 3_000), st.integers(1, 3_000)),
    max_size=20,
).map(tuple)


def talked(play: Play, earlier: tuple[Exchange, ...]) -> Play:
    labels = ("run r_0",) if earlier else ()
    play.start = dataclasses.replace(play.start, earlier=earlier, untrusted=labels, private=labels)
    return play


@examples(60)
@given(plays(), exchanges)
def test_every_decision_is_made_again_from_the_journal_alone(play: Play, earlier: tuple[Exchange, ...]):
    talked(play, earlier).run()
    state, at = State(), 0
    for made in play.made:
        state, at = fold(play.events[at : made.seq], state), made.seq

        assert made.decision == again(play, made, state)


@examples(60)
@given(plays(), exchanges)
def test_it_stands_before_the_goal_and_leaves_in_pairs_the_oldest_first(play: Play, earlier: tuple[Exchange, ...]):
    """A76: sides take turns, nothing stands twice, and the sizes add up, whatever is trimmed."""
    sizes = []

    def watch(watched: Play, _: object) -> None:
        state = watched.state.transcript
        kinds = [entry.kind for entry in state.entries]
        before = kinds[: kinds.index("goal")]
        assert before == ["asked", "said"] * (len(before) // 2)
        assert not {"asked", "said", "goal"} & set(kinds[len(before) + 1 :])
        assert [entry.seq for entry in state.entries] == sorted({entry.seq for entry in state.entries})
        assert state.tokens == sum(entry.tokens for entry in state.entries)
        sizes.append(len(before))

    play.watch = watch
    talked(play, earlier).run()

    assert sizes[0] == 2 * len(earlier)
    assert sizes == sorted(sizes, reverse=True)
    asked = [one for one in play.of(ModelAsked) if one.purpose == "answer"]
    said = sum(each.asked_tokens + each.answer_tokens for each in earlier)
    if asked and sizes[-1] == sizes[0] and not play.state.transcript.epoch:
        assert asked[0].estimated_tokens >= play.start.fixed_tokens + play.start.goal_tokens + said
    assert play.state.trust.untrusted[: len(earlier[:1])] == ("run r_0",) * len(earlier[:1])


@given(st.integers(0, 20))
def test_its_places_are_before_the_first_event(count: int):
    seqs = [seq for pair in transcript.places(count) for seq in pair]

    assert seqs == list(range(-2 * count, 0))
