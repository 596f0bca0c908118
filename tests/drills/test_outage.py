"""A provider that is down for 45 minutes."""

from tests.drills.acting import READS, changed, free, played


def test_hardly_anybody_asks_a_provider_that_is_down_and_the_same_is_found_each_time(tmp_path):
    """A60, A62, C45. A probe each where the circuit recovers in 30 s is no reason to fail."""
    task = free(tmp_path, READS)

    usual = played(task, "outage")["outage"]
    soon = played(task, "outage", policy="customer-facing")["outage"]

    assert usual.passed
    assert usual.observed.startswith("60 clients, 0 failed, about 35 requests to anthropic while it was down; back to")
    assert soon.passed


def test_without_a_circuit_everybody_asks_it_again_and_again(tmp_path):
    """A60"""
    outcome = played(free(tmp_path, READS), "outage", alter=changed(circuit__enabled=False))["outage"]

    assert not outcome.passed
    assert "60 clients, 0 failed, about 240 requests" in outcome.observed
    assert outcome.fix == "circuit.enabled = true"
