"""`cache warm` and `cache stats`, as people and deploy scripts see them."""

import dataclasses
import json

import pytest

from agentctl.core import events as e
from agentctl.core.messages import Usage
from tests.cli.conftest import IDENTITY, started

LONG = "Be careful with money. " * 800


@pytest.fixture
def shop(demo):
    """The demo with a system prompt that is long enough to be cached, and one provider."""
    task = demo / "task.toml"
    task.write_text(task.read_text().replace("You triage", f"{LONG}You triage", 1))
    return task


def test_warm_says_what_it_did(agentctl, shop):
    """A47, A50, C53"""
    called = agentctl("cache", "warm", shop, "--rehearse")
    lines = called.out.splitlines()

    assert (0, "Cache warmed.") == (called.code, lines[0])
    assert lines[1].startswith("anthropic (claude-sonnet-4-6): ")
    assert " tokens written, " in lines[1]
    assert lines[1].endswith(" paid")
    assert lines[2].startswith("Cache hit ratio: 9")
    assert lines[3].startswith("saves $0.0")
    assert " per run until " in lines[3]


def test_warm_for_a_deploy_script(agentctl, shop):
    """F07: an exit code and one JSON object."""
    body = agentctl("cache", "warm", shop, "--rehearse", "--json").json
    every = agentctl("cache", "warm", shop, "--rehearse", "--json", "--provider", "all").json

    wanted = {
        "warmed", "provider", "model", "write_tokens", "read_tokens", "hit_ratio", "cost_usd", "saved_usd_per_run",
        "expires_at", "reason",
    }  # fmt: skip
    assert wanted <= body.keys()
    assert (True, "anthropic", None) == (body["warmed"], body["provider"], body["reason"])
    assert 4_000 < body["read_tokens"] <= body["write_tokens"]
    assert 0 < body["saved_usd_per_run"]
    assert (True, ["anthropic", "openai"]) == (every["warmed"], [item["provider"] for item in every["items"]])


def test_a_cold_cache_is_17_with_the_reason(agentctl, demo):
    called = agentctl("cache", "warm", demo / "task.toml", "--rehearse")
    body = agentctl("cache", "warm", demo / "task.toml", "--rehearse", "--json")

    assert (17, "") == (called.code, called.out)
    assert "The cache did not take at anthropic (claude-sonnet-4-6): the prefix is below the provider's" in called.err
    assert (17, False) == (body.code, body.json["warmed"])
    assert "claude-sonnet-4-6 caches from 1,024 on" in body.json["reason"]


def first_reply(agentctl, shop, *flags):
    called = agentctl("run", shop, "--rehearse", "--var", "order=A-1001", "--events", *flags)
    lines = [json.loads(line) for line in called.out.splitlines()]
    return next(line["data"]["usage"] for line in lines if line["event_type"] == "model_reply")


def test_a_rehearsed_run_finds_what_was_warmed(agentctl, shop, tmp_path):
    """A47: on its first request, in the same store, until it expires."""
    cold = first_reply(agentctl, shop, "--store", f"sqlite:///{tmp_path}/other.db")
    body = agentctl("cache", "warm", shop, "--rehearse", "--json").json
    warm = first_reply(agentctl, shop)

    assert 0 == cold["cache_read_tokens"] < 4_000 < warm["cache_read_tokens"]
    assert 0 <= body["write_tokens"] - warm["cache_read_tokens"] < 20
    assert 4_000 < cold["cache_write_tokens"]


def test_what_was_rehearsed_expires_and_is_no_secret(agentctl, shop, isolated, monkeypatch):
    first_reply(agentctl, shop)
    (file,) = (isolated / "data").glob("*.rehearsal-cache")
    rows = json.loads(file.read_text())
    file.write_text(json.dumps([[*key, end - 400, life] for *key, end, life in rows]))

    assert "careful" not in str(rows)
    assert 0 == first_reply(agentctl, shop)["cache_read_tokens"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--script", "x.toml"), 2, "--script belongs to a rehearsal"),
        (("--rehearse", "--keep-alive", "soon"), 2, "--keep-alive: expected a span such as 30m"),
        (("--rehearse", "--keep-alive", "9w"), 2, "--keep-alive: at most 7d"),
        (("--rehearse", "--provider", "nobody"), 2, "'nobody' answers nothing here"),
        (("--rehearse", "--min-ratio", "7"), 2, "--min-ratio"),
        (("--rehearse", "--var", "colour=red"), 3, "no variable is called 'colour'"),
        ((), 3, "no provider has a key"),
    ],
)
def test_wrong_usage_of_warm(agentctl, shop, flags, code, said):
    called = agentctl("cache", "warm", shop, *flags)

    assert code == called.code
    assert said in called.err


def test_a_warming_stands_in_the_list_of_runs_and_is_not_resumed(agentctl, shop):
    agentctl("cache", "warm", shop, "--rehearse")

    (run,) = agentctl("runs", "--json").json["items"]
    assert ("order-triage (cache warm)", "completed", 2) == (run["task"], run["status"], run["steps"])
    assert 20 == agentctl("resume", run["run_id"]).code


# --- Stats ----------------------------------------------------------------------------------------


def reply(read, write=0, fresh=100, model="claude-sonnet-4-6", text=""):
    usage = Usage(fresh, 50, read, write)
    return e.ModelReplied("anthropic", IDENTITY, model, usage, 1, 1, "end_turn", text, (), "answer", 50)


