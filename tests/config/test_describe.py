"""What each key means, and the files that are made of it: a new policy, a merged one, the schemas, those shipped."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from agentctl.config import describe, json_schema, load, paths, schema, shape, writing
from agentctl.core.policy import Policy
from agentctl.core.task import Task
from agentctl.core.tiers import Tier
from agentctl.rehearsal.script import Script

ROOT = Path(__file__).parent.parent.parent
SHIPPED = sorted(path.stem for path in (ROOT / "policies").glob("*.toml"))
COMMENTED = re.compile(r"^# ([a-z_]+ = .*)$", re.MULTILINE)


def tables(kind, seen=None):
    """Every class of a file, once."""
    seen = [] if seen is None else seen
    if kind not in seen:
        seen.append(kind)
        for hint in shape.keys(kind).values():
            parts = shape.members(hint)
            for each in (*parts, *(each for part in parts for each in get_args(part))):
                inner, _ = shape.bare(each)
                if isinstance(inner, type) and dataclasses.is_dataclass(inner):
                    tables(inner, seen)
    return seen


KEYS = [(kind, name) for kind in (*tables(Policy), *tables(Task), *tables(Script)) for name in shape.keys(kind)]


@pytest.fixture
def standard():
    return load.load_policy("standard")


# --- Words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), KEYS, ids=lambda each: each if isinstance(each, str) else each.__module__)
def test_every_key_is_explained_in_words_for_people(kind, name):
    text = describe.described(kind, name)

    assert len(describe.text(kind, name)) > 8
    assert not re.search(r"\b[A-H]\d\d", text)
    assert "None" not in text


@pytest.mark.parametrize(
    ("kind", "name", "unit"),
    [
        (kind, name, unit)
        for kind, name in KEYS
        for end, unit in (("_s", "second"), ("_usd", "USD"), ("_tokens", "token"))
        if name.endswith(end)
    ],
)
def test_every_number_with_a_unit_names_it(kind, name, unit):
    assert unit.lower() in describe.described(kind, name).lower()


def test_no_text_is_about_a_key_that_is_gone():
    known = {describe.label(kind, name) for kind, name in KEYS} | {"policy.Policy.extends"}

    assert set() == set(describe.MORE) - known
    assert set() == set(describe.EXAMPLES) - known


def test_limits_and_choices_are_said():
    words = {
        name: describe.described(shape.bare(shape.keys(Policy)["budget"])[0], name)
        for name in ("run_usd", "unknown_price")
    }

    assert "USD that one run may cost; a number above 0" == words["run_usd"]
    assert words["unknown_price"].endswith("one of: refuse, assume")


# --- Policies as TOML -----------------------------------------------------------------------------


def test_a_new_policy_says_every_key_and_changes_nothing(tmp_path, standard):
    text = writing.template(standard, "new.toml")
    (tmp_path / "new.toml").write_text(text)
    loaded = load.load_policy(tmp_path / "new.toml")

    assert standard.digest == loaded.digest
    for kind in tables(Policy):
        for name in shape.keys(kind):
            if (kind, name) != (Policy, "name") and kind.__name__ not in {"Rule", "When", "PriceTable"}:
                assert re.search(rf"^(# )?(\[+[a-z.]*)?{name}\b", text, re.MULTILINE), f"{kind} {name}"
    for line in text.splitlines():
        assert len(line) <= 120


def test_each_key_of_a_new_policy_has_its_meaning_above_it(standard):
    lines = writing.template(standard, "new.toml").splitlines()
    budget = lines[lines.index("[budget]") :]

    assert "# USD that one run may cost; a number above 0" == budget[budget.index("run_usd = 1.5") - 1]
    assert "# session_usd = 0.5" in budget
    assert budget[budget.index("# session_usd = 0.5") - 1].startswith("# USD that all runs of a session")


def test_a_key_that_is_off_loads_when_it_is_written(tmp_path, standard):
    text = writing.template(standard, "new.toml")
    keys = [
        line
        for line in COMMENTED.findall(text)
        if not line.startswith(("provider ", "when ", "tool ", "args ", "tier ", "why ", "extends ", "api "))
    ]
    for line in keys:
        text = text.replace(f"# {line}\n", f"{line}\n", 1)
    (tmp_path / "all.toml").write_text(text)
    policy = load.load_policy(tmp_path / "all.toml").policy

    assert len(keys) > 10
    budget = policy.budget
    assert (0.5, 5.0) == (budget.session_usd, budget.user_daily_usd)
    assert (50.0, 100.0) == (budget.tenant_daily_usd, budget.hourly_usd)


@pytest.mark.parametrize("key", ["route.Rules.rules", "risk.Rules.rules"])
def test_the_examples_of_rules_are_rules(tmp_path, standard, key):
    table = key.partition(".")[0]
    text = writing.template(standard, "new.toml")
    start = text.index(f"# [[{table}.rules]]")
    example = text[start : text.find("\n\n", start)].replace("# ", "")
    (tmp_path / "p.toml").write_text(example)

    assert getattr(load.load_policy(tmp_path / "p.toml").policy, table).rules


@pytest.mark.parametrize("name", SHIPPED)
def test_a_merged_policy_loads_to_the_same_policy(tmp_path, standard, name):
    loaded = load.load_policy(name)
    (tmp_path / "merged.toml").write_text(writing.merged(loaded, standard))

    assert loaded.digest == load.load_policy(tmp_path / "merged.toml").digest


def test_a_merged_policy_of_ones_own_loads_to_the_same_policy(tmp_path, standard):
    text = """
    extends = "multi-tenant"
    [[route.rules]]
    provider = "openai"
    when = { tools = 0, vars = { "a b" = "x\\"\\u007f\\\\", n = 1.5, yes = true } }
    [[risk.rules]]
    tool = "send_*"
    args = { "to[0].address" = "@example\\\\.com$" }
    tier = "forbid"
    match = [{ to = [{ address = "a@example.com" }] }]
    [risk.tiers]
    "fs.write" = "high"
    [scrub]
    keys = ["pin"]
    patterns = ['\\d{4}', "é\\n"]
    [budget]
    unknown_price = "assume"
    assume_price = { input = 0.0, output = 15.0 }
    """
    (tmp_path / "own.toml").write_text(text)
    loaded = load.load_policy(tmp_path / "own.toml")
    merged = writing.merged(loaded, standard)
    (tmp_path / "merged.toml").write_text(merged)

    assert loaded.digest == load.load_policy(tmp_path / "merged.toml").digest
    assert re.search(r'^"fs.write" = "high"  # .*own\.toml:12$', merged, re.MULTILINE)


# --- Schemas --------------------------------------------------------------------------------------


def accepts(made, data):
    return jsonschema.Draft202012Validator(made).is_valid(data)


def test_the_schemas_are_json_schema_with_descriptions_and_without_titles():
    for made in (json_schema.policy(), json_schema.task()):
        jsonschema.Draft202012Validator.check_schema(made)
        text = json.dumps(made)
        assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert '"title"' not in text
        assert '"null"' not in text
        assert made["additionalProperties"] is False
        assert all("description" in each for each in made["properties"].values())


def test_defaults_are_those_of_standard():
    made = json_schema.policy()["properties"]

    assert 1.5 == made["budget"]["properties"]["run_usd"]["default"]
    assert "low" == made["risk"]["properties"]["auto_approve"]["default"]
    assert [tier.word for tier in Tier] == made["risk"]["properties"]["unknown"]["enum"]
    assert made["budget"]["properties"]["session_usd"]["examples"] == [0.5]
    assert {"name"}.isdisjoint(made)
    assert "extends" in made


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_policy_fits_the_schema(name):
    assert accepts(json_schema.policy(), tomllib.loads((ROOT / "policies" / f"{name}.toml").read_text()))


def test_the_schema_refuses_what_the_types_refuse_and_nothing_more():
    """Each bad file that its types alone give away."""
    made = json_schema.policy()
    for path in sorted((ROOT / "tests" / "policies" / "bad").glob("*.toml")):
        try:
            data = tomllib.loads(path.read_text())
            json.dumps(data, allow_nan=False)
        except (ValueError, TypeError):
            continue
        extends = isinstance(data.get("extends", "x"), str) and data.get("extends") != ""
        rest = {name: each for name, each in data.items() if name != "extends"}
        foreign = "name" in data
        _, errors = schema.read(Policy, rest)
        if data.get("version", 1) == 1 and not isinstance(data.get("version", 1), bool):
            assert accepts(made, data) == (not errors and extends and not foreign), path.name


# --- What is shipped ------------------------------------------------------------------------------


def shipped(name):
    loaded = load.load_policy(name)
    assert paths.is_shipped(loaded.path)
    return loaded.policy


def test_all_eight_are_shipped_and_explain_themselves():
    assert SHIPPED == [
        "batch-research", "ci", "customer-facing", "high-throughput", "local", "multi-tenant", "standard", "strict",
    ]  # fmt: skip
    for name in [*SHIPPED[:-2], "strict"]:
        lines = (ROOT / "policies" / f"{name}.toml").read_text().splitlines()
        assert lines[0].startswith("# ")
        assert all(len(line) <= 120 for line in lines)


def test_strict_asks_for_everything_above_safe_and_has_no_network():
    policy = shipped("strict")

    assert (Tier.SAFE, "raise_only", False) == (policy.risk.auto_approve, policy.risk.contracts, policy.sandbox.network)
    assert ("http_get", "forbid") in [(rule.tool, rule.tier) for rule in policy.risk.rules]


def test_ci_never_asks():
    policy = shipped("ci")

    assert ("deny", "deny", 1) == (
        policy.approval.non_interactive,
        policy.approval.on_timeout,
        policy.approval.max_denials,
    )
    assert policy.budget.run_usd < Policy().budget.run_usd
    assert policy.budget.max_wall_s < Policy().budget.max_wall_s


def test_high_throughput_has_strict_arguments_a_window_and_a_sliding_context():
    """C56"""
    policy = shipped("high-throughput")

    assert (True, True, "structured") == (policy.args.enabled, policy.args.strict, policy.args.error_format)
    assert policy.pace.enabled
    assert policy.pace.tokens_per_minute > Policy().pace.tokens_per_minute
    assert policy.budget.hourly_usd is not None
    assert (True, "oldest") == (policy.context.enabled, policy.context.strategy)
    assert policy.context.max_tokens < Policy().context.max_tokens


def test_customer_facing_has_a_breaker_a_fallback_and_a_loop_guard():
    """C57, D40"""
    policy = shipped("customer-facing")
    budget = policy.budget

    assert (0.50, 5.00, 100.00, 50_000) == (
        budget.session_usd, budget.user_daily_usd, budget.hourly_usd, policy.tokens.total,
    )  # fmt: skip
    assert policy.circuit.enabled
    assert policy.circuit.failure_threshold < Policy().circuit.failure_threshold
    assert len({each.sdk for each in policy.providers if "answer" in each.roles}) > 1
    assert policy.loops.enabled
    assert policy.loops.max_repeats < Policy().loops.max_repeats


def test_batch_research_has_a_semantic_loop_a_ceiling_and_a_warm_cache():
    """C58"""
    policy = shipped("batch-research")

    assert policy.progress.enabled
    assert policy.progress.halt_on_stall
    assert policy.progress.similarity < Policy().progress.similarity
    assert (5.00, 40.00) == (policy.budget.run_usd, policy.budget.hourly_usd)
    assert (True, "1h") == (policy.cache.enabled, policy.cache.ttl)
    assert policy.cache.min_hit_ratio > Policy().cache.min_hit_ratio


def test_multi_tenant_has_every_layer_and_a_budget_for_each_tenant():
    """C59"""
    policy = shipped("multi-tenant")
    off = [name for name in shape.names(Policy) if getattr(getattr(policy, name), "enabled", True) is False]
    budget = policy.budget

    assert ["handoff"] == off, "on only with a contact, which no shipped file can know"
    assert (50.00, 5.00, 1.00) == (budget.tenant_daily_usd, budget.user_daily_usd, budget.session_usd)
    assert budget.user_daily_usd < budget.tenant_daily_usd < budget.hourly_usd


def test_local_speaks_to_this_machine_alone_and_costs_nothing():
    policy = shipped("local")
    (provider,) = policy.providers

    assert ("openai", "chat", None) == (provider.sdk, provider.wire, provider.key_env)
    assert provider.base_url.startswith("http://127.0.0.1:")
    assert {0.0} == set(dataclasses.astuple(provider.price))
    assert policy.context.hard_limit_tokens < provider.context_tokens
