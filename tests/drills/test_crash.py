"""Processes that are really killed, and what goes on in others."""

from dataclasses import replace

from agentctl.core.events import ModelFailed, ModelReplied, Resumed
from tests.drills.acting import READS, free, judged, played, shop

EFFECT = 'side_effects = "irreversible"'


def test_a_run_is_killed_twice_and_nothing_is_done_twice_or_forgotten(tmp_path):
    """E19, E30, E36. What the judge would not let pass is tried on what was seen."""

    def twice(seen):
        last = [use for use in seen.uses if use.act == 1][-1]
        return replace(seen, uses=(*seen.uses, last))

    def anew(seen):
        last = [use for use in seen.uses if use.act == 1][-1]
        return replace(seen, uses=(*seen.uses, replace(last, key="another")))

    def without(kind):
        def change(seen):
            first, last = seen.clients
            kept = [each for each in last.events if not isinstance(each.event, kind)]
            return replace(seen, clients=(first, replace(last, events=kept)))

        return change

    found = judged(shop(tmp_path), "crash", lambda seen: seen, twice, anew, without(ModelReplied), without(Resumed))

    assert found[0].held
    assert found[0].observed.startswith("killed twice, in a model call and in send_refund; nothing done twice")
    assert found[0].observed.endswith("parked, for a person to say what became of it (exit 12)")
    assert [(each.held, each.observed) for each in found[1:]] == [
        (False, "send_refund was done 2 times, under 1 idempotency key: it was made anew after the crash"),
        (False, "send_refund was done 2 times, under 2 idempotency keys: it was made anew after the crash"),
        (False, "2 requests reached the provider, what became of 1 is in the journal"),
        (False, "killed 2 times, and the journal tells of 0"),
    ]


def test_a_tool_that_is_rerun_although_it_is_not_idempotent_is_named(tmp_path):
    """E30"""
    outcome = played(shop(tmp_path, **{EFFECT: f'{EFFECT}\nrecovery = "rerun"'}), "crash")["crash"]

    assert not outcome.passed
    assert "send_refund was done 2 times, under 1 idempotency key" in outcome.observed
    assert outcome.fix == 'in the task: [[tools]] name = "send_refund": recovery = "ask"'


def test_a_tool_that_can_be_asked_what_became_of_it_ends_like_one_that_nobody_killed(tmp_path):
    """E19, E30"""
    asked = f'{EFFECT}\nrecovery = "reconcile"\nverify = ["false"]'

    outcome = played(shop(tmp_path, **{EFFECT: asked}), "crash")["crash"]

    assert outcome.passed
    assert outcome.observed.endswith("it ended like a run that nobody killed: completed")


def test_a_reply_that_died_with_its_process_is_paid_for_in_full_and_not_for_free(tmp_path):
    """E19, E36. A tool that only reads waits for no write: what was answered a moment ago may be known as lost."""

    def lost(cost):
        def change(seen):
            first, last = seen.clients
            failed = next(each for each in last.events if isinstance(each.event, ModelFailed))
            nothing = replace(failed, event=replace(failed.event, cost_micro=cost))
            reply = next(each for each in last.events if isinstance(each.event, ModelReplied))
            events = [nothing if each is reply else each for each in last.events]
            return replace(seen, clients=(first, replace(last, events=events, cost_usd=10.0)))

        return change

    found = judged(free(tmp_path, READS), "crash", lambda seen: seen, lost(10**6), lost(0))

    assert [each.held for each in found] == [True, True, False]
    assert found[0].observed.startswith("killed twice, in a model call and in look_up; nothing done twice")
    assert found[2].observed == "a request that may have been answered was taken for free"
