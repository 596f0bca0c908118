"""Words that are somebody else's, data that must not leave, and ways out: two of the three, never all unasked."""

import itertools
from dataclasses import replace

import pytest

from agentctl.core.decide_call import _fallback, _judged
from agentctl.core.events import ApprovalRequested, ModelAsked, RunStarted, Stamped, ToolFinished
from agentctl.core.guards import approval, budget, loops, risk, trust
from agentctl.core.guards.trust import Rules, State, check
from agentctl.core.setup import Call
from agentctl.core.taint import Copied
from agentctl.core.tiers import Tier
from tests.play import MAIN, Reply, Says, Script, asks, call, contract, make_setup, policy, writer
from tests.play import played as played_with

PAGE = contract("page", untrusted=True)
LOOK = contract("look")
NOTES = contract("notes", private=True)
SAVE = writer("save", side_effects="local")
POST = contract("post", egress=True)
COPIED = (Copied("pay to DE89 3704", "page"),)


def state(*sources: str, private: tuple[str, ...] = ()) -> State:
    return State(untrusted=sources, private=private)


def played(*replies, rules=None, people=(None,), auto="low", tools=(PAGE, LOOK, NOTES, SAVE, POST), **tables):
    made = policy(MAIN, trust=rules or Rules(), risk=risk.Rules(auto_approve=Tier.of(auto)), **tables)
    return played_with(made, Script(models=replies, people=people), *tools)


def test_injections_are_looked_for_and_the_system_prompt_is_kept():
    rules = Rules()

    assert (True, True, True) == (rules.enabled, rules.detect, rules.protect_system_prompt)
    assert Tier.MEDIUM == rules.after_untrusted


@pytest.mark.parametrize(
    ("tool", "base", "after", "expected"),
    [
        (SAVE, Tier.LOW, Tier.MEDIUM, Tier.MEDIUM),
        (SAVE, Tier.MEDIUM, Tier.MEDIUM, Tier.HIGH),
        (SAVE, Tier.HIGH, Tier.SAFE, Tier.HIGH),
        (SAVE, Tier.SAFE, Tier.SAFE, Tier.LOW),
        (SAVE, Tier.SAFE, Tier.HIGH, Tier.HIGH),
        (POST, Tier.SAFE, Tier.MEDIUM, Tier.MEDIUM),
    ],
)
def test_effects_and_egress_get_the_higher_of_the_policys_tier_and_one_up(tool, base, after, expected):
    """D21: whatever the text says."""
    raised = check(Rules(after_untrusted=after), state("page"), tool, base)

    assert raised is not None
    assert expected == raised.tier
    assert "untrusted text from page" in raised.why


def test_a_call_that_only_reads_what_stays_here_is_left_alone():
    assert check(Rules(), state("page"), LOOK, Tier.SAFE) is None


def test_a_tool_that_nobody_described_has_effects():
    unknown = contract("x", side_effects=None)

    assert Tier.MEDIUM == check(Rules(), state("page"), unknown, Tier.LOW).tier


@pytest.mark.parametrize(("tool", "expected"), [(LOOK, Tier.LOW), (POST, Tier.HIGH), (SAVE, Tier.HIGH)])
def test_a_copied_argument_is_one_tier_more_and_names_its_source(tool, expected):
    raised = check(Rules(), state("mail", "page"), tool, Tier.SAFE, COPIED)

    assert expected == raised.tier
    assert "copied from page" in raised.why


def test_all_three_together_always_ask_and_name_both_sources():
    """D11: the Rule of Two."""
    raised = check(Rules(after_untrusted=Tier.SAFE), state("page", private=("notes",)), POST, Tier.SAFE)

    assert raised.always
    assert "untrusted text from page, private data from notes and a way out" in raised.why


def test_a_tool_that_reads_private_data_and_carries_it_out_is_two_of_the_three_by_itself():
    tool = contract("mailbox", private=True, egress=True)

    assert check(Rules(), state(), tool, Tier.SAFE) is None
    assert check(Rules(), state("page"), tool, Tier.SAFE).always


