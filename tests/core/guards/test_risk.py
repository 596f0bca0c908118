"""How dangerous one exact call is, and whether it may run without asking."""

import itertools

import pytest

from agentctl.core import events as ev
from agentctl.core.guards import risk
from agentctl.core.guards.risk import NAMED, Rules, Ruling
from agentctl.core.tiers import Tier
from tests.play import Reply, Script, asks, call, contract, played, policy

EFFECTS = {"none": Tier.SAFE, "local": Tier.LOW, "external": Tier.MEDIUM, "irreversible": Tier.HIGH}


def tier(name: str = "tool", rules: Rules | None = None, **changes) -> Tier:
    return risk.tier(rules or Rules(), contract(name, **changes)).tier


def test_reading_and_calculating_is_safe():
    """B28"""
    assert Tier.SAFE == tier(side_effects="none")


def test_writing_local_files_is_low():
    """B29"""
    assert Tier.LOW == tier(side_effects="local")


def test_external_calls_and_sends_are_medium():
    """B30"""
    assert Tier.MEDIUM == tier(side_effects="external")


def test_what_cannot_be_undone_is_high():
    """B31"""
    assert Tier.HIGH == tier(side_effects="irreversible")


def test_search_web_is_safe():
    """B32"""
    assert Tier.SAFE == tier("search_web", side_effects="irreversible")


def test_read_file_is_safe():
    """B33"""
    assert Tier.SAFE == tier("read_file", side_effects="irreversible")


def test_write_file_is_low():
    """B34"""
    assert Tier.LOW == tier("write_file", side_effects="irreversible")


def test_send_email_is_medium():
    """B35"""
    assert Tier.MEDIUM == tier("send_email", side_effects="none")


def test_post_tweet_is_medium():
    """B36"""
    assert Tier.MEDIUM == tier("post_tweet", side_effects="none")


def test_delete_record_is_high():
    """B37"""
    assert Tier.HIGH == tier("delete_record", side_effects="none")


def test_process_payment_is_high():
    """B38"""
    assert Tier.HIGH == tier("process_payment", side_effects="none")


def test_a_tool_that_nobody_classified_is_high():
    """B39"""
    assert Ruling(Tier.HIGH, "risk.unknown") == risk.tier(Rules(), contract("tool", side_effects=None))


def test_tiers_up_to_low_run_without_asking():
    """B40"""
    assert Tier.LOW == Rules().auto_approve
    assert None is risk.check(Rules(), contract("tool", side_effects="local"))
    assert Ruling(Tier.MEDIUM, 'side_effects = "external"') == risk.check(
        Rules(), contract("tool", side_effects="external")
    )


@pytest.mark.parametrize(("effects", "most"), list(itertools.product(EFFECTS, Tier)))
def test_a_call_asks_exactly_where_its_tier_is_above_what_may_run(effects, most):
    """B40, D72: the matrix; compared as numbers, never as words."""
    asked = risk.check(Rules(auto_approve=most), contract("tool", side_effects=effects))

    assert (EFFECTS[effects].value > most.value) == (asked is not None)


def test_tiers_are_ordered_by_danger_and_not_by_spelling():
    """B40, H1: as words, high would come first and never ask."""
    assert [Tier.SAFE, Tier.LOW, Tier.MEDIUM, Tier.HIGH] == sorted(Tier)
    assert ["high", "low", "medium", "safe"] == sorted(each.word for each in Tier)
    assert [*Tier] == [Tier.of(each.word) for each in Tier]


def test_there_is_no_other_tier():
    with pytest.raises(KeyError):
        Tier.of("forbid")


def test_a_name_decides_before_everything_else():
    ruling = risk.tier(Rules(), contract("read_file", side_effects="irreversible", base_tier=Tier.HIGH))

    assert Ruling(Tier.SAFE, "risk.tiers.read_file") == ruling


def test_a_built_ins_own_tier_decides_before_its_contract():
    ruling = risk.tier(Rules(), contract("shell", side_effects="none", base_tier=Tier.HIGH))

    assert Ruling(Tier.HIGH, "built-in") == ruling


def test_contracts_may_only_raise_where_the_policy_says_so():
    strict = Rules(contracts="raise_only", unknown=Tier.MEDIUM)

    assert Tier.MEDIUM == tier(rules=strict, side_effects="none")
    assert Tier.HIGH == tier(rules=strict, side_effects="irreversible")
    assert Tier.HIGH == tier("read_file", strict, side_effects="irreversible")
    assert Tier.MEDIUM == tier(rules=strict, side_effects=None)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(unknown=Tier.LOW), Tier.HIGH),
        (Rules(rules=(risk.Rule("fs.*", "safe"),)), Tier.HIGH),
        (Rules(rules=(risk.Rule("*", "medium"),)), Tier.HIGH),
        (Rules(tiers={"fs.wipe": Tier.LOW}), Tier.LOW),
        (Rules(tiers={"fs__wipe": Tier.LOW}), Tier.LOW),
        (Rules(rules=(risk.Rule("fs.wipe", "safe"),)), Tier.SAFE),
        (Rules(rules=(risk.Rule("fs.wipe", "safe"),), contracts="raise_only"), Tier.HIGH),
        (Rules(tiers={"fs.wipe": Tier.LOW}, contracts="raise_only"), Tier.HIGH),
    ],
)
def test_what_a_stranger_says_against_its_own_tool_gives_way_only_to_a_policy_that_names_it(rules, expected):
    assert expected == risk.tier(rules, contract("fs.wipe", side_effects=None, warned="irreversible")).tier


def test_what_a_stranger_says_against_its_own_tool_never_lowers():
    high = contract("fs.send", side_effects="irreversible", warned="external")

    assert Ruling(Tier.HIGH, 'side_effects = "irreversible"') == risk.tier(Rules(), high)
    assert Ruling(Tier.MEDIUM, 'its server says "external"') == risk.tier(
        Rules(unknown=Tier.SAFE), contract("fs.send", side_effects=None, warned="external")
    )


def test_the_map_of_the_standard_policy_has_seven_names():
    assert NAMED == Rules().tiers
    assert ("classify", True) == (Rules().contracts, Rules().enabled)


def test_the_guard_can_be_off():
    assert None is risk.check(Rules(enabled=False), contract("delete_record"))


@pytest.mark.parametrize(("name", "asks_first"), [("delete_record", True), ("read_file", False)])
def test_a_high_risk_call_is_behind_a_gate_and_a_safe_one_is_not(name, asks_first):
    """B56, B59, D68"""
    play = played(policy(), Script([asks(call(name)), Reply("done")]), contract(name))

    assert asks_first == bool(play.of(ev.ApprovalRequested))
    assert asks_first == (play.state.run.status == "parked")
    assert asks_first != bool(play.of(ev.ToolStarted))


def test_the_tier_stands_in_the_intent():
    """B27: actions are categorized."""
    play = played(policy(), Script([asks(call("write_file")), Reply("done")]), contract("write_file"))

    assert ["low"] == [start.tier for start in play.of(ev.ToolStarted)]
