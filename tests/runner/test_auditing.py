"""The readiness checklist over real files: each item fails by itself, and its printed fix mends it."""

import json
import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from agentctl.config import paths
from agentctl.core.audit.checklist import ITEMS, audit
from agentctl.errors import Invalid
from agentctl.records import replace
from tests.runner.audited import NAME, Ready, evidence

ROOT = Path(__file__).parent.parent.parent
KINDS = tomllib.loads((ROOT / "tests/requirements.toml").read_text())["kinds"]


@pytest.fixture
def ready(tmp_path, monkeypatch):
    monkeypatch.setenv("ALERTS_URL", "json://127.0.0.1:9/hook")
    evidence()
    return Ready(tmp_path)


def policy(table, **keys):
    return lambda ready: ready.policy.setdefault(table, {}).update(keys)


def tool(name, **keys):
    return lambda ready: ready.tool(name).update(keys)


def without(name, *keys):
    return lambda ready: [ready.tool(name).pop(key) for key in keys]


def provider(number, **keys):
    return lambda ready: ready.policy["providers"][number].update(keys)


def tiers(**keys):
    return lambda ready: ready.policy.setdefault("risk", {}).setdefault("tiers", {}).update(keys)


def rule(ready):
    one = {"tool": "refund", "args": {"order": "^A-1$"}, "tier": "safe", "match": [{"order": "A-1"}]}
    ready.policy["risk"] = {"rules": [{**one, "not_match": [{"order": "B"}]}]}


def shell(ready):
    ready.task["tools"].append({"use": "builtin:shell", "timeout_seconds": 5})
    tiers(shell="low")(ready)


def starred(ready):
    ready.tool("lookup").pop("side_effects")
    ready.policy["risk"] = {"rules": [{"tool": "look*", "tier": "safe"}]}


def free_note(ready):
    ready.tool("lookup")["parameters"] = {"type": "object", "properties": {"order": NAME, "note": {}}}


def forbidden(ready):
    ready.policy["risk"] = {"rules": [{"tool": "search", "tier": "forbid"}]}


SAME = {"sdk": "anthropic", "model": "claude-haiku-4-5"}
FAULTS = [
    ("B52", policy("budget", max_steps=5000)),
    ("B52 C51 E28", policy("budget", enabled=False)),
    ("B53", policy("tokens", enabled=False)),
    ("B53", policy("tokens", total=10**12)),
    ("B54", policy("loops", window=8, max_repeats=9, consecutive=9)),
    ("C49", policy("pace", tokens_per_minute=10**12, usd_per_minute=1e9)),
    ("C50 E28", policy("context", max_tokens=20_000_000, hard_limit_tokens=20_000_000)),
    ("E28", policy("context", max_tokens=200_000, hard_limit_tokens=20_000_000)),
    ("C51", policy("budget", run_usd=1e9, max_tool_calls=10**9, max_wall_s=10**9)),
    ("C52 E29", policy("circuit", failure_threshold=10**6, min_calls=10**6)),
    ("C52 E29", policy("circuit", tools={"failure_threshold": 10**6, "min_calls": 10**6})),
    ("B54", policy("loops", enabled=False)),
    ("B55", policy("results", enabled=False)),
    ("B56", policy("risk", unknown="low")),
    ("B56 B59 D68", policy("risk", enabled=False)),
    ("B56", shell),
    ("B56", starred),
    ("B58", policy("alerts", urls=[])),
    ("B59", tiers(refund="low")),
    ("B59", rule),
    ("C48", policy("args", strict=False)),
    ("C48", policy("args", error_format="throw")),
    ("C49", policy("retry", jitter=False)),
    ("C49", policy("pace", enabled=False)),
    ("C50 E28", policy("context", enabled=False)),
    ("C51", policy("progress", halt_on_stall=False)),
    ("C52", provider(1, **SAME)),
    ("C52 E32", lambda ready: ready.policy["providers"].pop()),
    ("C52 E32", lambda ready: ready.policy.update(providers=[{**ready.policy["providers"][0], "name": "second"}])),
    ("C53", policy("cache", min_hit_ratio=0.01)),
    ("C54", policy("scrub", detectors="off")),
    ("C53 C55", policy("cache", enabled=False)),
    ("C52 C55 E29", policy("circuit", enabled=False)),
    ("D51", policy("telemetry", enabled=False)),
    ("D64", tool("send_mail", idempotent=False, retry_policy="fixed")),
    ("D65", tool("lookup", timeout_seconds=60)),
    ("D66", free_note),
    ("D66", lambda ready: ready.tool("lookup")["parameters"]["properties"].update({"first name": True, "é": {}})),
    ("D66", lambda ready: ready.tool("lookup")["parameters"].update(additionalProperties=True)),
    ("D67", without("refund", "side_effects")),
    ("D68", tiers(send_mail="low")),
    ("D111", without("send_mail", "owner")),
    ("E28", provider(0, max_output_tokens=600_000)),
    ("E29", provider(1, timeout_s=4000, deadline_s=5000)),
    ("E30", tool("send_mail", idempotent=False, recovery="rerun")),
    ("E32", forbidden),
]
BY_HAND = {"B57", "D96", "E31"}
"""Items whose fix is no line of a file: they have tests of their own."""


