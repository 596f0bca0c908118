"""Law 1: a run replayed under its own policy makes the same decisions."""

import contextlib
from collections import defaultdict, deque
from typing import Any

from hypothesis import given

from agentctl.core import decisions as do
from agentctl.core.state import State, apply, fold
from tests.laws.worlds import examples, plays
from tests.play import Play, Script, again


class Recording:
    """A world that remembers what it answered."""

    def __init__(self, script: Script) -> None:
        self.script, self.tool_took = script, script.tool_took
        self.answers: dict[str, deque[Any]] = defaultdict(deque)

    def model(self, asked: do.AskModel) -> Any:
        return self._keep("model", self.script.model(asked))

    def tool(self, name: str, call_id: str) -> Any:
        return self._keep(f"tool {call_id}", self.script.tool(name, call_id))

    def person(self, call_id: str) -> Any:
        return self._keep(f"person {call_id}", self.script.person(call_id))

    def _keep(self, key: str, answer: Any) -> Any:
        self.answers[key].append(answer)
        return answer


class Recorded:
    """A world that knows nothing but a recording."""

    def __init__(self, recording: Recording) -> None:
        self.answers = {key: deque(answers) for key, answers in recording.answers.items()}
        self.tool_took = recording.tool_took

    def model(self, asked: do.AskModel) -> Any:
        return self.answers["model"].popleft()

    def tool(self, name: str, call_id: str) -> Any:
        return self.answers[f"tool {call_id}"].popleft()

    def person(self, call_id: str) -> Any:
        return self.answers[f"person {call_id}"].popleft()


@examples(120)
@given(plays())
def test_every_decision_is_made_again_from_the_journal_alone(play: Play):
    play.run()
    state, at = State(), 0
    for made in play.made:
        state, at = fold(play.events[at : made.seq], state), made.seq

        assert made.decision == again(play, made, state)


@examples(60)
@given(plays())
def test_a_run_played_against_its_own_recording_is_the_same_run(play: Play):
    seed = play.random.getstate()
    recording = Recording(play.script)
    play.script = recording
    play.run()
    second = Play(play.setup, Recorded(recording), most=play.most)
    second.start = play.start
    second.random.setstate(seed)
    second.run()

    assert play.events == second.events
    assert play.made == second.made
    assert not any(second.script.answers.values())


@examples(60)
@given(plays(bounded=False))
def test_a_decision_depends_on_its_arguments_alone(play: Play):
    """C76: deciding twice, and in between for another state, changes nothing."""
    play.most = 400
    with contextlib.suppress(AssertionError):
        play.run()
    states = [State()]
    for stamped in play.events:
        states.append(apply(states[-1], stamped))
    for made in reversed(play.made):
        assert made.decision == again(play, made, states[made.seq])
