import dataclasses
import math
import sys
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.config import paths, patterns, schema, toml
from agentctl.config.load import digest, load_policy, lower, policy_of
from agentctl.config.task import load_task
from agentctl.core.guards.risk import Rule
from agentctl.core.policy import Policy
from agentctl.core.tiers import Tier
from agentctl.errors import Invalid, Usage

STANDARD = paths.shipped_policies() / "standard.toml"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a policy into an empty folder."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mine.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def problems(*arguments, **named):
    with pytest.raises(Invalid) as caught:
        load_policy(*arguments, **named)
    return caught.value.problems


# --- standard -------------------------------------------------------------------------------------


def test_standard_is_the_defaults_and_its_own_rule():
    policy = load_policy("standard").policy
    rules = policy.risk.rules

    assert Policy(name="standard") == dataclasses.replace(policy, risk=dataclasses.replace(policy.risk, rules=()))
    assert ["shell"] == [rule.tool for rule in rules]


def test_standard_names_every_key_that_has_a_default():
    text = STANDARD.read_text()

    for label, names in schema.shape.tables(Policy):
        for name in names - {"enabled", "name", "version"}:
            assert name in text, f"{label} {name}"


def test_an_empty_policy_is_standard(write):
    empty = load_policy(write(""))

    assert load_policy("standard").digest == empty.digest
    assert "mine" == empty.name
    assert set() == empty.explicit


def test_a_policy_without_parents_has_the_rule_of_standard_before_its_own(write):
    path = write('[[risk.rules]]\ntool = "shell"\nargs = { command = "rm" }\ntier = "forbid"\n')
    loaded = load_policy(path)

    assert ["safe", "forbid"] == [rule.tier for rule in loaded.policy.risk.rules]
    assert ("policies/standard.toml", ("mine.toml", 1)) == (
        "/".join(Path(loaded.origins["risk", "rules", 0][0]).parts[-2:]),
        loaded.origins["risk", "rules", 1],
    )