@pytest.mark.parametrize(("ids", "spoil"), FAULTS, ids=[f"{ids}-{number}" for number, (ids, _) in enumerate(FAULTS)])
def test_a_fault_is_missing_where_it_is_asked_for_and_its_printed_fix_mends_it(ready, ids, spoil):
    """D111 E37"""
    spoil(ready)
    found = ready.missing()

    assert ids.split() == list(found)

    for fix in dict.fromkeys(fix for each in found.values() for fix in each.fix.split("; ")):
        ready.type(fix)

    assert {} == ready.missing()


def test_a_task_and_a_policy_that_lack_nothing_pass_everything(ready):
    """E28 E29 E32"""
    found = ready.audit()

    assert found.ok
    assert len(ITEMS) == len(found.items)
    assert all(each.why and not each.fix for each in found.items)
    assert all(way.ok and way.path for way in found.degradation)
    assert () == found.warnings


def test_every_checklist_row_is_one_item_and_every_item_has_a_fault():
    """D96"""
    rows = {name for name, kind in KINDS.items() if kind == "CHK"}
    ids = [item.id for item in ITEMS]

    assert rows | {"D96"} == set(ids)
    assert len(ids) == len(set(ids))
    assert set(ids) == {one for fault, _ in FAULTS for one in fault.split()} | BY_HAND


def test_most_faults_are_of_one_item_alone():
    alone = {ids for ids, _ in FAULTS if " " not in ids} | {"D96", "E31"}
    together = {item.id for item in ITEMS} - alone

    assert {"C50", "C55", "B57"} == together, "their rows ask for what others ask for too"


def test_a_type_that_stands_in_no_task_is_asked_for_where_it_stands(ready):
    """D66: an entry of a server or of a Python function has no `parameters`."""
    facts = ready.facts()
    bare = replace(facts.contracts[0], name="fs.look", parameters={"properties": {"x": {}}})
    typed = replace(facts.contracts[1], name="fs.add")

    def fixes(use, *contracts):
        entry = replace(facts.task.tools[0], use=use, name="fs")
        task = replace(facts.task, tools=(entry,))
        entries = dict.fromkeys((each.name for each in contracts), 0)
        found = audit(replace(facts, task=task, contracts=contracts, entries=entries, rejected=()), ["D66"])
        return [each.fix for each in found.missing]

    assert fixes("mcp", bare, typed) == ['in the task: [[tools]] fs: include = ["add"]']
    assert fixes("mcp", bare) == ["a type for x, from its server"]
    assert fixes("python:shop:look", bare) == ["a type hint for x, in python:shop:look"]


def test_what_holds_says_the_value_and_the_line_of_the_file(ready):
    whys = {each.id: each.why for each in ready.audit().items}

    assert re.search(r"budget\.max_steps = 20 \(standard\.toml:\d+\)", whys["B52"])
    assert "first → then" in whys["C52"]
    policy("budget", max_steps=7)(ready)
    whys = {each.id: each.why for each in ready.audit().items}
    place = (ready.folder / "policy.toml").read_text().splitlines().index("max_steps = 7") + 1

    assert f"budget.max_steps = 7 (policy.toml:{place})" in whys["B52"]


def test_autonomy_needs_a_run_or_a_rehearsal_of_this_task_under_this_policy(tmp_path):
    """D96"""
    ready = Ready(tmp_path)

    assert ["D96"] == list(ready.missing())
    assert f"agentctl run {tmp_path}/task.toml --rehearse" == ready.missing()["D96"].fix

    evidence(policy="another")
    assert ["D96"] == list(ready.missing())

    evidence(run_id="r_5a0b0c0d02", rehearsed=False)
    assert {} == ready.missing()


def test_a_task_of_the_same_name_in_another_file_is_no_evidence(tmp_path):
    """D96: two folders of `init` hold two tasks, both called alike."""
    (tmp_path / "other").mkdir()
    ready, other = Ready(tmp_path), Ready(tmp_path / "other")
    evidence(spec=json.dumps({"task": str(other.write())}))

    assert ["D96"] == list(ready.missing())
    assert {} == other.missing()

    evidence(run_id="r_5a0b0c0d02", spec=json.dumps({"task": "/moved/since/task.toml"}))
    assert {} == ready.missing()


