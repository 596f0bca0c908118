"""Secrets, orders of strangers, tenants, money and the cache: policies that hold, and ones with one hole each."""

from dataclasses import replace

import pytest

from agentctl.rehearsal.drills.fakes import known_forms
from tests.drills.acting import READS, changed, free, judged, played

MINE = ("secret-leak", "cold-cache", "injection", "budget-race", "isolation")
WEAK = [
    ({"scrub__enabled": False}, "secret-leak", "scrub.enabled = true"),
    ({"scrub__detectors": "off"}, "secret-leak", 'scrub.detectors = "default"'),
    ({"risk__enabled": False}, "injection", "risk.enabled = true"),
    ({"risk__auto_approve": "high"}, "injection", 'risk.auto_approve = "low"'),
    ({"approval__enabled": False}, "injection", "approval.enabled = true"),
    ({"trust__protect_system_prompt": False}, "injection", "trust.protect_system_prompt = true"),
    ({"cache__enabled": False}, "cold-cache", "cache.enabled = true"),
    ({"budget__enabled": False}, "budget-race", "budget.enabled = true"),
]
QUICK = ("secret-leak", "cold-cache", "injection")


@pytest.mark.parametrize("policy", ["strict", "local"])
def test_shipped_policies_pass_them(tmp_path, policy):
    """A45, A76, D48"""
    outcomes = played(free(tmp_path), *MINE, policy=policy)

    failed = {name: each.observed for name, each in outcomes.items() if each.passed is False}
    skipped = [name for name, each in outcomes.items() if each.passed is None]

    assert failed == {}
    assert skipped == (["budget-race"] if policy == "local" else [])


@pytest.mark.parametrize(("keys", "drill", "fix"), WEAK, ids=[fix for _, _, fix in WEAK])
def test_a_weak_policy_fails_exactly_the_right_one_and_is_told_what_would_have_held(tmp_path, keys, drill, fix):
    """A45, D09, D48. The fix was seen to hold: it is what the drill was played again with."""
    outcomes = played(free(tmp_path), *{*QUICK, drill}, alter=changed(**keys))

    assert [name for name, each in outcomes.items() if not each.passed] == [drill]
    assert outcomes[drill].fix == fix


def test_a_policy_without_any_guard_is_told_all_that_is_missing(tmp_path):
    """D21, D22"""
    outcome = played(free(tmp_path), "injection", alter=changed(risk__enabled=False, approval__enabled=False))[
        "injection"
    ]

    assert not outcome.passed
    assert (
        outcome.fix == 'risk.auto_approve = "low", [risk.tiers] "post" = "high", and risk, approval and trust enabled'
    )


def test_a_second_hole_behind_the_first_is_named_with_it(tmp_path):
    """A45, D21, D22. Neither key holds alone; both together were seen to."""
    alter = changed(risk__auto_approve="high", trust__protect_system_prompt=False)
    outcome = played(free(tmp_path), "injection", alter=alter)["injection"]

    assert not outcome.passed
    assert outcome.fix == 'risk.auto_approve = "low" and trust.protect_system_prompt = true'


def test_what_does_not_apply_says_why(tmp_path):
    """C46"""
    bare = tmp_path / "task.toml"
    bare.write_text('version = 1\nname = "bare"\ngoal = "Say something."\n')

    outcomes = played(bare, "cold-cache", "injection", "isolation")

    assert {name: (each.passed, each.observed) for name, each in outcomes.items()} == {
        "cold-cache": (None, "its prefix is about 0 tokens: the provider caches nothing below 1,024"),
        "injection": (None, "no tool could do harm on a stranger's word, and the system prompt has under 25 words"),
        "isolation": (None, "neither a variable nor a tool of the task could carry a mark"),
    }


def test_a_large_prefix_is_warmed_and_the_first_client_reads_it(tmp_path):
    """A46, A47, C53"""
    rules = " ".join(f"Rule {number}: be careful with case {7 * number}." for number in range(200))

    task = free(tmp_path, READS, system=rules)
    outcome = played(task, "cold-cache")["cold-cache"]
    weak = played(task, "cold-cache", alter=changed(cache__enabled=False))["cold-cache"]

    assert outcome.passed
    assert outcome.observed.startswith("the first client read 1,")
    assert (weak.passed, weak.fix) == (False, "cache.enabled = true")