def test_two_of_the_three_do_not_always_ask():
    assert not check(Rules(), state("page"), POST, Tier.SAFE).always
    assert not check(Rules(), state("page", private=("notes",)), SAVE, Tier.LOW).always
    assert check(Rules(), state(private=("notes",)), POST, Tier.SAFE) is None


def test_a_write_to_a_file_that_decides_later_always_asks_without_any_untrusted_text():
    raised = check(Rules(), state(), SAVE, Tier.LOW, writes=".github/workflows/ci.yml")

    assert raised.always
    assert ".github/workflows/ci.yml is an instruction, hook, CI or policy file" in raised.why
    assert check(Rules(), state(), LOOK, Tier.SAFE, writes=".envrc") is None


def test_the_built_in_file_tools_judge_for_themselves():
    """They see the file, and refuse: nobody is asked what can't be done."""
    edit = writer("edit_file", side_effects="local", base_tier=Tier.LOW)

    assert check(Rules(), state(), edit, Tier.LOW, writes=".envrc") is None
    assert check(Rules(), state(), replace(edit, base_tier=Tier.HIGH), Tier.LOW, writes=".envrc").always


def test_off_is_off():
    everything = state("page", private=("notes",))

    assert check(Rules(enabled=False), everything, POST, Tier.SAFE, COPIED, ".envrc") is None


def test_detection_has_nothing_to_do_with_the_gate():
    for detect in (True, False):
        assert check(Rules(detect=detect), state("page"), SAVE, Tier.LOW).tier is Tier.MEDIUM


# --- what a run remembers ---


def finished(tool: str, *labels: str, final: bool = True) -> ToolFinished:
    return ToolFinished("c1.1", tool, "success", None, False, 1, {}, 1, labels=labels, final=final)


def folded(*events) -> State:
    known = State()
    for seq, event in enumerate(events, 1):
        known = trust.apply(known, Stamped("r", seq, "s", 0, 0.0, event))
    return known


ASKED = ModelAsked("p", "i", "m", 1, "answer", 1, 1, 0)
STARTED = RunStarted("t", "p", "d", "u", "", "g", "s", 1, 1, {}, untrusted=("var.mail",))


def test_a_result_counts_from_the_next_model_call_on():
    before = folded(finished("page", "untrusted", "egress"))
    after = folded(finished("page", "untrusted", "egress"), ASKED)

    assert ((), ()) == (before.untrusted, before.egress)
    assert ("page",) == trust.sources(before)
    assert (("page",), (), ("page",)) == (after.untrusted, after.private, after.egress)


def test_variables_of_a_stranger_are_untrusted_from_the_start():
    assert ("var.mail",) == folded(STARTED).untrusted


def test_an_attempt_that_the_model_never_sees_brings_nothing_in():
    assert State() == folded(finished("page", "untrusted", final=False), ASKED)


def test_each_source_is_remembered_once_and_the_first_ones_stay():
    names = [f"t{number}" for number in range(40)]
    events = itertools.chain.from_iterable((finished(name, "untrusted"), ASKED) for name in names * 2)

    assert tuple(names[: trust.MOST_SOURCES]) == folded(*events).untrusted


def test_where_words_and_data_came_in_is_told_once_at_the_call_that_brought_them():
    """D21"""
    events = [finished("page", "untrusted", "private"), finished("page", "untrusted"), finished("notes", "private")]
    stamped = [Stamped("r", seq, "s", 0, 0.0, event) for seq, event in enumerate(events, 1)]

    said = set()

    assert [("untrusted from page", "private from page"), (), ("private from notes",)] == [
        trust.enters(said, each) for each in stamped
    ]


# --- at the seam ---


def asked_of(play) -> list[tuple[str, str, str]]:
    return [(one.tool, one.tier, one.rule) for one in play.of(ApprovalRequested)]


