"""Changes of a policy's text: nothing else moves, and what can't be placed is left to a person."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from agentctl.config import amending
from agentctl.config.amending import Change
from agentctl.core.guards.risk import Rule

STEPS = Change("budget", "max_steps", 6, "p95 of 25 runs")
RULE = Rule(
    "shell", "low", {"command": r"^git log\.x$"}, 'so "it" is', ({"command": "git log.x"},), ({"a b": [1, {}]},)
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[budget]\nmax_steps = 20   # ours\n", "max_steps = 6   # ours"),
        ("[budget]\nmax_steps = 20", "max_steps = 6"),
        ("[budget]   # money\nrun_usd = 1.0\n[risk]\n", "max_steps = 6"),
        ("[risk]\nauto_approve = 'low'\n", "max_steps = 6"),
        ("", "max_steps = 6"),
    ],
)
def test_a_value_is_changed_where_it_stands_or_put_where_it_belongs(text: str, line: str):
    """C75"""
    made = amending.amended(text, STEPS)

    assert made is not None
    assert line in made.splitlines()
    assert "# suggested: p95 of 25 runs" in made
    assert {**tomllib.loads(text).get("budget", {}), "max_steps": 6} == tomllib.loads(made)["budget"]
    assert all(each in made.splitlines() for each in text.splitlines() if "max_steps" not in each)


@pytest.mark.parametrize(
    "text", ["budget = { max_steps = 20 }\n", "budget.run_usd = 1.0\n[budget.x]\n", "[budget", "[[budget]]\na = 1\n"]
)
def test_what_can_not_be_placed_is_not(text: str):
    """C75"""
    assert amending.amended(text, STEPS) is None


def test_a_rule_comes_last_and_says_what_it_is_to_say():
    """C75"""
    made = amending.with_rule("[budget]\nmax_steps = 2", RULE, "12 approvals")

    assert made is not None
    (rule,) = tomllib.loads(made)["risk"]["rules"]
    assert {"command": r"^git log\.x$"} == rule["args"]
    assert ('so "it" is', [{"a b": [1, {}]}]) == (rule["why"], rule["not_match"])
    assert amending.with_rule("[risk]\nrules = []\n", RULE, "12 approvals") is None


def test_a_diff_applies_also_where_the_file_does_not_end_in_a_line(tmp_path: Path):
    """C75"""
    text = "version = 1\n[budget]\nmax_steps = 20"
    (tmp_path / "a.toml").write_text(text)
    made = amending.amended(text, STEPS)
    assert made is not None
    (tmp_path / "a.diff").write_text(amending.diff(text, made, "a.toml", "a.toml"))
    subprocess.run(["patch", "-p0", "-i", "a.diff"], cwd=tmp_path, check=True, capture_output=True)

    assert made == (tmp_path / "a.toml").read_text()
    assert amending.diff(text, text, "a", "a") == ""