def test_a_drill_of_the_task_is_evidence_and_the_trial_of_a_fix_is_none(tmp_path):
    """D96: each drill has a store of its own."""
    ready = Ready(tmp_path)
    for name, lacks in (("slow-tool.fix1", ["D96"]), ("slow-tool", [])):
        folder = paths.data_dir() / "drills" / "20260101T000000Z-abcdef" / "policy" / name
        folder.mkdir(parents=True)
        evidence(spec=json.dumps({"task": str(ready.write())}), url=f"sqlite:///{folder / 'drill.db'}")

        assert lacks == list(ready.missing())


def test_a_receiver_whose_variable_is_not_set_hears_nothing(ready, monkeypatch):
    """B58"""
    policy("alerts", urls=["env:ALERTS_URL"])(ready)

    assert {} == ready.missing()

    monkeypatch.delenv("ALERTS_URL")

    assert "export ALERTS_URL=…" == ready.missing()["B58"].fix


def test_a_receiver_that_nobody_could_send_to_is_no_policy(ready):
    policy("alerts", urls=["nonsense://127.0.0.1"])(ready)

    with pytest.raises(Invalid, match="apprise sends to no such URL"):
        ready.audit()


def test_a_store_that_cannot_be_made_records_nothing(ready, tmp_path):
    found = ready.missing(store=f"sqlite:///{tmp_path}/nowhere/store.db")

    assert ["B57", "D96"] == list(found)
    assert f"mkdir -p {tmp_path}/nowhere" == found["B57"].fix


def test_a_store_that_is_none_neither_records_nor_replays(ready, tmp_path):
    (tmp_path / "torn.db").write_text("no database")

    assert ["B57", "D96", "E31"] == list(ready.missing(store=f"sqlite:///{tmp_path}/torn.db"))


def test_a_run_that_cannot_be_read_back_is_no_trace(ready):
    """E31"""
    path = paths.data_dir() / "agentctl.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE events SET data = replace(data, 'Done', 'Gone') WHERE seq = 2")
    found = ready.missing()

    assert ["E31"] == list(found)
    assert "can't be read back" in found["E31"].why
    assert "agentctl store check --repair" == found["E31"].fix


SHIPPED = {
    "batch-research": ["B58"],
    "ci": ["B58"],
    "customer-facing": ["B58"],
    "high-throughput": ["B58"],
    "local": ["B58", "C49", "C52", "E32"],
    "multi-tenant": ["B58", "E32"],
    "standard": ["B58"],
    "strict": ["B58", "E32"],
}
"""`raise_only` believes no contract, so that under it a tool that stands in for another would ask a person first."""


def test_what_each_shipped_policy_lacks(tmp_path):
    """E32 E37"""
    assert {path.stem for path in (ROOT / "policies").glob("*.toml")} == set(SHIPPED)

    ready = Ready(tmp_path)
    for number, name in enumerate(SHIPPED):
        evidence(policy=name, run_id=f"r_5a0b0c0e0{number}")

    assert SHIPPED == {name: list(ready.missing(name)) for name in SHIPPED}


WARNED = [
    (policy("retry", max_attempts=6), "retry.max_attempts = 6"),
    (policy("results", max_attempts=6), "results.max_attempts = 6"),
    (policy("budget", max_steps=51), "budget.max_steps = 51"),
    (policy("trust", enabled=False), "trust.enabled = false"),
    (policy("sandbox", mode="off"), 'sandbox.mode = "off"'),
    (
        policy("budget", unknown_price="assume", assume_price={"input": 3.0, "output": 15.0}),
        'budget.unknown_price = "assume"',
    ),
    (policy("telemetry", include_content=True, otlp_endpoint="http://127.0.0.1:9"), "telemetry.include_content = true"),
    (policy("approval", command=["true"]), "approval.command"),
    (tool("send_mail", timeout_seconds=20), "send_mail"),
    (policy("alerts", urls=["slack://a/b/c"]), "alerts.urls[0]"),
    (provider(1, degraded=False), "then answers with another model"),
    (
        lambda ready: ready.task.update(vars={"pin": {"secret": True, "default": "0000"}}),
        "scrub.to_model = false",
    ),
]


@pytest.mark.parametrize(("spoil", "words"), WARNED, ids=[words for _, words in WARNED])
def test_what_is_worth_a_thought_is_a_warning_and_fails_nothing(ready, spoil, words):
    """G7 E13"""
    spoil(ready)
    found = ready.audit()

    assert [words] == [words for each in found.warnings if each.startswith(words)]
    assert len(found.warnings) == 1
    assert found.ok


def test_five_attempts_and_fifty_steps_are_no_warning(ready):
    """G7"""
    policy("retry", max_attempts=5)(ready)
    policy("budget", max_steps=50)(ready)

    assert () == ready.audit().warnings