def begun(system="s", tools="t", **definitions):
    return dataclasses.replace(
        started(), tools=definitions, prefix=system + tools, prefix_system=system, prefix_tools=tools
    )


@pytest.fixture
def runs(record):
    """Three runs with one prefix, and two after a deploy."""
    for number in range(3):
        record(f"r_a{number:09}", begun(look="1"), reply(0 if number == 0 else 900, 900), ago=900 - number)
    long = "An answer that is long enough to be compressed. " * 60
    for number in range(2):
        record(f"r_b{number:09}", begun(tools="T", look="2"), *[reply(900, text=long)] * 60, ago=500 - number)


def test_stats_tell_ratio_money_verdict_and_the_change(agentctl, runs):
    """C53, A53"""
    called = agentctl("cache", "stats")
    (item,) = agentctl("cache", "stats", "--json").json["items"]

    head, row, change = called.out.splitlines()
    assert head.split()[:4] == ["TASK", "PROVIDER", "MODEL", "REQUESTS"]
    assert row.split()[:5] == ["order-triage", "anthropic", "claude-sonnet-4-6", "123", "88.0%"]
    assert row.endswith("  ok")
    assert change.startswith("order-triage: the prefix changed 20")
    assert change.endswith("Z: tools: look")
    assert (123, 0.8798, 109_800, 2_700, 12_300) == tuple(
        item[key] for key in ("requests", "hit_ratio", "read_tokens", "write_tokens", "uncached_tokens")
    )
    assert (round(109_800 * 2.7 / 1e6, 6), round(2_700 * 3.75 / 1e6, 6)) == (item["saved_usd"], item["write_usd"])
    assert ("ok", "tools: look", False) == (item["verdict"], item["prefix_change"], item["rehearsed"])
    assert item["prefix_changed_at"].endswith("Z")


def test_the_verdict_is_the_policys(agentctl, runs, tmp_path):
    """C73: min_hit_ratio is what the first 100 are held to."""
    policy = tmp_path / "strict.toml"
    policy.write_text('version = 1\nextends = "standard"\n[cache]\nmin_hit_ratio = 0.95\n')

    (item,) = agentctl("cache", "stats", "--policy", policy, "--json").json["items"]

    assert "below: 0.90 < 0.95" == item["verdict"]


def test_stats_of_one_task_and_of_a_span(agentctl, runs, demo, record):
    record("r_c000000001", begun(), reply(1), task="x", ago=9 * 86_400)

    assert 124 == agentctl("cache", "stats", "order-triage", "--json").json["items"][0]["requests"]
    assert 123 == agentctl("cache", "stats", demo / "task.toml", "--since", "7d", "--json").json["items"][0]["requests"]
    nothing = agentctl("cache", "stats", "other")
    assert (0, "", "no model calls of other yet\n") == (nothing.code, nothing.out, nothing.err)
    assert "no model calls yet\n" == agentctl("cache", "stats", "--since", "1s").err
    assert 2 == agentctl("cache", "stats", "--since", "soon").code


def test_rehearsals_have_lines_of_their_own(agentctl, shop):
    agentctl("cache", "warm", shop, "--rehearse")
    agentctl("run", shop, "--rehearse", "--var", "order=A-1001")

    assert [] == agentctl("cache", "stats", "--json").json["items"]
    items = agentctl("cache", "stats", shop, "--rehearsed", "--json").json["items"]
    assert [("order-triage", "4 of 100 so far"), ("order-triage (cache warm)", None)] == [
        (item["task"], item["verdict"]) for item in items
    ]
    assert "order-triage (rehearsed)" in agentctl("cache", "stats", "--rehearsed").out


def test_a_journal_that_knows_one_digest_is_read_too(agentctl, record):
    old = dataclasses.replace(begun("a"), prefix_system="", prefix_tools="")
    new = dataclasses.replace(begun("b"), prefix_system="", prefix_tools="")
    record("r_a000000001", old, reply(1), ago=90)
    record("r_b000000001", new, reply(1), ago=50)

    (item,) = agentctl("cache", "stats", "--json").json["items"]

    assert "system or tools" == item["prefix_change"]


def test_a_provider_that_the_policy_does_not_have_has_no_price(agentctl, record, tmp_path):
    policy = tmp_path / "local.toml"
    provider = (
        'name = "local"\nsdk = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\nprice = {input=0,output=0}'
    )
    policy.write_text(f'version = 1\nextends = "standard"\n[[providers]]\n{provider}\n')
    record("r_a000000001", begun(), reply(1))

    (item,) = agentctl("cache", "stats", "--policy", policy, "--json").json["items"]

    assert (None, None) == (item["saved_usd"], item["write_usd"])


# --- Said while it happens ------------------------------------------------------------------------


def test_several_runs_end_with_their_hit_ratio_too(agentctl, shop):
    """A52"""
    called = agentctl("run", shop, shop, "--rehearse", "--var", "order=A-1001")

    assert "\nCache hit ratio: " in called.err
    assert called.out.count("Cache") == 0


def test_a_miss_is_told_when_it_happens():
    from agentctl.cli.telling import Telling

    line = Telling().line(e.CacheSeen(0.2, 900, 90, "first differing byte 1,204: tools: look"))

    assert "! the cache was missed: first differing byte 1,204: tools: look" == line.text
    assert Telling().line(e.CacheSeen(0.9, 900, 90)) is None
