"""What rules say of shell commands: of the whole, of each part, and of what is hidden in one."""

from dataclasses import replace

import pytest

from agentctl.config import patterns
from agentctl.core import command_rules
from agentctl.core.commands import Command, Part
from agentctl.core.guards import risk
from agentctl.core.guards.risk import Reader, Rule, Rules
from agentctl.core.tiers import Tier
from tests.play import contract

READER = Reader(patterns.found, ("p.toml:1", "p.toml:2", "p.toml:3"))
SHELL = contract("shell", side_effects=None, base_tier=Tier.HIGH, command=lambda _: None)
GIT = Part("git status", ("git", "status"), spellings=("git status",))
PUSH = Part("git push", ("git", "push"), spellings=("git push",))
SUBSTITUTED = Part("ls $(rm x)", why="it has a command within a word in it", spellings=("ls $(rm x)", "rm x"))


def plain(part):
    return Command((part,))


def judged(command, *rules, text="", tool=SHELL, **table):
    args = {"command": text or "; ".join(part.text for part in command.parts)}
    return command_rules.tier(Rules(rules=rules, **table), tool, args, READER, command)


def rule(pattern, tier):
    return Rule("shell", tier, {"command": pattern})


def test_one_plain_command_has_the_tier_of_the_strictest_matching_rule_else_of_the_table():
    assert Tier.SAFE == judged(plain(GIT)).tier
    assert Tier.HIGH == judged(plain(PUSH)).tier
    assert (Tier.LOW, "p.toml:1") == ((low := judged(plain(PUSH), rule("^git push$", "low"))).tier, low.rule)
    both = judged(plain(PUSH), rule("^git push$", "low"), rule("push", "medium"))
    assert (Tier.MEDIUM, 1, (0, 1)) == (both.tier, both.decided, both.spoke)
    assert Tier.MEDIUM == judged(plain(GIT), rule("^git", "medium")).tier


@pytest.mark.parametrize("pattern", [".", "^git status; git status$", "^git", "^git status$"])
def test_no_rule_about_arguments_makes_more_than_one_plain_command_less_than_high(pattern):
    for command in (
        Command((GIT, GIT), "it has commands in a row in it"),
        Command((SUBSTITUTED, Part("rm x", ("rm", "x"))), "it has a command within a word in it"),
        Command((Part("git status > f", why="it has a redirection in it"),), "it has a redirection in it"),
        Command((Part("x", why="it can't be read as a shell reads it"),), "it can't be read as a shell reads it"),
        Command((), "there is nothing in it"),
        None,
    ):
        text = "git status; git status"
        ruling = command_rules.tier(Rules(rules=(rule(pattern, "safe"),)), SHELL, {"command": text}, READER, command)
        assert Tier.HIGH == ruling.tier


def test_each_part_is_judged_alone_and_the_strictest_decides_with_its_place():
    command = Command((GIT, PUSH), "it has commands in a row in it")
    rules = Rules(rules=(rule("^git push$", "forbid"), rule("^git", "low")))
    parts = command_rules.parts(rules, SHELL, {"command": "git status; git push"}, READER, command)

    assert [("low", "p.toml:2"), ("forbid", "p.toml:1")] == [(ruling.word, ruling.rule) for _, ruling in parts]
    assert judged(command, *rules.rules).forbidden


@pytest.mark.parametrize("tier", ["high", "forbid"])
def test_a_rule_that_raises_is_held_against_every_spelling_of_a_part(tier):
    for part in (
        SUBSTITUTED,
        Part("r''m x", why="it has more than literal words in it", spellings=("rm x",)),
        Part("'rm' x", ("rm", "x")),
        Part("sudo rm x", ("sudo", "rm", "x"), spellings=("sudo rm x", "rm x")),
    ):
        ruling = judged(plain(part), rule("^rm( |$)", tier))
        assert (tier, 0) == (ruling.word, ruling.decided)


def test_a_rule_that_lowers_is_held_against_the_text_alone_and_not_against_its_spellings():
    assert Tier.HIGH == judged(plain(Part("'rm' x", ("rm", "x"), spellings=("rm x",))), rule("^rm x$", "safe")).tier
    assert (
        Tier.HIGH == judged(plain(Part("sudo rm x", ("sudo", "rm", "x"), spellings=("rm x",))), rule("^rm", "low")).tier
    )


def test_a_part_whose_words_nobody_knows_is_made_harmless_by_no_pattern():
    assert Tier.HIGH == judged(plain(SUBSTITUTED), rule(".", "safe")).tier


def test_what_the_policy_says_of_the_tool_itself_holds_for_every_command():
    """B27: only somebody who speaks of the whole tool speaks of compounds too."""
    both = Command((PUSH, PUSH), "it has a pipe in it")

    assert Tier.LOW == judged(both, Rule("shell", "low")).tier
    assert Tier.LOW == judged(both, tiers={"shell": Tier.LOW}).tier
    assert Tier.HIGH == judged(both, Rule("shell", "low"), rule("^git push$", "high")).tier
    assert judged(both, Rule("sh*", "forbid")).forbidden


def test_effects_that_only_raise_hold_for_commands_too():
    tool = replace(SHELL, side_effects="irreversible")

    assert Tier.HIGH == judged(plain(GIT), rule("^git status$", "safe"), tool=tool, contracts="raise_only").tier


def test_a_command_that_nobody_has_read_is_high_and_a_tool_without_a_shell_is_judged_by_rules_alone():
    args = {"command": "git status"}

    assert Tier.HIGH == command_rules.tier(Rules(), SHELL, args, READER, None).tier
    other = contract("other", side_effects="none")
    assert risk.tier(Rules(), other, args, READER) == command_rules.tier(Rules(), other, args, READER, plain(GIT))