@pytest.mark.parametrize("path", sorted(STANDARD.parent.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_policy_loads_with_and_without_re2(path, monkeypatch):
    with_re2 = load_policy(path.stem)
    patterns.compiled.cache_clear()
    monkeypatch.setitem(sys.modules, "re2", None)

    assert with_re2.digest == load_policy(path.stem).digest
    assert with_re2.explicit == set()

    patterns.compiled.cache_clear()


# --- extends --------------------------------------------------------------------------------------


def test_tables_merge_key_by_key_and_other_lists_replace(write):
    write('[budget]\nrun_usd = 3\nmax_steps = 7\n[retry]\nstatuses = [500]\n[risk.tiers]\na = "low"\n', "base.toml")
    path = write('extends = "base.toml"\n[budget]\nrun_usd = 2\n[retry]\nstatuses = [429]\n[risk.tiers]\nb = "high"\n')
    policy = load_policy(path).policy

    assert (2.0, 7, 100) == (policy.budget.run_usd, policy.budget.max_steps, policy.budget.max_tool_calls)
    assert (429,) == policy.retry.statuses
    assert {"a": Tier.LOW, "b": Tier.HIGH, "read_file": Tier.SAFE}.items() <= policy.risk.tiers.items()


def test_rules_patterns_and_keys_are_appended_the_parents_first(write):
    write('[scrub]\nkeys = ["pin"]\npatterns = ["A+"]\n[[risk.rules]]\ntool = "a"\ntier = "low"\n', "base.toml")
    rule = '[[risk.rules]]\ntool = "b"\ntier = "low"\n'
    path = write(f'extends = "base.toml"\n[scrub]\nkeys = ["otp", "token"]\npatterns = ["B+"]\n{rule}')
    policy = load_policy(path).policy

    assert ("A+", "B+") == policy.scrub.patterns
    assert ("api_key", "token", "secret", "password", "bearer", "pin", "otp") == policy.scrub.keys
    assert ["shell", "a", "b"] == [rule.tool for rule in policy.risk.rules]


def test_providers_replace_the_inherited_ones(write):
    path = write('[[providers]]\nname = "local"\nsdk = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:8000/v1"\n')
    loaded = load_policy(path)

    assert ["local"] == [provider.name for provider in loaded.policy.providers]
    assert ("providers", 1, "name") not in loaded.origins


def test_a_parent_is_looked_for_beside_the_file_then_among_the_users_then_shipped(write):
    write("[budget]\nmax_steps = 3\n", "team/base.toml")
    write('extends = "./base.toml"\n', "team/mine.toml")

    assert 3 == load_policy("team/mine.toml").policy.budget.max_steps

    users = paths.user_policies()
    users.mkdir(parents=True)
    (users / "house.toml").write_text("[budget]\nmax_steps = 4\n")
    write('extends = "house"\n')

    assert 4 == load_policy("mine.toml").policy.budget.max_steps


def test_a_users_standard_may_extend_the_shipped_one(write):
    users = paths.user_policies()
    users.mkdir(parents=True)
    (users / "standard.toml").write_text('extends = "standard"\n[budget]\nmax_steps = 5\n')

    assert 5 == load_policy("standard").policy.budget.max_steps
    assert 5 == load_policy(write('extends = "standard"\n')).policy.budget.max_steps
    assert 20 == load_policy(write("")).policy.budget.max_steps


def test_a_circle_is_named(write):
    write('extends = "b.toml"\n', "a.toml")
    write('extends = "a.toml"\n', "b.toml")
    (problem,) = problems("a.toml")

    assert "a circle: a.toml extends b.toml extends a.toml" == problem.message
    assert ("b.toml", 1, 11) == (problem.file, problem.line, problem.column)


def test_a_long_line_of_parents_is_refused(write):
    write("", "p0.toml")
    for number in range(1, 12):
        write(f'extends = "p{number - 1}.toml"\n', f"p{number}.toml")
    (problem,) = problems("p11.toml")

    assert "more than 8 parents in a row" == problem.message


def test_problems_of_parent_and_child_come_together(write):
    write("[budget]\nmax_steps = 0\n", "base.toml")
    write('extends = "base.toml"\n[budget]\nrun_us = 1\n[context]\nmax_tokens = 100_000\n')
    found = problems("mine.toml")

    assert [("base.toml", 2), ("mine.toml", 3), ("mine.toml", 5)] == [(each.file, each.line) for each in found]


def test_an_unknown_name_gets_the_nearest_one():
    (problem,) = problems("standart")

    assert 'did you mean "standard"?' == problem.suggestion


def test_a_missing_file_is_a_problem(tmp_path):
    (problem,) = problems("nowhere.toml", near=tmp_path)

    assert "no such file" == problem.message


def test_the_tasks_policy_is_told_where_the_task_names_it(write):
    task = load_task(write('version = 1\nname = "t"\ngoal = "Go."\npolicy = "strct"\n', "t.toml"))
    with pytest.raises(Invalid) as caught:
        policy_of(task)
    (problem,) = caught.value.problems

    assert ("t.toml", 4, 10, "policy") == (problem.file, problem.line, problem.column, problem.key)
    assert "standard" == policy_of(task, "standard").name


# --- Where values come from -----------------------------------------------------------------------


def test_every_value_knows_its_file_and_line(write):
    write("[budget]\nmax_steps = 7\n", "base.toml")
    loaded = load_policy(write('extends = "base.toml"\n\n[budget]\nrun_usd = 2\n'))

    assert ("mine.toml", 4) == loaded.origins["budget", "run_usd"]
    assert ("base.toml", 2) == loaded.origins["budget", "max_steps"]
    assert loaded.origins["retry", "jitter"][0].endswith("policies/standard.toml")
    assert {("budget", "run_usd"), ("budget", "max_steps")} < loaded.explicit
    assert ("retry", "jitter") not in loaded.explicit


def test_origins_point_at_the_line_that_holds_the_key():
    loaded = load_policy("standard")
    lines = STANDARD.read_text().split("\n")

    for path, (_, line) in loaded.origins.items():
        names = [part for part in path if isinstance(part, str)]
        if path[0] != "version" and not isinstance(path[-1], int):
            assert names[-1] in lines[line - 1], path


def test_the_digest_is_of_what_a_policy_says(write):
    one = load_policy(write("# a\n[budget]\nrun_usd = 2\n[retry]\njitter = false\n", "one.toml"))
    two = load_policy(write("[retry]\njitter = false\n\n[budget]\nrun_usd = 2.00 # b\n", "two.toml"))
    other = load_policy(write("[budget]\nrun_usd = 2.01\n", "other.toml"))

    assert one.digest == two.digest == digest(one.policy)
    assert one.digest != other.digest
    assert 64 == len(one.digest)


# --- Lowering -------------------------------------------------------------------------------------


def test_flags_lower():
    policy = lower(Policy(), max_usd=0.5, auto_approve="safe")

    assert (0.5, Tier.SAFE) == (policy.budget.run_usd, policy.risk.auto_approve)
    assert Policy() == lower(Policy())
    assert Policy() == lower(Policy(), max_usd=1.5, auto_approve="low")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"max_usd": 2.0}, "--max-usd 2 is above the policy's budget.run_usd = 1.5"),
        ({"max_usd": 0.0}, "--max-usd: expected an amount above 0, got 0.0"),
        ({"max_usd": -1.0}, "expected an amount above 0"),
        ({"max_usd": math.nan}, "expected an amount above 0"),
        ({"max_usd": math.inf}, "expected an amount above 0"),
        ({"auto_approve": "high"}, '--auto-approve high is above the policy\'s risk.auto_approve = "low"'),
        ({"auto_approve": "hgih"}, "--auto-approve: expected one of: safe, low, medium, high, got 'hgih'"),
    ],
)
def test_flags_never_raise_a_limit(flags, words):
    with pytest.raises(Usage) as caught:
        lower(Policy(), **flags)

    assert words in caught.value.message
    assert 2 == caught.value.exit_code


