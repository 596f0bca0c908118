"""`tools list`, `tools check`, `tools try`, and the lint behind the second."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentctl.core.guards.risk import Rules as Risk
from agentctl.core.policy import Policy
from agentctl.core.task import Tool
from agentctl.core.tiers import Tier
from agentctl.tools.declared import contract_of
from agentctl.tools.lint import lint

GOOD = {
    "name": "look",
    "description": "Look.",
    "command": ("true",),
    "parameters": {"type": "object"},
    "owner": "shop",
    "timeout_seconds": 5.0,
    "side_effects": "none",
    "untrusted": False,
}


def linted(*changes, policy=None):
    """What is found in tools that are fine but for these changes: (level, key) and the fixes."""
    tools = [Tool(**{**GOOD, **change}) for change in changes]
    policy = policy or Policy()
    return lint(tools, [contract_of(tool, policy) for tool in tools], policy)


def keys(found):
    return [(each.level, each.key) for each in found]


# --- The lint -------------------------------------------------------------------------------------


def test_a_complete_contract_has_nothing_to_reject():
    """D80"""
    assert [] == linted({})
    assert [] == linted({"side_effects": "irreversible", "max_calls_per_session": 1})


@pytest.mark.parametrize("effects", ["external", "irreversible"])
def test_a_sender_that_nobody_is_asked_about_is_rejected(effects):
    """D90"""
    loose = Policy(risk=Risk(auto_approve=Tier.HIGH))
    named = Policy(risk=Risk(tiers={"look": Tier.SAFE}))
    off = Policy(risk=Risk(enabled=False))
    sender = {"side_effects": effects, "max_calls_per_session": 1}

    assert [] == linted(sender)
    for policy, fix in (
        (loose, 'in the policy: [risk] auto_approve = "low"'),
        (named, 'in the policy: [risk.tiers] look = "high"'),
        (off, "in the policy: [risk] enabled = true"),
    ):
        (found,) = linted(sender, policy=policy)
        assert ("error", "side_effects", fix) == (found.level, found.key, found.fix)
        assert f'side_effects = "{effects}", and it runs without asking' in found.what


def test_a_tool_without_a_timeout_is_rejected():
    """D83 D90"""
    (found,) = linted({"timeout_seconds": None})

    assert ("warning", "timeout_seconds", "timeout_seconds = 5") == (found.level, found.key, found.fix)


def test_an_expensive_tool_without_a_call_limit_is_rejected():
    """D88 D90"""
    (found,) = linted({"side_effects": "external"})

    assert ("warning", "max_calls_per_session", "max_calls_per_session = 3") == (found.level, found.key, found.fix)
    assert [] == linted({"side_effects": "external", "max_calls_per_minute": 5})


def test_a_tool_without_an_owner_is_told():
    """D82"""
    assert [("warning", "owner")] == keys(linted({"owner": ""}))


def test_a_tool_without_labels_is_told_what_it_counts_as():
    """D90"""
    (found,) = linted({"untrusted": None})

    assert ("warning", "untrusted") == (found.level, found.key)
    assert "counts as untrusted, and as able to carry data out" in found.what
    assert [] == linted({"untrusted": None, "egress": True})


def test_unknown_side_effects_are_told_with_the_tier_that_follows():
    """D86"""
    (found,) = linted({"side_effects": None})

    assert ("warning", "side_effects", 'side_effects = "none"') == (found.level, found.key, found.fix)
    assert "its tier is high" in found.what


def test_retries_of_what_must_not_happen_twice_are_told():
    """D84 D85"""
    change = {"side_effects": "local", "retry_policy": "fixed"}

    assert [("warning", "retry_policy")] == keys(linted(change))
    assert [] == linted({**change, "idempotent": True})
    assert [] == linted({**change, "retry_policy": "none"})
    assert [] == linted({**change, "side_effects": "none"})


def test_two_names_for_one_tool_and_one_name_for_two_are_told():
    """D81"""
    found = linted({"name": "a.b"}, {"name": "a__b", "command": ("false",)}, {"name": "c", "command": ("false",)})

    assert [("a__b", "error", "name"), ("c", "warning", "command")] == [(f.tool, f.level, f.key) for f in found]
    assert "a.b is called a__b too" in found[0].what


def test_a_server_stands_for_all_of_its_tools_and_built_in_tools_need_no_owner():
    server = Tool(use="mcp", name="fs", command=("npx",), owner="x", timeout_seconds=5.0, untrusted=True)
    read = contract_of(Tool(name="fs.read", side_effects="none"), Policy())
    write = contract_of(Tool(name="fs.write"), Policy())
    found = lint([server, Tool(use="builtin:read_file")], [read, write], Policy())

    assert [
        ("fs.read", "max_calls_per_session"),
        ("fs.write", "max_calls_per_session"),
        ("fs.write", "side_effects"),
    ] == [(each.tool, each.key) for each in found]


# --- The commands ---------------------------------------------------------------------------------


def test_tools_are_listed_with_what_they_may_do(agentctl, demo):
    """D87"""
    lines = agentctl("tools", "list", demo / "task.toml").out.splitlines()
    items = {item["name"]: item for item in agentctl("tools", "list", demo / "task.toml", "--json").json["items"]}

    assert lines[0].startswith("NAME              TIER  ASKS  BECAUSE")
    assert {"get_order_status": False, "send_refund": True, "read_file": False} == {
        name: item["asks"] for name, item in items.items()
    }
    assert ("high", "irreversible", "support-payments") == tuple(
        items["send_refund"][key] for key in ("tier", "side_effects", "owner")
    )


def test_the_task_of_init_passes_the_lint(agentctl, demo):
    called = agentctl("tools", "check", demo / "task.toml")

    assert (0, "ok: 3 tools of order-triage under policy policy\n") == (called.code, called.out)
    assert agentctl("tools", "check", demo / "task.toml", "--json").json == {"items": [], "truncated": False}


def test_warnings_are_0_and_stand_at_their_line(agentctl, demo):
    task = demo / "task.toml"
    task.write_text(
        task.read_text().replace('owner = "support-platform"\n', "").replace("max_calls_per_session = 1", "")
    )
    called = agentctl("tools", "check", task)
    items = agentctl("tools", "check", task, "--json").json["items"]

    assert called.code == 0
    assert (
        f"warning: {task}:15:1: tools[0].owner: get_order_status: nobody to ask when it breaks — owner = " in called.out
    )
    assert ["owner", "max_calls_per_session"] == [item["key"] for item in items]
    assert {"tool", "level", "key", "what", "fix"} == set(items[0])


def test_errors_are_3_with_the_key_that_mends_them(agentctl, demo):
    (demo / "policy.toml").write_text('[risk.tiers]\nsend_refund = "low"\n')
    called = agentctl("tools", "check", demo / "task.toml")
    body = agentctl("tools", "check", demo / "task.toml", "--json").json

    assert called.code == 3
    assert 'in the policy: [risk.tiers] send_refund = "high"' in called.err
    (problem,) = body["error"]["problems"]
    assert ("tools[1].side_effects", str(demo / "task.toml")) == (problem["key"], problem["file"])
    assert agentctl("tools", "check", demo / "task.toml", "--policy", "standard").code == 0


def test_one_tool_by_hand(agentctl, demo):
    called = agentctl("tools", "try", demo / "task.toml", "read_file", '{"path": "notes/refunds.md"}')

    assert called.code == 0
    assert called.err == "read_file: safe, by risk.tiers.read_file (standard.toml:107)\n"
    assert called.json["status"] == "success"
    assert "# Refunds" in called.json["data"]["text"]


def test_its_arguments_are_checked_first(agentctl, demo):
    task = demo / "task.toml"
    wrong = agentctl("tools", "try", task, "get_order_status", '{"order": "A-1001"}')

    assert (1, "INVALID_ARGS") == (wrong.code, wrong.json["code"])
    assert agentctl("tools", "try", task, "get_order_status", "[1]").code == 2
    assert "ARGS_JSON: not JSON" in agentctl("tools", "try", task, "get_order_status", "{").err
    assert 'did you mean "read_file"?' in agentctl("tools", "try", task, "read_fiel", "{}").err


def test_what_asks_does_not_run_where_nobody_can_answer(agentctl, demo):
    """D69"""
    args = json.dumps({"order_id": "A-1001", "amount_usd": 48.5})
    called = agentctl("tools", "try", demo / "task.toml", "send_refund", args)
    forced = agentctl("tools", "try", demo / "task.toml", "send_refund", args, "--yes", "--json")

    assert (1, "CONFIRMATION_REQUIRED") == (called.code, called.json["code"])
    assert (
        "send_refund is high, by risk.tiers.send_refund (policy.toml:20), and asks a person first."
        == called.json["message"]
    )
    assert ("permanent", False) == (called.json["error_type"], called.json["retry_safe"])
    assert "--yes" in called.json["hint"]
    assert args in called.json["hint"]
    assert (0, "success", "") == (forced.code, forced.json["status"], forced.err)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("ls", None, "shell: safe, by built-in: ls only reads here"),
        ("make; ls", "CONFIRMATION_REQUIRED", "shell: high, by built-in: it has more than one command"),
        ("make", None, "shell: low, by p.toml:7"),
        ("ls; sh -c 'rm x'", "FORBIDDEN", ""),
    ],
)
def test_a_shell_command_by_hand_is_judged_as_a_run_judges_it(agentctl, tmp_path, monkeypatch, command, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(
        '[sandbox]\nmode = "off"\n[[risk.rules]]\ntool = "shell"\nargs = { command = "^rm" }\ntier = "forbid"\n'
        '[[risk.rules]]\ntool = "shell"\nargs = { command = "^make$" }\ntier = "low"\n'
    )
    (tmp_path / "t.toml").write_text(
        'version = 1\nname = "t"\ngoal = "g"\npolicy = "p.toml"\n[[tools]]\nuse = "builtin:shell"\n'
    )
    called = agentctl("tools", "try", "t.toml", "shell", json.dumps({"command": command}))

    assert code == called.json["code"]
    assert called.err.startswith(said)


@pytest.mark.parametrize(("pressed", "code", "status"), [(b"y", 0, "success"), (b"n\r", 1, "error")])
def test_on_a_terminal_a_person_decides(demo, pressed, code, status):
    args = json.dumps({"order_id": "A-1001", "amount_usd": 48.5})
    command = [sys.executable, "-m", "agentctl", "tools", "try", str(demo / "task.toml"), "send_refund", args]
    terminal, theirs = pty.openpty()
    own = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", own, *command], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    waiting = [bytes([each]) for each in pressed]
    with contextlib.suppress(OSError):  # nobody is at the other end any more
        while more := os.read(terminal, 65_536):
            seen += more
            if waiting and (b"deny" in seen or b"because" in seen):
                time.sleep(0.6)
                os.write(terminal, waiting.pop(0))
    os.close(terminal)

    assert code == process.wait(10), seen.decode()
    assert f'"status": "{status}"'.encode() in seen
    assert b"send_refund" in seen


@pytest.mark.slow
def test_the_tools_of_a_server_are_tools_like_any_other(agentctl, tmp_path):
    program = Path(__file__).parent.parent / "tools" / "mcp_server.py"
    task = tmp_path / "task.toml"
    command = json.dumps([sys.executable, str(program)])
    task.write_text(
        f'version = 1\nname = "t"\ngoal = "Go."\n[[tools]]\nuse = "mcp"\nname = "fs"\ncommand = {command}\n'
    )

    items = agentctl("tools", "list", task, "--json").json["items"]
    findings = agentctl("tools", "check", task, "--json").json["items"]
    asked = agentctl("tools", "try", task, items[0]["name"], "{}")

    assert items
    assert all(item["name"].startswith("fs.") for item in items)
    assert "max_calls_per_session" in {finding["key"] for finding in findings}
    assert asked.code in {0, 1}
    assert asked.json["code"] in {None, "INVALID_ARGS", "CONFIRMATION_REQUIRED"}


@pytest.fixture
def served(tmp_path):
    """A task with two small servers, and how often each was started."""
    program = Path(__file__).parent.parent / "tools" / "mcp_old.py"
    schema = {"type": "object", "properties": {}}
    tables = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        offered = [{"name": "look", "description": "Looks.", "inputSchema": schema}]
        (tmp_path / name / "tools.json").write_text(json.dumps(offered))
        command = json.dumps(["sh", "-c", f'cd {name}; exec "$0" "$1"', sys.executable, str(program)])
        tables.append(f'[[tools]]\nuse = "mcp"\nname = "{name}"\ncommand = {command}\n')
    task = tmp_path / "task.toml"
    task.write_text('version = 1\nname = "t"\ngoal = "Go."\n' + "".join(tables))

    def starts():
        files = [tmp_path / name / "starts" for name in ("a", "b")]
        return [len(file.read_text()) if file.exists() else 0 for file in files]

    return task, starts


def test_what_the_store_knows_of_a_server_is_linted_without_it(agentctl, served):
    task, starts = served
    first = agentctl("tools", "check", task, "--json")
    again = agentctl("tools", "check", task, "--json")
    agentctl("task", "check", task)
    agentctl("run", task, "--explain")

    assert first.json == again.json
    assert first.json["items"]
    assert [1, 1] == starts()


def test_tools_are_listed_by_their_servers_every_time_and_what_they_say_is_kept(agentctl, served):
    task, starts = served
    agentctl("tools", "list", task)
    offered = task.parent / "a" / "tools.json"
    offered.write_text(offered.read_text().replace('"look"', '"peek"'))
    listed = agentctl("tools", "list", task, "--json").json["items"]
    checked = agentctl("tools", "check", task, "--json").json["items"]

    assert ["a.peek", "b.look"] == [item["name"] for item in listed]
    assert {"a.peek", "b.look"} <= {item["tool"] for item in checked}
    assert [2, 2] == starts()


def test_a_tool_by_hand_starts_its_own_server_alone(agentctl, served):
    task, starts = served
    agentctl("tools", "list", task)
    offered = task.parent / "a" / "tools.json"
    offered.write_text(offered.read_text().replace('"look"', '"peek"'))
    tried = agentctl("tools", "try", task, "a__peek", "{}", "--yes")

    assert ("success", 0) == (tried.json["status"], tried.code)
    assert [2, 1] == starts()


def test_a_task_that_is_wrong_is_told_as_always(agentctl, demo):
    (demo / "task.toml").write_text("version = 1\n")

    for command in (["list"], ["check"]):
        assert agentctl("tools", *command, demo / "task.toml").code == 3


def test_nothing_slow_is_loaded_to_list_tools(demo):
    code = (
        "import sys; from agentctl.cli.main import main; main(['tools', 'list', sys.argv[1]]);"
        "sys.exit(any(name in sys.modules for name in ('httpx2', 'openai', 'anthropic', 'mcp', 'textual')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(demo / "task.toml")], check=False, capture_output=True)

    assert done.returncode == 0
