"""Whole runs of the program itself with its tools in a box: under bubblewrap, under Landlock, off, and without either.

What a machine lacks it really lacks: the kernel refuses (`tests/tools/sandbox/lacking.py`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w

from agentctl.tools.sandbox import launch
from agentctl.tools.sandbox.probe import probe

ROOT = Path(__file__).parents[2]
LACKING = ROOT / "tests" / "tools" / "sandbox" / "lacking.py"
LACKS = {"bubblewrap": "nothing", "landlock": "namespaces", "none": "landlock,namespaces", "off": "nothing"}
OBJECT = {"type": "object", "properties": {"roots": {"type": "array", "items": {"type": "string"}}}}
SNOOP = """
import json, os, sys
given = json.load(sys.stdin)
found = []
def look(path):
    try:
        if open(path, "rb").read(): found.append(path)
    except OSError: pass
for root in given["roots"]:
    look(root)
    for folder, _, names in os.walk(root):
        for name in names: look(os.path.join(folder, name))
for pid in [os.getppid(), *range(max(1, os.getpid() - 3000), os.getpid())]:
    try:
        if b"sk-fake" in open(f"/proc/{pid}/environ", "rb").read(): found.append("environ")
    except OSError: pass
keys = [name for name in os.environ if "API_KEY" in name]
print(json.dumps({"found": sorted(set(found)), "keys": keys}))
"""


@pytest.fixture(params=["bubblewrap", "landlock"])
def backend(request):
    there = probe().backend == "bubblewrap" if request.param == "bubblewrap" else launch.supported()
    if not there:
        if os.environ.get("AGENTCTL_REQUIRE_REAL") == "1":
            pytest.fail(f"needs {request.param}")
        pytest.skip(f"needs {request.param}")
    return request.param


class Desk:
    """A task with a program and a shell that look around, and the machine that it runs on."""

    def __init__(self, folder: Path) -> None:
        self.work, self.home, self.ours = folder / "work", folder / "user", folder / "ours"
        self.store = folder / "elsewhere" / "agentctl.db"
        for each in (self.work, self.home / ".ssh", self.ours / "config" / "policies", self.store.parent):
            each.mkdir(parents=True)
        (self.home / ".ssh" / "id_ed25519").write_text("hearth")
        (self.ours / "config" / "policies" / "mine.toml").write_text('version = 1\nextends = "standard"\n')
        (self.work / "snoop.py").write_text(SNOOP)
        self.roots = [self.home / ".ssh", self.ours, self.store.parent, Path("/etc/shadow")]
        self.files(mode="auto")

    def files(self, answered=("shell",), **sandbox):
        rules = {"version": 1, "extends": "standard", "sandbox": sandbox}
        (self.work / "policy.toml").write_text(tomli_w.dumps(rules))
        look = {"name": "snoop", "command": ["python3", "snoop.py"], "side_effects": "none", "parameters": OBJECT}
        tools = [{**look, "description": "Looks around.", "untrusted": False}, {"use": "builtin:shell"}]
        task = {"version": 1, "name": "t", "goal": "Look.", "policy": "policy.toml", "tools": tools}
        (self.work / "task.toml").write_text(tomli_w.dumps({**task, "rehearsal": "script.toml"}))
        roots = [str(each) for each in self.roots]
        given = json.dumps({"roots": roots})
        commands = f"echo '{given}' | python3 snoop.py > said.json; echo after > made"
        replies = [
            {"calls": [{"tool": "snoop", "args": {"roots": roots}}]},
            {"calls": [{"tool": "shell", "args": {"command": commands}}]},
            {"text": "done"},
        ]
        person = [{"tool": name, "answer": "y"} for name in answered]
        (self.work / "script.toml").write_text(tomli_w.dumps({"reply": replies, "person": person}))

    def call(self, backend, *words):
        env = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "AGENTCTL_HOME": str(self.ours),
            "ANTHROPIC_API_KEY": "sk-fake-5b1f07c2e94a4d10",
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "SHELL": "/bin/bash",
        }
        command = [sys.executable, str(LACKING), LACKS[backend], sys.executable, "-c"]
        program = "from agentctl.cli.main import run; run()"
        return subprocess.run(
            [*command, program, *map(str, words)],
            cwd=self.work,
            env=env,
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
        )

    def run(self, backend, *flags):
        store = ("--store", f"sqlite:///{self.store}")
        done = self.call(
            backend, "run", self.work / "task.toml", "--rehearse", "--real-tools", "--events", *store, *flags
        )
        return done, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def results(events):
    ended = [each["data"] for each in events if each["event_type"] == "tool_result"]
    return {each["tool"]: each["result"] for each in ended}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_a_program_and_the_shell_see_neither_store_nor_keys_nor_home_nor_other_processes(desk, backend):
    done, events = desk.run(backend)
    found = results(events)
    said = json.loads((desk.work / "said.json").read_text())

    assert (0, "complete") == (done.returncode, events[-1]["event_type"]), done.stderr
    assert {"found": [], "keys": []} == found["snoop"]["data"] == said
    assert desk.store.exists()
    assert "after\n" == (desk.work / "made").read_text()
    assert (backend == "landlock") == ("Landlock and seccomp are used" in done.stderr)


def test_switched_off_the_same_programs_see_it_all(desk):
    """What nobody could see anyway would show nothing."""
    desk.files(mode="off")
    done, events = desk.run("off")
    seen = results(events)["snoop"]["data"]["found"]

    for each in (desk.home / ".ssh" / "id_ed25519", desk.store, desk.ours / "config" / "policies" / "mine.toml"):
        assert str(each) in seen
    assert "environ" not in seen  # a run's own key is in its environment no more, whoever looks
    assert any("seal" in each for each in seen)
    assert "switched off by policy policy: sandbox" in done.stderr


def test_without_either_the_shell_is_denied_with_the_way_out_and_programs_run_with_a_warning(desk):
    done, events = desk.run("none")
    shell = results(events)["shell"]

    assert 0 == done.returncode
    assert "success" == results(events)["snoop"]["status"]
    assert ("error", "SANDBOX") == (shell["status"], shell["code"])
    assert "no sandbox" in shell["message"]
    assert '[sandbox] mode = "off"' in shell["hint"]
    assert not (desk.work / "made").exists()
    assert "sandbox: none, programs run without one" in done.stderr
    assert "user namespaces" in done.stderr


def test_the_task_s_check_which_runs_what_the_model_wrote_is_in_the_box_too(desk, backend):
    task = desk.work / "task.toml"
    given = json.dumps({"roots": [str(each) for each in desk.roots]})
    look = f"echo '{given}' | python3 snoop.py > checked.json; echo evil > .envrc"
    task.write_text(task.read_text() + tomli_w.dumps({"check": {"command": ["sh", "-c", look]}}))
    done, events = desk.run(backend)
    checks = [each["data"] for each in events if each["event_type"] == "check"]

    assert {"found": [], "keys": []} == json.loads((desk.work / "checked.json").read_text())
    assert not (desk.work / ".envrc").exists()
    assert checks, [each["event_type"] for each in events]
    assert all("put back" in each["output"] for each in checks)
    assert 0 != done.returncode


@pytest.mark.parametrize("words", [("run", "--rehearse"), ("tools", "try", "snoop")])
def test_required_and_none_there_is_exit_16_in_one_line_with_the_fix_and_nothing_was_sent(desk, words):
    desk.files(mode="required")
    task = str(desk.work / "task.toml")
    done = desk.call("none", *(("run", task, "--rehearse") if words[0] == "run" else ("tools", "try", task, "snoop")))

    assert 16 == done.returncode, done.stderr
    assert "the policy requires a sandbox and there is none here" in done.stderr
    assert "user namespaces" in done.stderr
    assert "Traceback" not in done.stderr
    assert "" == done.stdout
    assert [] == list(desk.ours.rglob("*.db"))


def test_tools_try_runs_in_the_same_box(desk, backend):
    given = json.dumps({"roots": [str(each) for each in desk.roots]})
    done = desk.call(backend, "tools", "try", desk.work / "task.toml", "snoop", given, "--yes", "--json")

    assert {"found": [], "keys": []} == json.loads(done.stdout)["data"], done.stderr


def test_a_resumed_run_is_in_the_same_box(desk, backend):
    desk.files(answered=())
    parked, events = desk.run(backend)
    store = ("--store", f"sqlite:///{desk.store}")
    run = events[0]["run_id"]
    approved = desk.call(backend, "approve", run, *store)
    done = desk.call(backend, "resume", run, *store)

    assert (12, 0, 0) == (parked.returncode, approved.returncode, done.returncode), (parked, approved, done)
    assert {"found": [], "keys": []} == json.loads((desk.work / "said.json").read_text())


def test_a_store_in_the_work_tree_is_hidden_or_refused(desk, backend):
    desk.store = desk.work / "own.db"
    desk.roots = [desk.store, desk.work / "own.db-wal", desk.work / "blobs"]
    desk.files(mode="auto")
    done, events = desk.run(backend)

    if backend == "landlock":
        assert 3 == done.returncode
        assert "no program may see it" in done.stderr
    else:
        assert {"found": [], "keys": []} == results(events)["snoop"]["data"]
