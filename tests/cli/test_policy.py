"""`policy show`, `policy new`, `policy schema`."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

from agentctl.cli import init
from agentctl.config import load

ROOT = Path(__file__).parent.parent.parent
TOMBI = shutil.which("tombi", path=sysconfig.get_path("scripts")) or shutil.which("tombi")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- show -----------------------------------------------------------------------------------------


def test_every_value_is_shown_with_its_file_and_line(agentctl, demo):
    called = agentctl("policy", "show", demo / "policy.toml")
    rows = {line.split()[0]: line.split()[1:] for line in called.out.splitlines()}

    assert called.code == 0
    assert ["KEY", "VALUE", "FROM"] == called.out.splitlines()[0].split()
    assert ["0.5", f"{demo}/policy.toml:5"] == rows["budget.run_usd"]
    assert "3600.0" == rows["budget.max_wall_s"][0]
    assert rows["budget.max_wall_s"][1].endswith("policies/standard.toml:39")
    assert ["true", "built", "in"] == rows["budget.enabled"]
    assert "name" not in rows


def test_the_values_as_json(agentctl, demo):
    body = agentctl("policy", "show", demo / "policy.toml", "--json").json
    items = {item["key"]: item for item in body["items"]}

    assert {"name", "path", "digest", "items", "truncated"} == set(body)
    assert {"key": "budget.run_usd", "value": 0.5, "file": f"{demo}/policy.toml", "line": 5} == items["budget.run_usd"]
    assert items["budget.enabled"]["file"] is None
    assert "high" == items["risk.tiers.send_refund"]["value"]


def test_the_merged_policy_as_toml_is_the_same_policy(agentctl, demo, tmp_path):
    called = agentctl("policy", "show", demo / "policy.toml", "--toml")
    (tmp_path / "again.toml").write_text(called.out)

    assert f"run_usd = 0.5  # {demo}/policy.toml:5\n" in called.out
    assert load.load_policy(demo / "policy.toml").digest == load.load_policy(tmp_path / "again.toml").digest
    assert agentctl("policy", "check", tmp_path / "again.toml").code == 0
    assert agentctl("policy", "show", "standard", "--toml", "--json").code == 2


def test_what_a_file_says_can_not_move_the_cursor(agentctl, here):
    (here / "p.toml").write_text('[scrub]\nreplacement = "\\u001b[2J\\u202e"\n')
    called = agentctl("policy", "show", "p.toml")

    assert "\x1b" not in called.out
    assert "\u202e" not in called.out


def test_a_policy_that_is_not_there(agentctl):
    called = agentctl("policy", "show", "standrad")

    assert called.code == 3
    assert 'did you mean "standard"?' in called.err


# --- new ------------------------------------------------------------------------------------------


def test_a_new_policy_is_accepted_and_is_standard(agentctl, here):
    called = agentctl("policy", "new")

    assert (0, "wrote policy.toml\n") == (called.code, called.out)
    assert "next:    agentctl policy check policy.toml" in called.err
    assert agentctl("policy", "check", "policy.toml").code == 0
    assert load.load_policy("standard").digest == load.load_policy("policy.toml").digest


def test_it_never_writes_over_a_file(agentctl, here):
    (here / "mine.toml").write_text("mine")
    called = agentctl("policy", "new", "mine.toml")

    assert called.code == 2
    assert "error: nothing was written: mine.toml is there already\n" in called.err
    assert "mine" == (here / "mine.toml").read_text()


def test_a_bare_name_is_one_of_your_own_policies(agentctl, isolated, here):
    assert agentctl("policy", "new", "support", "--json").json["written"].endswith("config/policies/support.toml")
    assert ("support", "yours") in [
        (i["name"], i["origin"]) for i in agentctl("policy", "list", "--json").json["items"]
    ]
    assert agentctl("policy", "check", "support").code == 0
    assert agentctl("policy", "new", "a b").code == 2
    assert agentctl("policy", "new", "-").out.startswith("# Every key of a policy")


def test_a_place_that_can_not_be_written(agentctl, here):
    (here / "file").write_text("")

    assert agentctl("policy", "new", "file/policy.toml").code == 3


WRONG = [
    ("a misspelt key", "run_usd = 1.5", "run_us = 1.5", ["budget.run_us", 'did you mean "run_usd"?']),
    ("a text for a number", "max_steps = 20", 'max_steps = "20"', ["budget.max_steps", "write 20 without quotes"]),
    ("a zero", "run_usd = 1.5", "run_usd = 0", ["budget.run_usd", "expected a number above 0, got 0"]),
    ("a negative", "max_tool_calls = 100", "max_tool_calls = -1", ["budget.max_tool_calls", "above 0, got -1"]),
    ("infinity", "max_wall_s = 3600.0", "max_wall_s = inf", ["budget.max_wall_s", "got inf"]),
    ("a wrong choice", 'on_timeout = "park"', 'on_timeout = "wait"', ["approval.on_timeout", "one of: park, deny"]),
    ("a wrong tier", 'auto_approve = "low"', 'auto_approve = "lwo"', ["risk.auto_approve", 'did you mean "low"?']),
    ("a table nobody knows", "[loops]", "[loop]", ["loop", 'did you mean "loops"?']),
    ("a missing quote", 'ttl = "5m"', 'ttl = "5m', ["not TOML", "expected a closing quote"]),
    ("a capital", "jitter = true", "jitter = True", ["not TOML", "write true"]),
    ("a limit below another", "hard_limit_tokens = 90_000", "hard_limit_tokens = 100", ["context.", "of at most"]),
    ("a key in two places", "trim_to = 0.6", "trim_to = 0.6\ntrim_to = 0.5", ["context.trim_to", "set twice"]),
    ("an unknown zone", 'timezone = "UTC"', 'timezone = "Europe/Berln"', ["budget.timezone", '"Europe/Berlin"?']),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_new_policy_edited_wrong_is_explained_at_its_line(agentctl, here, before, after, said):
    agentctl("policy", "new")
    text = (here / "policy.toml").read_text()
    assert before in text
    (here / "policy.toml").write_text(text.replace(before, after, 1))

    called = agentctl("policy", "check", "policy.toml")

    assert called.code == 3
    assert "policy.toml:" in called.err
    assert all(word in called.err for word in said), called.err


# --- schema ---------------------------------------------------------------------------------------


def lint(folder, schema, text):
    """What an independent linter says of a file that names its schema."""
    (folder / "it.schema.json").write_text(schema)
    (folder / "it.toml").write_text(f"#:schema ./it.schema.json\n{text}")
    env = {**os.environ, "NO_COLOR": "1", "HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    command = [TOMBI, "lint", "--offline", "--quiet", "it.toml"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_schema_is_one_json_value(agentctl):
    made = agentctl("policy", "schema")

    assert json.loads(made.out) == agentctl("policy", "schema", "--json").json
    assert 1 == len(agentctl("policy", "schema", "--json").out.splitlines())


@pytest.mark.skipif(TOMBI is None, reason="tombi is not installed")
def test_an_independent_linter_accepts_every_policy_of_ours(agentctl, here):
    schema = agentctl("policy", "schema").out
    texts = [path.read_text() for path in sorted((ROOT / "policies").glob("*.toml"))]
    texts += [(init.TEMPLATE / "policy.toml").read_text(), agentctl("policy", "new", "-").out]
    texts.append(agentctl("policy", "show", "multi-tenant", "--toml").out)

    for text in texts:
        done = lint(here, schema, text)
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr), text[:80]


@pytest.mark.skipif(TOMBI is None, reason="tombi is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "unknown_key", "unknown_table", "unknown_provider_key", "text_for_number", "number_for_text",
        "negative_limit", "zero_limit", "share_above_one", "wrong_tier_in_table", "wrong_role", "wrong_sdk",
        "wrong_on_loop", "list_for_table", "table_for_array", "provider_without_model", "rule_without_tier",
        "float_for_whole_number", "boolean_for_number", "newer_version", "tools_in_policy", "name_is_no_key",
        "price_incomplete", "date_for_text", "syntax_no_value", "set_twice",
    ],
)  # fmt: skip
def test_an_independent_linter_refuses_what_is_wrong(agentctl, here, name):
    bad = (ROOT / "tests" / "policies" / "bad" / f"{name}.toml").read_text()
    done = lint(here, agentctl("policy", "schema").out, bad)

    assert done.returncode == 1
    assert "Error:" in done.stdout + done.stderr
    assert "it.toml" in done.stdout + done.stderr


def test_help_and_start_stay_quick():
    code = (
        "import sys; from agentctl.cli.main import main; main(['policy', 'schema', '--json']);"
        "sys.exit('httpx2' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


# --- local ----------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """An OpenAI-compatible server on this machine: its base URL, and what it was sent."""
    from agentctl.config import schema, toml
    from agentctl.rehearsal.script import Script
    from agentctl.rehearsal.server import StandIn

    script = schema.validate(Script, toml.parse('[[reply]]\ntext = "It is in Leipzig."\n', "script.toml"))
    loop, ready, done, found = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []

    async def work():
        async with StandIn(script) as standin:
            found.append(standin)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(work(),))
    thread.start()
    assert ready.wait(10)
    yield found[0].base_url("local", "openai"), found[0].requests
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.close()


def test_local_runs_against_an_openai_compatible_server(agentctl, here, server):
    """Over the chat API, without a key, at no cost."""
    url, requests = server
    text = (ROOT / "policies" / "local.toml").read_text()
    assert "http://127.0.0.1:11434/v1" in text
    (here / "policy.toml").write_text(text.replace("http://127.0.0.1:11434/v1", url))
    (here / "task.toml").write_text('version = 1\nname = "t"\npolicy = "policy.toml"\ngoal = "Where is it?"\n')

    called = agentctl("run", "task.toml", "--json")

    assert called.code == 0, called.err
    assert ("It is in Leipzig.", 0) == (called.json["answer"], called.json["cost_usd"])
    assert ["local"] == [each["name"] for each in called.json["providers"]]
    assert [("chat", 200)] == [(each.api, each.status) for each in requests]
