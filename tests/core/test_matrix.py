"""What becomes of a call: its tier, what may run by itself, and what the run has met, written out as tables."""

from dataclasses import replace

import pytest

from agentctl.core.decide_call import judge
from agentctl.core.guards import approval, risk, trust
from agentctl.core.guards.risk import Rule
from agentctl.core.policy import Policy
from agentctl.core.tiers import Tier
from tests.play import MAIN, contract

DECISIONS = {"+": "allow", "?": "ask", "-": "deny"}
WORDS = ("safe", "low", "medium", "high")
MET = {
    "nothing": trust.State(),
    "untrusted": trust.State(untrusted=("page",)),
    "all three": trust.State(untrusted=("page",), private=("notes",)),
}
TOOLS = {
    "sends": contract("send", side_effects="external", egress=True),
    "changes": contract("change", side_effects="local"),
    "reads": contract("look", side_effects="none"),
}
# Across: auto_approve = safe, low, medium, high.
TABLES = {
    ("nothing", "reads"): {"safe": "++++", "low": "?+++", "medium": "??++", "high": "???+", "forbid": "----"},
    ("nothing", "changes"): {"safe": "++++", "low": "?+++", "medium": "??++", "high": "???+", "forbid": "----"},
    ("nothing", "sends"): {"safe": "++++", "low": "?+++", "medium": "??++", "high": "???+", "forbid": "----"},
    ("untrusted", "reads"): {"safe": "++++", "low": "?+++", "medium": "??++", "high": "???+", "forbid": "----"},
    ("untrusted", "changes"): {"safe": "??++", "low": "??++", "medium": "???+", "high": "???+", "forbid": "----"},
    ("untrusted", "sends"): {"safe": "??++", "low": "??++", "medium": "???+", "high": "???+", "forbid": "----"},
    ("all three", "reads"): {"safe": "++++", "low": "?+++", "medium": "??++", "high": "???+", "forbid": "----"},
    ("all three", "changes"): {"safe": "??++", "low": "??++", "medium": "???+", "high": "???+", "forbid": "----"},
    ("all three", "sends"): {"safe": "????", "low": "????", "medium": "????", "high": "????", "forbid": "----"},
}
CELLS = [
    (met, tool, tier, most, DECISIONS[cell])
    for (met, tool), rows in TABLES.items()
    for tier, row in rows.items()
    for most, cell in zip(WORDS, row, strict=True)
]


def decided(met, tool, tier, most, **tables):
    rules = risk.Rules(auto_approve=Tier.of(most), rules=(Rule("*", tier),))
    return judge(Policy(providers=(MAIN,), risk=rules, **tables), risk.UNREAD, MET[met], TOOLS[tool], {})


def test_the_matrix_is_whole():
    """B40"""
    assert 3 * 3 * 5 * 4 == len(CELLS)


@pytest.mark.parametrize(
    ("met", "tool", "tier", "most", "decision"),
    CELLS,
    ids=[f"{met}-{tool}-{tier}-up_to_{most}" for met, tool, tier, most, _ in CELLS],
)
def test_every_cell_of_the_matrix(met, tool, tier, most, decision):
    """B40, D11, D72"""
    assert decision == decided(met, tool, tier, most).decision


def test_a_lower_auto_approve_turns_no_answer_to_a_laxer_one():
    """B40: what `--auto-approve` may do is to go to the left in a row."""
    order = list(DECISIONS)
    for rows in TABLES.values():
        for row in rows.values():
            assert sorted(row, key=order.index, reverse=True) == list(row)


def test_what_asks_each_time_is_never_remembered():
    """D21"""
    found = {key: decided(*key, "safe", "high").once for key in TABLES}

    assert [("all three", "sends")] == [key for key, once in found.items() if once]


@pytest.mark.parametrize("tier", WORDS)
def test_without_approvals_nobody_is_asked_and_what_is_forbidden_stays_so(tier):
    off = approval.Rules(enabled=False)

    assert "allow" == decided("all three", "sends", tier, "safe", approval=off).decision
    assert "deny" == decided("nothing", "reads", "forbid", "high", approval=off).decision


def test_with_the_guard_off_no_tier_asks_but_the_three_together_do():
    for (met, tool), rows in TABLES.items():
        for tier in rows:
            rules = risk.Rules(enabled=False, auto_approve=Tier.SAFE, rules=(Rule("*", tier),))
            found = judge(Policy(providers=(MAIN,), risk=rules), risk.UNREAD, MET[met], TOOLS[tool], {})
            assert ("ask" if (met, tool) == ("all three", "sends") else "allow") == found.decision


@pytest.mark.parametrize(
    ("by", "tier"), [("rule", "safe"), ("name", "safe"), ("built-in", "safe"), ("contract", "safe")]
)
def test_each_source_of_a_tier_goes_before_the_next(by, tier):
    """B39: rule, name, built-in, contract, unknown: each alone lets run what all that come after would ask for."""
    tool = replace(TOOLS["sends"], side_effects="irreversible", base_tier=Tier.HIGH)
    rules = risk.Rules(unknown=Tier.HIGH, tiers={"send": Tier.HIGH})
    if by == "rule":
        rules = replace(rules, rules=(Rule("send", tier),))
    elif by == "name":
        rules = replace(rules, tiers={"send": Tier.of(tier)})
    elif by == "built-in":
        tool, rules = replace(tool, base_tier=Tier.of(tier)), replace(rules, tiers={})
    else:
        tool, rules = replace(tool, base_tier=None, side_effects="none"), replace(rules, tiers={})

    assert Tier.of(tier) == risk.tier(rules, tool).tier
