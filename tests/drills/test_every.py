"""All drills at once: every shipped policy passes all that apply, and a policy with one hole fails exactly its own."""

import pytest

from agentctl.config import paths
from agentctl.rehearsal.drills.registry import DRILLS
from tests.drills.acting import shop
from tests.drills.playing import play, verdicts

ALL = [drill.name for drill in DRILLS]
QUICK = [name for name in ALL if name != "crash"]
"""Without the one that starts processes, on which no key of a policy has a say."""
WEAK = [
    ({"args__enabled": False}, {"bad-args": "args.enabled = true"}),
    ({"circuit__enabled": False}, {"outage": "circuit.enabled = true"}),
    (
        {"progress__enabled": False, "loops__enabled": False, "budget__max_steps": 100, "budget__max_tool_errors": 100},
        {"search-loop": "progress.enabled = true", "slow-tool": "budget.max_steps = 20"},
    ),
]
ALONE = """version = 1
extends = "standard"

[[providers]]
name = "anthropic"
sdk = "anthropic"
model = "claude-sonnet-4-6"
"""


@pytest.mark.slow
@pytest.mark.parametrize("policy", sorted(path.stem for path in paths.shipped_policies().glob("*.toml")))
def test_every_shipped_policy_holds_in_every_drill_that_applies_to_it(tmp_path, policy):
    """D04, D123"""
    names = ALL if policy == "standard" else QUICK
    played = play(shop(tmp_path / "task"), tmp_path / "stores", *names, policy=policy)
    local = {"outage", "budget-race"} if policy == "local" else set[str]()

    assert {name: each.outcome.observed for name, each in played.items() if each.outcome.passed is False} == {}
    assert {name for name, held in verdicts(played).items() if held is None} == local


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "failing"), WEAK, ids=[" ".join(failing) for _, failing in WEAK])
def test_a_policy_with_a_hole_fails_exactly_its_own_drills_and_is_told_what_holds(tmp_path, keys, failing):
    """D04, D123. What is told was seen to hold."""
    played = play(shop(tmp_path / "task"), tmp_path / "stores", *QUICK, policy="standard", **keys)

    assert {name: each.outcome.fix for name, each in played.items() if not each.outcome.passed} == failing


def test_a_policy_with_one_provider_loses_its_clients_in_an_outage(tmp_path):
    """C45"""
    (tmp_path / "alone.toml").write_text(ALONE)
    played = play(shop(tmp_path / "task"), tmp_path / "stores", "outage", policy=str(tmp_path / "alone.toml"))

    assert not played["outage"].outcome.passed
    assert "[[providers]]" in played["outage"].outcome.fix