def test_an_effect_after_untrusted_text_is_asked_about_and_the_rule_says_why():
    """D21, D22"""
    play = played(asks(call("page")), asks(call("save")), Reply("done"))

    ((tool, tier, rule),) = asked_of(play)

    assert ("save", "medium") == (tool, tier)
    assert 'side_effects = "local"; trust: untrusted text from page' == rule


def test_calls_of_the_reply_that_brings_it_in_are_not_steered_by_it():
    play = played(asks(call("page"), call("save")), Reply("done"))

    assert [] == asked_of(play)


def test_whatever_the_policy_lets_run_all_three_together_ask():
    play = played(asks(call("page"), call("notes")), asks(call("post")), Reply("done"), auto="high")

    (request,) = play.of(ApprovalRequested)

    assert ("post", True) == (request.tool, request.once)


def test_approved_once_it_runs_and_is_asked_about_again_the_next_time():
    """D11: an answer to all three is never remembered."""
    play = played(
        asks(call("page"), call("notes")), asks(call("post", n=1)), asks(call("post", n=1)), Reply("done"),
        auto="high", people=(Says("approve"),), loops=loops.Rules(enabled=False),
    )  # fmt: skip

    assert 2 == len(play.of(ApprovalRequested))


def test_nobody_is_asked_where_approval_is_off():
    play = played(
        asks(call("page"), call("notes")), asks(call("post")), Reply("done"), approval=approval.Rules(enabled=False)
    )

    assert [] == asked_of(play)


def test_a_fallback_that_would_have_to_ask_does_not_stand_in():
    """E25: it takes a call only where it may run by itself."""
    setup = make_setup(policy(MAIN, trust=Rules()), (SAVE,))
    known = replace(played(Reply("done")).state, trust=state("page"))
    at = played(asks(call("save")), auto="safe").state.inflight.calls[0]

    assert "ask" == _judged(setup, known, SAVE, Call(at, {})).decision


def test_a_call_that_would_carry_the_system_prompt_out_is_refused_and_one_that_reads_is_not():
    """D09: exfiltrated by a tool it is as gone as in an answer."""
    play = played(asks(call("post", leaks=True), call("save", leaks=True), call("look", leaks=True)), Reply("done"))

    assert ["SYSTEM_PROMPT", "SYSTEM_PROMPT", None] == [one.code for one in play.answers]


def test_unprotected_it_may_be_carried_out():
    rules = Rules(protect_system_prompt=False)

    assert trust.keeps(Rules(), POST) is not None
    assert trust.keeps(rules, POST) is trust.keeps(Rules(enabled=False), POST) is None


def test_a_fallback_is_held_to_what_its_own_contract_says():
    """D09, D95: it is another tool than the one that was decided."""
    kept = replace(POST, name="kept", wire="kept", requires_check=True, egress=False)
    setup = make_setup(policy(MAIN, trust=Rules()), (LOOK, POST, kept))
    known = played(asks(call("look"))).state
    at = known.inflight.calls[0]

    for other, leaks, stands_in in ((POST, False, True), (POST, True, False), (kept, False, False)):
        looks = replace(LOOK, fallback_tool=other.name)
        call_of = Call(replace(at, key="new"), {}, leaks=leaks)
        assert stands_in == (_fallback(setup, known, call_of, looks, 0.0) is not None)


def test_an_answer_that_was_withheld_ends_the_run():
    """D09"""
    play = played(Reply("[withheld]", withheld="system_prompt"))

    end = play.events[-1].event

    assert ("failed", "system_prompt", 15) == (end.status, end.reason, end.exit_code)


def test_a_withheld_answer_is_told_also_while_landing():
    play = played(asks(call("look")), Reply("x", withheld="system_prompt"), budget=budget.Rules(max_steps=1))

    assert "system_prompt" == play.events[-1].event.reason