def test_a_limit_that_ends_each_run_before_it_could_read_is_none_of_the_caches_matter(tmp_path):
    """C46"""
    task = free(tmp_path)
    stopped = played(task, "cold-cache", alter=changed(budget__max_steps=1))["cold-cache"]
    weak = played(task, "cold-cache", alter=changed(cache__enabled=False))["cold-cache"]

    assert stopped.passed
    assert stopped.observed.endswith("each run was stopped by max_steps before it could read")
    assert not weak.passed


def test_the_same_seed_finds_the_same(tmp_path):
    """D07"""
    first, again = (played(free(tmp_path), "budget-race", "isolation", policy="customer-facing") for _ in range(2))

    assert {name: each.observed for name, each in first.items()} == {
        name: each.observed for name, each in again.items()
    }


def test_whoever_mixes_up_tenants_users_or_sessions_is_seen(tmp_path):
    """A76: the same names in each, and never the same three."""
    seen = played(free(tmp_path), "isolation")["isolation"].seen
    who = {(at.tenant, at.user, str(client.body["session_id"])) for client in seen.clients for at in [begun(client)]}

    assert 8 == len(who)
    assert [2, 2, 2] == [len(set(names)) for names in zip(*who, strict=True)]


def begun(client):
    return client.events[0].event


def test_a_mark_in_what_belongs_to_another_tenant_is_noticed(tmp_path):
    """A76"""

    def request(seen):
        first = next(each for each in seen.requests if each.run_id == seen.clients[0].run_id)
        return replace(seen, requests=(*seen.requests, replace(first, run_id=seen.clients[1].run_id)))

    def event(seen):
        first, second, *rest = seen.clients
        return replace(seen, clients=(first, replace(second, events=first.events), *rest))

    found = judged(free(tmp_path), "isolation", request, event)

    assert [each.held for each in found] == [False, False]
    assert "of client 0 stood in a request of client 1" in found[0].observed
    assert "of client 0 stood in an event of client 1" in found[1].observed


def test_a_secret_that_is_written_and_one_that_is_kept_from_a_tool_are_noticed(tmp_path):
    """A45"""

    def written(seen):
        return replace(seen, written=lambda text: ("the screen",) if text.startswith("AKIA") else ())

    def masked(seen):
        return replace(seen, uses=tuple(replace(use, args={"query": "[REDACTED]"}) for use in seen.uses))

    found = judged(free(tmp_path), "secret-leak", written, masked)

    assert [each.observed for each in found] == [
        "2 of 18 secrets stand in clear: an AWS key in the screen",
        "look_up was given [REDACTED] in place of a secret that the model gave it",
    ]


def test_a_secret_that_reaches_a_model_that_must_not_see_any_is_noticed(tmp_path):
    """A45"""

    def told(seen):
        secret = known_forms("0/result")[0].text
        return replace(seen, requests=(*seen.requests, replace(seen.requests[0], body={"text": secret})))

    hidden = changed(scrub__to_model=True)
    kept, sent = judged(free(tmp_path), "secret-leak", lambda seen: seen, told, alter=hidden)

    assert kept.held
    assert sent.observed == "1 of its secrets were sent to the model, which scrub.to_model forbids"


def test_a_microdollar_too_much_and_a_reply_that_nobody_paid_for_are_noticed(tmp_path):
    """D48, A18"""

    def dearer(seen):
        first, *rest = seen.clients
        return replace(seen, clients=(replace(first, cost_usd=1.0), *rest))

    def free_of_charge(seen):
        return replace(seen, requests=(*seen.requests, seen.requests[0]))

    found = judged(free(tmp_path), "budget-race", dearer, free_of_charge)

    assert [each.held for each in found] == [False, False]
    assert "passed run_usd by $0.9" in found[0].observed
    assert "requests were answered" in found[1].observed
