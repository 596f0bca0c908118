"""The shell itself: what it is given, what it answers, and that nothing is left of it."""

import asyncio
import os
import time
from pathlib import Path

import psutil
import pytest

from agentctl.core.commands import ruling
from agentctl.core.policy import Policy, Sandbox
from agentctl.core.task import Task, Tool
from agentctl.core.tiers import Tier
from agentctl.errors import SandboxMissing
from agentctl.tools.base import open_tools
from agentctl.tools.builtin.shell import SHELLS, environment, user_shell
from agentctl.tools.sandbox.probe import Found

OFF = Policy(sandbox=Sandbox(mode="off"))
NOTHING = Found("none", "", "nothing here", "install bubblewrap")
LANDLOCK = Found("landlock", "", "forced")
BUBBLEWRAP = Found("bubblewrap", "/usr/bin/bwrap", "forced")


@pytest.fixture
def shell(opened):
    (tool,) = opened(Tool(use="builtin:shell"), policy=OFF)
    return tool


@pytest.fixture
def run(shell, ask):
    async def call(command, **options):
        return await ask(shell, {"command": command}, **options)

    return call


def confined(tmp_path, found, **rules):
    task = Task(version=1, name="t", tools=(Tool(use="builtin:shell"),))
    return open_tools(task, tmp_path, Policy(sandbox=Sandbox(**rules)), found=found)[0]


# --- What it answers -------------------------------------------------------------------------------


