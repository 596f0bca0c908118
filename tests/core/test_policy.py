"""A policy: one table per guard, the same word everywhere, `standard`'s values where nothing is said."""

import dataclasses
import importlib
import typing
from pathlib import Path

import pytest

import agentctl.core.guards
from agentctl.core.policy import Alerts, Policy, Provider, Sandbox, Telemetry
from tests.play import Reply, Script, asks, call, contract, played

GUARDS = sorted(path.stem for path in Path(agentctl.core.guards.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_has_its_table_under_its_own_name(guard):
    rules = importlib.import_module(f"agentctl.core.guards.{guard}").Rules

    assert rules is typing.get_type_hints(Policy)[guard]
    assert rules() == getattr(Policy(), guard)


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_can_be_switched_alone(guard):
    """A02, A79"""
    other = dataclasses.replace(getattr(Policy(), guard), enabled=False)
    alone = dataclasses.replace(Policy(), **{guard: other})
    play = played(alone, Script([asks(call("look")), Reply("done")]), contract("look"))

    assert "done" == play.state.run.reason


def test_every_guard_can_be_the_only_one():
    """A79: none requires another."""
    off = {name: dataclasses.replace(getattr(Policy(), name), enabled=False) for name in GUARDS}
    for name in GUARDS:
        only = dataclasses.replace(Policy(), **{**off, name: getattr(Policy(), name)})
        play = played(only, Script([asks(call("look")), Reply("done")]), contract("look"))

        assert "done" == play.state.run.reason


def test_the_summarizer_of_the_standard_policy_is_small_and_cheap():
    summarizer = Policy().providers[2]

    assert ("claude-haiku-4-5", 512, ("summary",)) == (
        summarizer.model,
        summarizer.max_output_tokens,
        summarizer.roles,
    )


def test_every_model_call_has_a_timeout_and_a_deadline():
    """E29"""
    provider = Provider(name="x", sdk="openai", model="m")

    assert (60.0, 600.0) == (provider.timeout_s, provider.deadline_s)
    assert (1, 8_192, ("answer",), False) == (
        provider.priority,
        provider.max_output_tokens,
        provider.roles,
        provider.degraded,
    )


def test_a_provider_is_known_by_sdk_address_and_model():
    named = Provider(name="x", sdk="openai", model="m", base_url="http://localhost:1")

    assert "openai|http://localhost:1|m" == named.identity
    assert "openai||m" == Provider(name="y", sdk="openai", model="m").identity


@pytest.mark.parametrize(
    ("wire", "fields"),
    [
        ("messages", {"sdk": "anthropic"}),
        ("responses", {"sdk": "openai"}),
        ("chat", {"sdk": "openai", "base_url": "http://localhost:1"}),
        ("chat", {"sdk": "openai", "api": "chat"}),
        ("responses", {"sdk": "openai", "base_url": "http://localhost:1", "api": "responses"}),
    ],
)
def test_the_api_follows_from_the_sdk_and_the_address(wire, fields):
    assert wire == Provider(name="x", model="m", **fields).wire


def test_the_services_have_the_defaults_of_the_standard_policy():
    sandbox, alerts, telemetry = Sandbox(), Alerts(), Telemetry()

    assert ("auto", False, (".",), ("PATH", "HOME", "LANG")) == (
        sandbox.mode,
        sandbox.network,
        sandbox.write,
        sandbox.env,
    )
    assert (0.2, 300.0, 0.8, 5.0, 5.0, 3.0, ()) == (
        alerts.tool_error_rate,
        alerts.window_s,
        alerts.burn_by_midday,
        alerts.slow_vs_median,
        alerts.cost_vs_median,
        alerts.injections_vs_baseline,
        alerts.urls,
    )
    assert ("", "agentctl", False) == (telemetry.otlp_endpoint, telemetry.service_name, telemetry.include_content)
