"""Somebody else's words never make a run looser, and nothing makes it forget them."""

from dataclasses import replace

from hypothesis import given

from agentctl.core import decisions as do
from agentctl.core.decide_call import before_tool
from agentctl.core.events import ModelAsked, RunStarted, Stamped, ToolFinished, ToolStarted
from agentctl.core.guards import trust
from agentctl.core.inflight import find
from agentctl.core.state import fold
from agentctl.core.tiers import Tier
from tests.laws.test_fold import run_through
from tests.laws.worlds import examples, plays
from tests.play import Play


def brought(play: Play, upto: int) -> dict[str, set[str]]:
    """Sources by label, of everything that a model had been sent when it asked for what happened at `upto`."""
    asked = max(one.seq for one in play.events[: upto - 1] if isinstance(one.event, ModelAsked))
    found: dict[str, set[str]] = {label: set() for label in trust.LABELS}
    for stamped in play.events[:asked]:
        if isinstance(stamped.event, RunStarted):
            found["untrusted"].update(stamped.event.untrusted)
        if isinstance(stamped.event, ToolFinished) and stamped.event.final:
            for label in stamped.event.labels:
                found[label].add(stamped.event.tool)
    return found


@examples(100)
@given(plays(crashes=True))
def test_what_was_brought_in_stays_through_trims_summaries_and_resumes(play: Play):
    """D21, D22"""

    def watch(play: Play, stamped: Stamped) -> None:
        if isinstance(stamped.event, ModelAsked):
            known, state = brought(play, stamped.seq + 1), play.state.trust
            assert known == {label: set(getattr(state, label)) for label in trust.LABELS}

    play.watch = watch
    run_through(play)


@examples(150)
@given(plays(crashes=True))
def test_nothing_runs_unasked_below_what_untrusted_text_makes_of_it(play: Play):
    """D11, D21: and with private data and a way out nothing runs unasked at all."""

    def watch(play: Play, stamped: Stamped) -> None:
        rules, started = play.setup.policy, stamped.event
        if not isinstance(started, ToolStarted) or not (rules.trust.enabled and rules.approval.enabled):
            return
        tool, known = play.setup.contracts[started.tool], brought(play, stamped.seq)
        at = find(play.state.inflight, started.call_id)
        assert at is not None
        if at.approved or not known["untrusted"] or not (tool.egress or not tool.read_only):
            return
        assert Tier.of(started.tier) >= rules.trust.after_untrusted
        assert not rules.risk.enabled or rules.risk.auto_approve >= rules.trust.after_untrusted
        assert not (tool.egress and (tool.private or known["private"]))

    play.watch = watch
    run_through(play)


@examples(100)
@given(plays())
def test_trust_only_ever_makes_a_call_stricter(play: Play):
    play.run()
    rules = play.setup.policy
    for made in play.made:
        if made.seam != "before_tool":
            continue
        state = fold(play.events[: made.seq])
        at = next(one for one in state.inflight.calls if one.call_id == made.call_id)
        off = trust.Rules(enabled=False)
        without = before_tool(replace(play.setup, policy=replace(rules, trust=off)), state, play.call(at), made.now)
        match made.decision, without:
            case (do.RunCall(tier=tier), do.RunCall(tier=bare)) | (do.AskPerson(tier=tier), do.AskPerson(tier=bare)):
                assert tier >= bare
            case do.RunCall(), _:
                raise AssertionError(f"{without} became {made.decision} under {rules.trust}")
            case _:
                pass
