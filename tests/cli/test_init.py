"""The first thing that a newcomer sees."""

import json
import subprocess
import sys
from pathlib import Path

FILES = ["README.md", "notes/refunds.md", "policy.toml", "rehearsal.toml", "task.toml", "tools/orders.py"]


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_init_writes_a_desk_and_says_what_next(agentctl, tmp_path):
    called = agentctl("init", tmp_path / "demo")

    assert called.code == 0
    assert written(tmp_path / "demo") == FILES
    assert f"agentctl run {tmp_path}/demo/task.toml --rehearse --var order=A-1001" in called.err


def test_over_identical_files_there_is_nothing_to_do(agentctl, tmp_path):
    agentctl("init", tmp_path)
    (tmp_path / "mine.txt").write_text("stays")
    (tmp_path / "notes" / "refunds.md").unlink()

    called = agentctl("init", tmp_path, "--json")

    assert called.code == 0
    assert called.json["written"] == [str(tmp_path / "notes" / "refunds.md")]
    assert agentctl("init", tmp_path).out == f"nothing to do: {tmp_path} is up to date\n"


def test_over_changed_files_nothing_is_written_without_force(agentctl, tmp_path):
    agentctl("init", tmp_path)
    (tmp_path / "policy.toml").write_text("mine")
    (tmp_path / "README.md").unlink()

    refused = agentctl("init", tmp_path)

    assert refused.code == 2
    assert f"these files are others than init's: {tmp_path}/policy.toml" in refused.err
    assert (tmp_path / "policy.toml").read_text() == "mine"
    assert not (tmp_path / "README.md").exists()
    assert agentctl("init", tmp_path, "--force").code == 0
    assert "extends" in (tmp_path / "policy.toml").read_text()


def test_where_no_folder_can_be_is_one_line(agentctl, tmp_path):
    (tmp_path / "file").write_text("")
    called = agentctl("init", tmp_path / "file")

    assert called.code == 3
    assert called.err == f"error: {tmp_path}/file: File exists\n"


def test_the_desk_passes_its_own_checks(agentctl, demo):
    assert agentctl("task", "check", demo / "task.toml").code == 0
    assert agentctl("policy", "check", demo / "policy.toml").code == 0


def test_the_story_is_worth_seeing(agentctl, demo):
    """A failure that passes, an overloaded provider, a note, a person who says no, an answer."""
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001")

    assert called.code == 0
    assert called.out.startswith("Your order A-1001 left our warehouse")
    assert "✗ get_order_status safe" in called.err
    assert "transient: the order system is restarting" in called.err
    assert "✗ anthropic: 529 overloaded" in called.err
    assert "✓ read_file safe" in called.err
    assert "? send_refund needs a person: high, by risk.tiers.send_refund" in called.err
    assert "ask the customer first" in called.err
    assert "completed: done · $0.0" in called.err


def run_tool(folder, name, arguments, run="r_1"):
    return subprocess.run(
        [sys.executable, "tools/orders.py", name],
        cwd=folder,
        input=json.dumps(arguments),
        env={"AGENTCTL_RUN_ID": run, "AGENTCTL_IDEMPOTENCY_KEY": "k", "TMPDIR": str(folder)},
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_tools_fail_as_real_ones_do(demo):
    order = {"order_id": "A-1001"}

    assert run_tool(demo, "status", order).returncode == 75
    assert json.loads(run_tool(demo, "status", order).stdout)["status"] == "lost"
    assert run_tool(demo, "status", order, run="r_2").returncode == 75
    unknown = run_tool(demo, "status", {"order_id": "Z"})
    assert (unknown.returncode, unknown.stderr) == (1, "there is no order Z\n")
    assert json.loads(run_tool(demo, "refund", {**order, "amount_usd": 48.5}).stdout)["key"] == "k"
    assert run_tool(demo, "refund", {**order, "amount_usd": 49}).returncode == 1


def test_the_template_is_package_data():
    from agentctl.cli.init import TEMPLATE

    assert [name for name in written(Path(TEMPLATE)) if not name.endswith(".pyc")] == FILES
