"""What every command does with a store that is not there, and with a value that is empty."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import started

PROGRAM = Path(sys.executable).parent / "agentctl"
READERS = [
    ["runs"], ["approvals"], ["show", "r_1a2"], ["trace", "r_1a2"], ["events", "r_1a2"], ["approve", "r_1a2"],
    ["deny", "r_1a2"], ["resume", "r_1a2"],
    ["fork", "r_1a2"], ["replay", "r_1a2"],
]  # fmt: skip
LISTS = {"runs": "no runs yet\n", "approvals": "nothing waits for a person\n"}


def installed(*arguments, **env):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], env={**os.environ, **env}, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_who_reads_makes_no_store(command, tmp_path, isolated):
    path = tmp_path / "nope" / "dir" / "x.db"
    by_flag = installed(*command, "--store", f"sqlite:///{path}")
    by_variable = installed(*command, AGENTCTL_STORE=f"sqlite:///{path}")
    default = installed(*command, AGENTCTL_STORE="")

    assert (3, "") == (by_flag.returncode, by_flag.stdout)
    assert by_flag.stderr == by_variable.stderr
    first, *rest = by_flag.stderr.splitlines()
    assert first == f"error: store {path}: there is none (one that a run has made was expected)"
    assert rest == ["", "hint: Check --store and AGENTCTL_STORE; `agentctl run` makes a store."]
    said = LISTS.get(command[0], "error: there is no run r_1a2\n\nhint: `agentctl runs` lists them.\n")
    assert (0 if command[0] in LISTS else 20, said) == (default.returncode, default.stderr)
    assert [] == [*tmp_path.iterdir(), *isolated.iterdir()]


@pytest.mark.parametrize("more", [(), ("--detach",), ("--lines", "-"), ("--json",)], ids=" ".join)
def test_a_run_makes_no_folder_for_a_store(agentctl, demo, more):
    path = demo / "nope" / "x.db"
    flags = ("--rehearse", *(() if "--lines" in more else ("--var", "order=A-1001")), *more)
    called = agentctl("run", demo / "task.toml", *flags, "--store", f"sqlite:///{path}", stdin='{"order": "A-1001"}\n')

    assert called.code == 3
    assert f"error: store {path}: there is no folder {path.parent}\n" in called.err
    assert called.err.endswith(f"\nhint: mkdir -p {path.parent}\n")
    assert not path.parent.exists()
    if more == ("--json",):
        assert called.json["error"]["code"] == "store"


def test_a_run_makes_the_file_of_a_store_and_the_others_find_it(agentctl, demo):
    named = ("--store", f"sqlite:///{demo / 'x.db'}")
    called = agentctl("run", demo / "task.toml", "--rehearse", "--var", "order=A-1001", "--json", *named)

    assert called.code == 0
    assert agentctl("show", called.json["run_id"], *named).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        *(["run", "t.toml", flag, ""] for flag in ("--user", "--tenant", "--session", "--policy", "--store")),
        *(["run", "t.toml", flag, ""] for flag in ("--var", "--lines", "--auto-approve")),
        ["run", "t.toml", "--var", "=x"],
        ["run", "t.toml", "--store="],
        *([name, ""] for name in ("show", "trace", "events", "approve", "deny", "resume", "fork", "replay")),
        *([name, "r_1a2", flag, ""] for name in ("resume", "fork") for flag in ("--user", "--policy", "--store")),
        *(["fork", "r_1a2", flag, ""] for flag in ("--goal", "--session", "--auto-approve")),
        *([name, "r_1a2", *rest, ""] for name in ("approve", "deny") for rest in ((), ("--user",), ("--store",))),
        *(["runs", flag, ""] for flag in ("--user", "--task", "--status", "--since", "--store")),
        ["doctor", "--store", ""],
        ["tools", "list", "t.toml", "--policy", ""],
    ],
    ids=" ".join,
)
def test_an_empty_value_is_wrong_usage_and_one_line(agentctl, arguments, isolated):
    called = agentctl(*arguments)
    line, *hint = called.err.splitlines()

    assert (2, "") == (called.code, called.out)
    assert "expected" in line
    assert f"error: {named(arguments)}: " in line
    assert len(hint) in {0, 2}
    assert [] == list(isolated.iterdir())


def named(arguments):
    """The flag that is empty, or the argument as the help calls it."""
    flags = [each.rstrip("=") for each in arguments if each.startswith("--")]
    return flags[-1] if flags else "RUN" if len(arguments) == 2 else "CALL"


def test_an_empty_variable_names_no_store(agentctl, record, monkeypatch):
    run_id = record("r_1a2b3c", started())
    monkeypatch.setenv("AGENTCTL_STORE", "")

    assert run_id in agentctl("runs").out


def test_a_refusal_needs_no_reason(agentctl):
    assert agentctl("deny", "r_1a2", "--why", "").code == 20