# --- Properties -----------------------------------------------------------------------------------

words = st.text(max_size=8)


def outcome(path):
    """The problems of a file; any exception but Invalid fails the test."""
    try:
        load_policy(path)
    except Invalid as error:
        return error.problems
    return ("loaded",)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_standard_loads_or_is_invalid(tmp_path, changed, data):
    path = tmp_path / "changed.toml"
    path.write_text(tomli_w.dumps(changed(data, toml.load(STANDARD).data)))
    found = outcome(path)

    assert found
    assert all(problem.line > 0 and problem.message for problem in found if problem != "loaded")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_of_its_bytes_loads_or_is_invalid(tmp_path, data):
    text = STANDARD.read_bytes()
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 20))
    path = tmp_path / "edited.toml"
    path.write_bytes(text[:at] + data.draw(st.binary(max_size=6)) + text[at + cut :])

    assert outcome(path)


@settings(deadline=None)
@given(
    run_usd=st.floats(0.01, 1e6),
    max_steps=st.integers(1, 10**9),
    tiers=st.dictionaries(words, st.sampled_from(list(Tier)), max_size=3),
    rule=st.builds(Rule, tool=st.text(min_size=1, max_size=8), tier=st.sampled_from(["safe", "forbid"]), why=words),
)
def test_what_is_written_reads_back_the_same(run_usd, max_steps, tiers, rule):
    base = Policy()
    policy = dataclasses.replace(
        base,
        budget=dataclasses.replace(base.budget, run_usd=run_usd, max_steps=max_steps),
        risk=dataclasses.replace(base.risk, tiers=tiers, rules=(rule,)),
    )
    text = tomli_w.dumps(schema.plain(policy))

    assert policy == schema.validate(Policy, toml.parse(text, "f.toml"))


def test_the_json_schema_accepts_the_shipped_policy():
    import jsonschema

    from agentctl.config import json_schema

    jsonschema.validate(toml.load(STANDARD).data, json_schema.policy())


# --- Files that are none --------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_policy, load_task])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a file, found a directory"),
        (50_000_000, "too large: 50.0 MB; the limit is 1 MB"),
        (b"a = '\xff'", "expected UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n", "expected UTF-8 text"),
        (b"<html></html>", "not TOML"),
        (b'{"a": 1}', "not TOML"),
        (b"x = " + b"[" * 100_000, "nested deeper"),
        (b"a = 1\n" * 20_000, "set twice"),
    ],
    ids=["directory", "50 MB", "latin-1", "picture", "HTML", "JSON", "nested", "long"],
)
def test_whatever_stands_there_is_one_problem(write, load, content, words):
    path = write("")
    if content is None:
        path.unlink()
        path.mkdir()
    elif isinstance(content, int):
        with path.open("wb") as file:
            file.truncate(content)
    else:
        path.write_bytes(content)
    with pytest.raises(Invalid) as caught:
        load(path)
    (problem,) = caught.value.problems

    assert words in problem.message
    assert "mine.toml" == problem.file


@pytest.mark.parametrize("version", ["true", "1.0", "0", "-1", '"1"', "[1]"])
def test_only_one_is_version_one(write, version):
    (problem,) = problems(write(f"version = {version}\n"))

    assert ("version", 1, 11) == (problem.key, problem.line, problem.column)


@pytest.mark.parametrize("name", [path.stem for path in paths.shipped_policies().glob("*.toml")])
def test_the_rules_of_shipped_policies_pass_the_checks_of_anybodys(tmp_path, name):
    copy = tmp_path / f"{name}.toml"
    copy.write_text((paths.shipped_policies() / f"{name}.toml").read_text())

    assert name == load_policy(str(copy)).policy.name