async def test_the_answer_is_the_exit_code_and_both_outputs(run):
    found = await run("echo out; echo err >&2; exit 3")

    assert found.ok
    assert {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"} == found.data


async def test_it_runs_in_the_folder_of_the_task(run, tmp_path):
    assert f"{tmp_path.resolve()}\n" == (await run("pwd -P")).data["stdout"]


async def test_there_is_nothing_to_read_and_no_terminal(run):
    found = await run("cat; tty; (: </dev/tty) 2>/dev/null && echo HAS")

    assert "not a tty\n" == found.data["stdout"]


async def test_a_long_output_keeps_its_head_its_tail_and_its_size(run):
    found = await run("echo FIRST; head -c 100000 /dev/zero | tr '\\0' x; echo; echo LAST")

    text = found.data["stdout"]
    assert text.startswith("FIRST\n")
    assert text.endswith("LAST\n")
    assert "characters left out" in text
    assert len(text) < 25_000


async def test_too_much_output_stops_it_and_shows_what_there_was(run):
    found = await run("yes")

    assert not found.ok
    assert "OUTPUT" == found.code
    assert found.data["stdout"].startswith("y\ny\n")


async def test_bytes_that_are_no_text_are_written_down_all_the_same(run):
    found = await run("printf '\\377\\303x'")

    assert "\ufffd\ufffdx" == found.data["stdout"]


@pytest.mark.parametrize("text", ["ls \0", "ls \ud800"])
async def test_what_no_shell_can_be_given_is_refused(run, text):
    assert "INVALID_ARGS" == (await run(text)).code


# --- What it is given ------------------------------------------------------------------------------


async def test_only_what_the_policy_names_is_passed_on(run, monkeypatch):
    """Environment leaks: keys least of all."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-fake-not-a-key")
    monkeypatch.setenv("SOMETHING", "else")

    names = {line.partition("=")[0] for line in (await run("env")).data["stdout"].splitlines()}

    assert names <= {"PATH", "HOME", "LANG", "AGENTCTL_RUN_ID", "AGENTCTL_CALL_ID", "PWD", "OLDPWD", "SHLVL", "_"}


def test_what_makes_a_shell_run_more_is_not_passed_on_even_where_it_is_named(monkeypatch, invocation, tmp_path):
    names = ("BASH_ENV", "ENV", "BASH_FUNC_ls%%", "LD_PRELOAD", "GIT_EXTERNAL_DIFF", "RIPGREP_CONFIG_PATH", "KEPT")
    for name in names:
        monkeypatch.setenv(name, "x")

    assert {"KEPT", "AGENTCTL_RUN_ID", "AGENTCTL_CALL_ID"} == set(environment(names, tmp_path, invocation()))


@pytest.mark.parametrize(
    "value", ["{work}/bin:/usr/bin", ".:/usr/bin", ":/usr/bin", "bin:/usr/bin:", "{link}:/usr/bin"]
)
def test_a_bare_name_never_comes_out_of_the_folder_that_the_agent_writes_in(monkeypatch, invocation, tmp_path, value):
    (tmp_path / "work" / "bin").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "work" / "bin")
    monkeypatch.setenv("PATH", value.format(work=tmp_path / "work", link=tmp_path / "link"))

    assert "/usr/bin" == environment(("PATH",), tmp_path / "work", invocation())["PATH"]


def test_a_path_of_nothing_but_the_folder_is_the_system_s(monkeypatch, invocation, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "/usr/bin:/bin" == environment(("PATH",), tmp_path, invocation())["PATH"]


@pytest.mark.parametrize("own", ["/usr/bin/fish", "bash", "", "/nowhere/zsh", "/bin/sh; rm x"])
def test_a_shell_that_reads_commands_differently_is_not_used(monkeypatch, own):
    monkeypatch.setenv("SHELL", own)

    assert Path(user_shell()[0]).name in {"bash", "sh"}


async def test_no_start_up_file_is_read(run, monkeypatch, tmp_path):
    for name in (".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".kshrc"):
        (tmp_path / name).write_text("echo LEAKED\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BASH_ENV", str(tmp_path / ".bashrc"))
    monkeypatch.setenv("ENV", str(tmp_path / ".profile"))
    monkeypatch.setenv("SHELL", "/bin/bash")

    assert "x\n" == (await run("echo x")).data["stdout"]
    assert ("--noprofile", "--norc") == SHELLS["bash"]


# --- Nothing is left of it -------------------------------------------------------------------------


def carriers(run_id):
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AGENTCTL_RUN_ID") == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


async def gone(run_id):
    until = time.monotonic() + 10
    while carriers(run_id) and time.monotonic() < until:  # noqa: ASYNC110 -- other processes set no event
        await asyncio.sleep(0.02)
    return carriers(run_id) == []


@pytest.mark.parametrize(
    "command",
    [
        "sleep 300",
        "sleep 300 | sleep 300",
        "(sleep 300 &) ; sleep 300",
        "setsid sleep 300 & sleep 300",
        "trap '' TERM; sleep 300",
    ],
)
async def test_late_kills_the_whole_tree_and_the_outcome_is_unknown(run, shell, run_id, command):
    """Orphans."""
    found = await run(command, timeout_s=0.5)

    assert "Timeout after 0.5s" == found.message
    assert not shell.contract.idempotent
    assert "none" == shell.contract.retry_policy
    assert await gone(run_id)


async def test_what_it_said_before_it_was_late_is_told(run):
    assert "so far\n" == (await run("echo so far; sleep 300", timeout_s=1)).data["stdout"]


async def test_a_job_in_the_background_does_not_outlive_the_command(run, run_id):
    assert 0 == (await run("sleep 300 & echo x")).data["exit_code"]
    assert await gone(run_id)


async def test_a_cancelled_call_leaves_nothing(shell, invocation, run_id):
    calling = asyncio.create_task(shell.run(invocation({"command": "sleep 300 & sleep 300"})))
    while not carriers(run_id):  # noqa: ASYNC110 -- another process sets no event
        await asyncio.sleep(0.01)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    assert await gone(run_id)


# --- The sandbox -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "off"])
async def test_without_a_sandbox_it_is_denied_unless_the_policy_says_off(tmp_path, ask, mode):
    found = await ask(confined(tmp_path, NOTHING, mode=mode), {"command": "echo x > made"})

    assert ("SANDBOX" if mode == "auto" else None) == found.code
    assert mode == "off" or "[sandbox] mode" in found.hint
    assert mode == "off" or "nothing here" in found.message
    assert (mode == "off") == (tmp_path / "made").exists()


def test_required_and_none_there_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(SandboxMissing, match="nothing here"):
        confined(tmp_path, NOTHING, mode="required")


async def test_a_sandbox_that_fails_starts_nothing(tmp_path, ask):
    broken = Found("bubblewrap", "/nowhere/bwrap", "it was there a moment ago")
    found = await ask(confined(tmp_path, broken), {"command": "echo x > made"})

    assert not (found.ok and found.data["exit_code"] == 0)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("rules", "found", "labels"),
    [
        ({"mode": "auto"}, LANDLOCK, (False, True, False)),
        ({"mode": "auto", "network": True}, LANDLOCK, (True, True, True)),
        ({"mode": "auto", "network": ("*.example.org",)}, BUBBLEWRAP, (True, True, True)),
        ({"mode": "off"}, LANDLOCK, (True, True, True)),
        ({"mode": "auto"}, NOTHING, (True, True, True)),
    ],
)
def test_its_words_are_somebody_else_s_unless_it_is_shut_in(tmp_path, rules, found, labels):
    contract = confined(tmp_path, found, **rules).contract

    assert labels == (contract.untrusted, contract.private, contract.egress)
    assert contract.side_effects is None
    assert Tier.HIGH == contract.base_tier


# --- How it is judged ------------------------------------------------------------------------------


def test_a_link_that_leads_out_of_the_folder_asks(shell, tmp_path):
    (tmp_path / "inside").write_text("x")
    (tmp_path / "near").symlink_to("inside")
    (tmp_path / "far").symlink_to("/etc")

    assert Tier.SAFE == ruling(shell.contract.command({"command": "cat near"})).tier
    for text in ("cat far", "cat far/passwd", "ls -l far", "wc -l near far"):
        found = ruling(shell.contract.command({"command": text}))
        assert Tier.HIGH == found.tier
        assert "leads out" in found.why


def test_arguments_that_are_no_command_are_not_judged(shell):
    assert None is shell.contract.command({"command": ["ls"]})
    assert None is shell.contract.command({})
    assert os.sep not in shell.contract.name


# --- What runs by itself -----------------------------------------------------------------------------


def test_a_comparison_of_folders_with_a_link_that_leads_out_asks(shell, tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "near").symlink_to("../a")

    def tier(text):
        return ruling(shell.contract.command({"command": text})).tier

    assert Tier.SAFE == tier("diff -r a b")
    (tmp_path / "a" / "deep" / "x").symlink_to("/etc/hostname")
    assert Tier.HIGH == tier("diff -r a b")
    assert Tier.SAFE == tier("grep -r x a")  # follows none


async def test_files_that_look_like_a_repository_start_nothing(run, tmp_path):
    """Without a sandbox too: the command runs without anybody being asked."""
    for name in ("objects", "refs"):
        (tmp_path / name).mkdir()
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    settings = "[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\nfsmonitor = touch won; false\n"
    (tmp_path / "config").write_text(settings)
    found = await run("git status")

    assert 0 != found.data["exit_code"]
    assert not (tmp_path / "won").exists()
    await run("git status; true")  # somebody said yes to that
    assert (tmp_path / "won").exists()


async def test_a_program_that_the_sandbox_does_not_show_says_why(tmp_path, ask):
    found = await ask(confined(tmp_path, LANDLOCK), {"command": "no-such-program"})

    assert 127 == found.data["exit_code"]
    assert "sandbox" in found.data["hint"]
