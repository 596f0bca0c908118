"""`doctor`: what this machine has, what it lacks, and the line that mends it."""

import json
import os
import subprocess
import sys
import time

import pytest

from agentctl.config import paths
from agentctl.core.guards.circuit import Rules
from agentctl.journal import circuits, ledger
from agentctl.journal.lease import new_owner
from agentctl.journal.store import open_store
from agentctl.runner import health
from tests.cli.conftest import started


@pytest.fixture
def found(agentctl):
    def look(*flags):
        called = agentctl("doctor", "--json", *flags)
        return called.code, {(each["area"], each["name"]): each for each in called.json["items"]}

    return look


def test_an_empty_machine_is_well_enough(found, isolated):
    code, checks = found()

    assert code == 0
    assert checks["keys", "anthropic"]["state"] == "warn"
    assert "ANTHROPIC_API_KEY" in checks["keys", "anthropic"]["fix"]
    assert checks["keyring", "backend"]["state"] == "warn"
    assert checks["store", "file"]["state"] == "ok"
    assert "made by the first run" in checks["store", "file"]["said"]
    assert {each["state"] for each in checks.values()} <= {"ok", "warn"}
    assert [] == list(isolated.rglob("*.db"))


def test_keys_are_found_and_never_shown(agentctl, found, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere")
    _, checks = found()

    assert checks["keys", "anthropic"]["said"] == "claude-sonnet-4-6: key from ANTHROPIC_API_KEY"
    assert checks["keys", "OPENAI_BASE_URL"]["state"] == "warn"
    assert "very-secret" not in agentctl("doctor").out


def test_a_crashed_run_comes_with_the_command_that_goes_on(agentctl, found, record, monkeypatch):
    record("r_dead", started(), status="running", reason="")
    _, checks = found()

    assert checks["store", "r_dead"]["fix"] == "agentctl resume r_dead"
    assert "1 runs" in checks["store", "file"]["said"]
    assert "\n        " in agentctl("doctor").out
    assert new_owner()


def test_open_circuits_and_what_dead_processes_hold_are_told(found, record):
    record("r_1", started(), status="running", reason="")

    def work(tx):
        ledger.reserve(tx, "r_1:2", "r_1", 18_400, [ledger.Scope("run_usd:r_1", 0, None)])
        for name in ("anthropic:claude-sonnet-4-6", "rehearsal:r_2:openai:gpt-5.4"):
            for number in range(5):
                circuits.record(tx, circuits.Outcome(name, Rules(), f"{number}", False, 1.0), time.time())

    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        store.write(work)
    code, checks = found()

    assert 0 == code
    assert "$0.0184 held by dead processes" == checks["store", "holds"]["said"]
    circuit = checks["store", "circuits"]
    assert ("not closed: anthropic:claude-sonnet-4-6", "agentctl circuits") == (circuit["said"], circuit["fix"])


def test_a_store_others_can_read(found, record, isolated):
    record("r_1", started())
    (isolated / "data" / "agentctl.db").chmod(0o644)
    code, checks = found()

    assert (code, checks["store", "file"]["state"]) == (0, "warn")
    assert checks["store", "file"]["fix"].startswith("chmod 600 ")


@pytest.mark.parametrize("url", ["file", "nonsense", "sqlite:////proc/nowhere/x.db"])
def test_a_store_that_can_not_be_used_is_3(agentctl, found, tmp_path, url, monkeypatch):
    if url == "file":
        (tmp_path / "x.db").write_text("no database at all")
        url = f"sqlite:///{tmp_path / 'x.db'}"
    if os.getuid() == 0 and "proc" in url:
        monkeypatch.setattr(os, "access", lambda *_: False)
    code, checks = found("--store", url)

    assert code == 3
    assert checks["store", "file"]["state"] == "fail"
    assert checks["store", "file"]["fix"]
    assert agentctl("doctor", "--store", url).code == 3


def test_a_folder_that_a_run_would_not_make_comes_with_the_command_that_does(found, tmp_path):
    code, checks = found("--store", f"sqlite:///{tmp_path}/nope/x.db")

    assert (3, f"mkdir -p {tmp_path}/nope") == (code, checks["store", "file"]["fix"])
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("version", "noted"),
    [((3, 40, 1), True), ((3, 44, 6), False), ((3, 45, 0), True), ((3, 50, 7), False), ((3, 51, 2), True),
     ((3, 51, 3), False), ((4, 0, 0), False)],
)  # fmt: skip
def test_the_versions_of_sqlite_with_the_reset_bug(monkeypatch, version, noted):
    monkeypatch.setattr(health.sqlite3, "sqlite_version_info", version)
    (check,) = [each for each in health.checks(None) if each.name == "sqlite"]

    assert check.state == "ok"
    assert ("3.51.2" in check.said) == noted


@pytest.mark.parametrize(
    ("body", "state", "said"),
    [("exit 0", "ok", "makes sandboxes"), ("echo 'bwrap: No permissions' >&2; exit 1", "warn", "No permissions")],
)
def test_bwrap_is_tried(found, monkeypatch, tmp_path, body, state, said):
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    _, checks = found()

    assert checks["sandbox", "bwrap"]["state"] == state
    assert said in checks["sandbox", "bwrap"]["said"]


def test_without_programs(found, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    _, checks = found()

    assert "bubblewrap" in checks["sandbox", "bwrap"]["fix"]
    assert checks["optional", "npx"]["state"] == "warn"


def test_it_loads_no_sdk():
    code = (
        "import sys; from agentctl.cli.main import main; main(['doctor', '--json']);"
        "print([n for n in ('anthropic', 'openai', 'textual', 'mcp', 'httpx2') if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout)["ok"]
