"""`[[risk.rules]]`: which rule decides one exact call, and what a forbidden one comes to."""

import re
from dataclasses import replace

import pytest

from agentctl.core import events as ev
from agentctl.core.guards import risk
from agentctl.core.guards.risk import Reader, Rule, Rules, Ruling
from agentctl.core.tiers import Tier
from tests.play import Reply, Script, asks, call, contract, played, policy

READER = Reader(lambda pattern, text: re.search(pattern, text) is not None, ("p.toml:3", "p.toml:9", "p.toml:12"))


def ruled(*rules: Rule, name: str = "tool", args: dict | None = None, reader: Reader = READER, **changes) -> Ruling:
    return risk.tier(Rules(rules=rules), contract(name, **changes), args, reader)


def test_a_rule_decides_before_every_name_built_in_and_contract():
    """B39: also where it makes the call laxer."""
    found = ruled(Rule("delete_record", "safe"), name="delete_record", side_effects="irreversible", args={})

    assert Ruling(Tier.SAFE, "p.toml:3", spoke=(0,), decided=0) == found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_strictest_rule_that_matches_decides_wherever_it_stands(order):
    """D72"""
    rules = (Rule("t*", "safe"), Rule("tool", "high", why="ask us"), Rule("*", "low"))
    found = ruled(*(rules[at] for at in order), args={})

    assert (Tier.HIGH, (0, 1, 2), order.index(1)) == (found.tier, found.spoke, found.decided)
    assert found.rule.endswith("(ask us)")


def test_forbid_is_stricter_than_high():
    found = ruled(Rule("tool", "high"), Rule("tool", "forbid"), args={})

    assert (True, 1) == (found.forbidden, found.decided)


def test_every_pattern_must_be_found_in_the_argument_at_its_path():
    rule = Rule("mail", "low", {"to[0].address": "@home$", "cc": "^none$"})
    fits = {"to": [{"address": "a@home"}], "cc": "none"}

    assert (0,) == ruled(rule, name="mail", args=fits).spoke
    assert () == ruled(rule, name="mail", args={**fits, "cc": "all"}).spoke
    assert () == ruled(rule, name="mail", args={"cc": "none"}).spoke
    assert () == ruled(rule, name="mail", args={**fits, "to": "a@home"}).spoke


def test_the_name_on_the_wire_is_another_way_to_write_a_tool():
    assert (0,) == ruled(Rule("fs__read", "high"), name="fs.read").spoke
    assert (0,) == ruled(Rule("fs.*", "high"), name="fs.read").spoke
    assert Tier.HIGH == risk.tier(Rules(tiers={"fs__read": Tier.HIGH}), contract("fs.read")).tier


def test_of_a_tool_alone_only_rules_without_patterns_speak():
    rules = (Rule("tool", "high", {"a": "x"}), Rule("tool", "medium"))

    assert (1,) == ruled(*rules).spoke


def test_a_contract_that_may_only_raise_raises_what_a_rule_says_too():
    rules = Rules(rules=(Rule("tool", "safe"),), contracts="raise_only")
    found = risk.tier(rules, contract("tool", side_effects="irreversible"), {})

    assert Ruling(Tier.HIGH, 'side_effects = "irreversible"', spoke=(0,)) == found


def test_a_rule_that_cannot_be_looked_for_is_not_passed_over():
    with pytest.raises(LookupError):
        ruled(Rule("tool", "forbid", {"a": "x"}), args={"a": "x"}, reader=risk.UNREAD)


def test_a_forbidden_call_is_refused_whatever_may_run_by_itself():
    """B42: nobody is asked, nothing starts, and the model is told which rule it was."""
    rules = Rules(auto_approve=Tier.HIGH, rules=(Rule("look", "forbid", why="not here"),))
    play = played(policy(risk=rules), Script([asks(call("look")), Reply("done")]), contract("look"))
    (finished,) = play.of(ev.ToolFinished)

    assert not play.of(ev.ToolStarted)
    assert not play.of(ev.ApprovalRequested)
    assert "FORBIDDEN" == finished.code
    assert "risk.rules[0] (not here)" in str(finished.result["message"])


def test_a_tool_forbidden_whatever_its_arguments_is_hidden_and_one_forbidden_for_some_is_not():
    tool = contract("look")

    assert risk.hidden(Rules(rules=(Rule("l*", "forbid"),)), tool)
    assert not risk.hidden(Rules(rules=(Rule("look", "forbid", {"a": "x"}),)), tool)
    assert not risk.hidden(Rules(enabled=False, rules=(Rule("look", "forbid"),)), tool)


def test_a_guard_that_is_off_forbids_nothing():
    rules = Rules(rules=(Rule("tool", "forbid"),))

    assert None is not risk.check(rules, contract("tool"))
    assert None is risk.check(replace(rules, enabled=False), contract("tool"))
