"""`circuits`: who is left alone for a while, and closing one by hand."""

import re
import time

import pytest

from agentctl.config import paths
from agentctl.core.guards import circuit
from agentctl.journal import circuits
from agentctl.journal.circuits import Ask, Outcome
from agentctl.journal.codec import timestamp
from agentctl.journal.store import open_store

NOW = 1_790_000_000.0
RULES = circuit.Rules()
MODEL, OTHER, TOOL = (
    "anthropic:claude-sonnet-4-6",
    "openai:gpt-5.4@http://127.0.0.1:1/v1",
    "tool:send_refund:3f2a91b0c4d5",
)
PLAYED = "rehearsal:r_1:anthropic:claude-sonnet-4-6"


@pytest.fixture
def clock(monkeypatch):
    now = [NOW]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.fixture
def weigh(isolated):
    """Tell a circuit of the default store so many failures, or one success."""

    def write(name, failures=0, at=NOW, probes=0):
        rules = RULES.tools if "tool:" in name else RULES

        def work(tx):
            for number in range(failures or 1):
                circuits.record(tx, Outcome(name, rules, f"call{number}", not failures, at), at)
            for number in range(probes):
                circuits.take(tx, Ask(name, rules, f"probe{number}", 90.0), at + 60)

        with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
            store.write(work)

    return write


def states(agentctl, *flags):
    return {item["name"]: item["state"] for item in agentctl("circuits", "--json", *flags).json["items"]}


def test_no_circuits_is_one_line(agentctl):
    called = agentctl("circuits")

    assert (0, "") == (called.code, called.out)
    assert called.err == "no circuits yet: a provider or tool has one once it was called\n"
    assert {"items": [], "truncated": False} == agentctl("circuits", "--json").json


def test_the_open_ones_come_first_with_the_time_left(agentctl, weigh, clock):
    """C74"""
    weigh(MODEL)
    weigh(OTHER, failures=5, at=NOW - 60, probes=1)
    weigh(TOOL, failures=5, at=NOW - 17)
    weigh("tool:lookup:3f", failures=6, at=NOW - 600)
    weigh(PLAYED, failures=5)

    assert [re.split(r"  +", line) for line in agentctl("circuits").out.splitlines()] == [
        ["NAME", "KIND", "STATE", "FAILURES", "OPENED_AT", "RETRY_AT"],
        [TOOL, "tool", "open, probe in 43 s", "5", "14:13", "14:14"],
        [OTHER, "provider", "half-open, probing", "5", "14:12", "14:14"],
        ["tool:lookup:3f", "tool", "half-open, the next call probes", "5", "14:03", "-"],
        [MODEL, "provider", "closed", "0", "-", "-"],
    ]
    clock[0] += 43
    assert states(agentctl)[TOOL] == "half_open"


def test_json_has_the_contract_s_columns(agentctl, weigh, clock):
    weigh(TOOL, failures=5, at=NOW - 17)
    weigh(MODEL)

    assert agentctl("circuits", "--json").json == {
        "items": [
            {
                "name": TOOL,
                "kind": "tool",
                "state": "open",
                "failures": 5,
                "opened_at": "2026-09-21T14:13:03.000Z",
                "retry_at": "2026-09-21T14:14:03.000Z",
                "rehearsed": False,
            },
            {
                "name": MODEL,
                "kind": "provider",
                "state": "closed",
                "failures": 0,
                "opened_at": None,
                "retry_at": None,
                "rehearsed": False,
            },
        ],
        "truncated": False,
    }


def test_the_rules_are_the_policy_s(agentctl, weigh, clock, tmp_path):
    policy = tmp_path / "p.toml"
    policy.write_text("version = 1\n[circuit]\nrecovery_s = 5.0\n[circuit.tools]\nrecovery_s = 900.0\n")
    weigh(MODEL, failures=5, at=NOW - 17)
    weigh(TOOL, failures=5, at=NOW - 600)

    assert {MODEL: "open", TOOL: "half_open"} == states(agentctl)
    assert {MODEL: "half_open", TOOL: "open"} == states(agentctl, "--policy", str(policy))


def test_without_a_policy_each_rests_for_as_long_as_whoever_opened_it_leaves_it_alone(agentctl, isolated, clock):
    rules = circuit.Rules(failure_threshold=1, recovery_s=600.0)
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        store.write(lambda tx: circuits.record(tx, Outcome(MODEL, rules, "o", False, NOW - 100), NOW - 100))
    (item,) = agentctl("circuits", "--json").json["items"]

    assert ("open", timestamp(NOW + 500)) == (item["state"], item["retry_at"])


def test_rehearsals_are_hidden_unless_asked_for(agentctl, weigh, clock):
    weigh(PLAYED, failures=5)
    weigh("rehearsal:r_1:tool:lookup:3f")

    assert {} == states(agentctl)
    kinds = [(item["kind"], item["rehearsed"]) for item in agentctl("circuits", "--rehearsed", "--json").json["items"]]
    assert [("provider", True), ("tool", True)] == kinds


@pytest.mark.parametrize("name", [MODEL, "anthropic", "sonnet"])
def test_a_reset_closes_the_one_that_is_meant(agentctl, weigh, clock, name):
    weigh(MODEL, failures=5)
    weigh(OTHER, failures=5)
    weigh(PLAYED, failures=5)
    called = agentctl("circuits", "reset", name)

    assert (0, f"reset {MODEL}: it is closed\n") == (called.code, called.out)
    assert {OTHER: "open", PLAYED: "open"} == states(agentctl, "--rehearsed")
    assert {"name": OTHER, "reset": True} == agentctl("circuits", "reset", "gpt", "--json").json
    assert {"name": PLAYED, "reset": True} == agentctl("circuits", "reset", "r_1", "--json").json


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        (":", f"several circuits have ':' in their name: {MODEL}, {OTHER}", "Write more of it."),
        ("gemini", f"no circuit has 'gemini' in its name; there is: {MODEL}, {OTHER}", "agentctl circuits"),
    ],
)
def test_another_one_is_20_with_the_candidates(agentctl, weigh, clock, name, said, hint):
    weigh(MODEL, failures=5)
    weigh(OTHER, failures=5)
    called = agentctl("circuits", "reset", name)

    assert (20, f"error: {said}\n\nhint: {hint}\n") == (called.code, called.err)
    failed = agentctl("circuits", "reset", name, "--json").json["error"]
    assert ("forbidden", said) == (failed["code"], failed["message"])
    assert {MODEL: "open", OTHER: "open"} == states(agentctl)
    assert 2 == agentctl("circuits", "reset", "").code
