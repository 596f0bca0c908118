"""What is said of rules that do nothing, or more than was meant."""

import pytest

from agentctl.config import rule_review, rulings
from agentctl.config.load import load_policy
from agentctl.config.task import load_task

TASK = """version = 1
name = "t"
goal = "g"
policy = "p.toml"
[[tools]]
name = "orders.find"
description = "finds"
command = ["true"]
parameters = { type = "object" }
[[tools]]
name = "fs"
use = "mcp"
command = ["server"]
[[tools]]
use = "builtin:read_file"
"""


@pytest.fixture
def review(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.toml").write_text(TASK)

    def notes(text, *, task=False):
        (tmp_path / "p.toml").write_text(text)
        return rule_review.notes(load_policy("p.toml"), load_task(tmp_path / "t.toml") if task else None)

    return notes


def test_a_rule_under_a_stricter_one_is_named_with_it(review):
    (note,) = review('[[risk.rules]]\ntool = "mail_*"\ntier = "high"\n[[risk.rules]]\ntool = "mail_in"\ntier = "low"\n')

    assert note.startswith("p.toml:4 risk.rules[2]: it never decides: p.toml:1 risk.rules[1] (high) matches the same")


def test_a_rule_twice_is_named_once(review):
    rule = '[[risk.rules]]\ntool = "mail"\nargs = { to = "^a$" }\ntier = "low"\n'
    (note,) = review(rule * 2)

    assert note.startswith("p.toml:5 ")
    assert note.endswith("comes first")


def test_rules_that_can_decide_are_not_spoken_of(review):
    assert [] == review(
        '[[risk.rules]]\ntool = "mail"\nargs = { to = "^a$" }\ntier = "high"\n'
        '[[risk.rules]]\ntool = "mail"\ntier = "low"\n'
        '[[risk.rules]]\ntool = "shell"\nargs = { command = "rm" }\ntier = "forbid"\n'
    )


def test_a_pattern_that_lets_run_whatever_stands_around_it_is_named(review):
    (note,) = review('[[risk.rules]]\ntool = "mail"\nargs = { to = "@home$" }\ntier = "low"\n')

    assert note.startswith("p.toml:1 risk.rules[1]: to = '@home$' lets run whatever stands around it: write ^")


def test_a_rule_for_no_tool_of_the_task_is_named_with_the_nearest(review):
    (note,) = review('[[risk.rules]]\ntool = "order.find"\ntier = "forbid"\n', task=True)

    assert "p.toml:1 risk.rules[1]: no tool of t is called 'order.find': did you mean \"orders.find\"?" == note


@pytest.mark.parametrize(
    "name", ["orders.find", "orders__find", "fs.delete", "fs__*", "*", "read_file", "f*", "*.find"]
)
def test_names_that_a_tool_of_the_task_has_or_may_have_are_known(review, name):
    assert [] == review(f'[[risk.rules]]\ntool = "{name}"\ntier = "high"\n', task=True)


def test_each_rule_has_the_place_where_a_person_wrote_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parent.toml").write_text('[[risk.rules]]\ntool = "a"\ntier = "high"\n')
    (tmp_path / "p.toml").write_text('extends = "parent.toml"\n\n[[risk.rules]]\ntool = "b"\ntier = "high"\n')
    loaded = load_policy("p.toml")

    assert (("parent.toml", 1), ("p.toml", 3)) == rulings.places(loaded)[1:]
    assert ("parent.toml:1", "p.toml:3") == rulings.reader(loaded).places[1:]


@pytest.mark.parametrize("tool", ["shell", "sh*", "*"])
def test_a_rule_that_lets_run_every_shell_command_is_loudly_named(review, tool):
    (note,) = review(f'[[risk.rules]]\ntool = "{tool}"\ntier = "low"\n')

    assert note.startswith("p.toml:1 risk.rules[1]: WARNING: it lets the shell run ANY command")


def test_a_tier_that_lets_run_every_shell_command_is_loudly_named(review):
    (note,) = review('[risk]\ntiers = { shell = "low" }\n')

    assert note.startswith("p.toml:2 risk.tiers.shell: WARNING: it lets the shell run ANY command")
    assert [] == review('[risk]\ntiers = { shell = "medium" }\n')
    assert [] == review('[[risk.rules]]\ntool = "shell"\ntier = "high"\n')


@pytest.mark.parametrize(
    ("pattern", "program"),
    [("^python3 .*$", "python3"), ("^.*$", "sh"), ("^(make|sh) [a-z]+$", "sh"), ("^env .+$", "env")],
)
def test_a_pattern_that_lets_run_what_somebody_elses_words_say_is_named(review, pattern, program):
    (note,) = review(f'[[risk.rules]]\ntool = "shell"\nargs = {{ command = "{pattern}" }}\ntier = "low"\n')

    assert f"lets run {program} with any words, and {program} starts what its words say" in note


@pytest.mark.parametrize(
    "pattern", ["^make test$", "^npm run (lint|test)$", "^pytest( -q)?$", "^git push origin [a-z]+$"]
)
def test_a_pattern_of_words_that_somebody_wrote_down_is_not_spoken_of(review, pattern):
    assert [] == review(f'[[risk.rules]]\ntool = "shell"\nargs = {{ command = "{pattern}" }}\ntier = "low"\n')


def test_an_alternative_that_is_open_at_one_side_is_named(review):
    (note,) = review('[[risk.rules]]\ntool = "mail"\nargs = { to = "^a@home|b@home$" }\ntier = "low"\n')

    assert "lets run whatever stands around it" in note
