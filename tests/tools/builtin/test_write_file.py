"""`write_file` writes whole files beneath its roots and nowhere else."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import stat
import tempfile
import threading
from os.path import normpath
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.core.task import Check, Task, Tool
from agentctl.core.tiers import Tier
from agentctl.tools.base import open_tools
from agentctl.tools.builtin import writing
from agentctl.tools.protected import Protected

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.fixture
def tool(opened, root):
    return opened(Tool(use="builtin:write_file", roots=("root",)))[0]


@pytest.fixture
def write(tool, ask):
    async def call(path, text="new", **more):
        return await ask(tool, {"path": path, "text": text, **more})

    return call


def test_writing_is_low_local_and_may_be_repeated(tool):
    found = tool.contract

    assert (found.base_tier, found.side_effects, found.recovery) == (Tier.LOW, "local", "same_key")
    assert (found.untrusted, found.private, found.egress) == (False, True, False)


async def test_a_file_is_made_and_replaced(write, root):
    made = await write("a.txt", "one\r\ntwo")
    again = await write("a.txt", "three")

    assert made.data == {"path": "a.txt", "bytes": 8, "created": True}
    assert again.data == {"path": "a.txt", "bytes": 5, "created": False}
    assert (root / "a.txt").read_bytes() == b"three"


async def test_missing_folders_are_made_when_that_is_asked_for(write, root):
    refused = await write("a/b/c.txt")

    assert (refused.error_type, refused.hint.startswith("Pass `parents`")) == ("permanent", True)
    assert not (root / "a").exists()
    assert (await write("a/b/c.txt", parents=True)).ok
    assert (root / "a/b/c.txt").read_text() == "new"


async def test_the_mode_is_kept_and_a_new_file_has_the_usual_one(write, root):
    (root / "run.sh").write_text("old")
    (root / "run.sh").chmod(0o751)
    await write("run.sh")
    await write("new.txt")
    mask = os.umask(0)
    os.umask(mask)

    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o751
    assert stat.S_IMODE((root / "new.txt").stat().st_mode) == 0o666 & ~mask


async def test_a_set_user_bit_does_not_outlive_the_content(write, root):
    (root / "a").write_text("old")
    (root / "a").chmod(0o4755)
    await write("a")

    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["ä", "😀.txt", "a b", "-rf", "*", "x" * 255, "\udcff", "a\\b"])
async def test_names_of_every_kind(write, root, name):
    found = await write(name)

    assert found.ok == (name != "\udcff")
    assert (root / name).exists() == found.ok


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a\0b", "\ud800", "x\u202egnp.exe", "x" * 256, "a\u2028b"])
async def test_names_that_lie_to_the_eye_are_refused(write, root, name):
    found = await write(name)

    assert (found.ok, found.error_type) == (False, "permanent")
    assert list(root.iterdir()) == []


# --- Ways out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..",
        "a/../../secret.txt",
        "/etc/x",
        "../root2/x",
        "./../secret.txt",
        "/proc/self/comm",
        "../new",
    ],
)
async def test_nothing_is_written_outside(write, root, path):
    for parents in (False, True):
        found = await write(path, parents=parents)
        assert not found.ok
        assert found.error_type == "permanent"
    assert sorted(each.name for each in root.parent.iterdir()) == ["root", "secret.txt"]


@pytest.mark.parametrize("path", [".", "", "a/", "a/.", "a/..", "/"])
async def test_a_folder_is_no_file(tool, invocation, root, path):
    (root / "a").mkdir()
    found = await tool.run(invocation({"path": path, "text": ""}))

    assert found.error_type == "permanent"
    assert list((root / "a").iterdir()) == []


async def test_an_absolute_path_within_the_roots_is_fine(write, root):
    assert (await write(str(root / "a.txt"))).ok
    assert (await write(f"{root}/b/../a.txt")).ok


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", "inside.txt", "nowhere"])
async def test_nothing_is_written_through_a_link(write, root, target):
    (root / "inside.txt").write_text("inside")
    (root / "link").symlink_to(target)
    found = await write("link")

    assert "is a link" in found.message
    assert (root / "link").is_symlink()
    assert (root / "inside.txt").read_text() == "inside"


@pytest.mark.parametrize("target", ["..", "/tmp", "real", "nowhere"])
async def test_no_linked_folder_is_entered(write, root, target):
    (root / "real").mkdir()
    (root / "link").symlink_to(target)
    for parents in (False, True):
        assert not (await write("link/x.txt", parents=parents)).ok
        assert not (await write("link/y/x.txt", parents=parents)).ok
    assert list((root / "real").iterdir()) == []


async def test_a_hard_link_is_replaced_and_not_written_through(write, root):
    os.link(root.parent / "secret.txt", root / "hard.txt")

    assert (await write("hard.txt")).ok
    assert (root / "hard.txt").read_text() == "new"


async def test_what_is_no_ordinary_file_is_not_replaced(write, root):
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()
    if os.geteuid() == 0:
        os.mknod(root / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        assert "not an ordinary file" in (await write("device")).message

    assert "not an ordinary file" in (await write("fifo")).message
    assert "is a folder" in (await write("folder")).message
    assert "a file stands where" in (await write("fifo/x")).message


async def test_a_folder_that_is_swapped_for_a_link_never_leads_out(write, root):
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "sub").mkdir()
    ended = threading.Event()

    def swap():
        while not ended.is_set():
            with contextlib.suppress(OSError):  # the tool may have made the folder meanwhile
                (root / "sub").rename(root / "kept")
            with contextlib.suppress(OSError):
                (root / "sub").symlink_to(outside)
            with contextlib.suppress(OSError):
                (root / "sub").unlink()
            with contextlib.suppress(OSError):
                (root / "kept").rename(root / "sub")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        found = [await write("sub/a.txt", parents=number % 2 == 0) for number in range(200)]
    finally:
        ended.set()
        thread.join()

    assert list(outside.iterdir()) == []
    assert any(each.ok for each in found)


async def test_a_file_that_is_swapped_for_a_link_is_never_written_through(write, root):
    ended = threading.Event()

    def swap():
        while not ended.is_set():
            (root / "temporary").symlink_to(root.parent / "secret.txt")
            (root / "temporary").replace(root / "a.txt")
            (root / "temporary").write_text("file")
            (root / "temporary").replace(root / "a.txt")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(200):
            await write("a.txt")
    finally:
        ended.set()
        thread.join()


# --- Files that decide what is done later -----------------------------------------------------------

INSTRUCTIONS = [
    *(
        "AGENTS.md",
        "claude.md",
        "docs/CLAUDE.md",
        ".cursorrules",
        ".envrc",
        ".mcp.json",
        ".gitlab-ci.yml",
        "Jenkinsfile",
    ),
    *(".git/hooks/pre-commit", ".git/config", "sub/.git/config", ".git", ".GIT/config", ".g\u200dit/config"),
    *(".github/workflows/ci.yml", ".GitHub/Workflows/ci.yml", ".vscode/tasks.json", ".claude/settings.json"),
    *("AGENTS.md.", "\uff21GENTS.md", "x/../AGENTS.md", ".bashrc", ".ssh/authorized_keys", ".husky/pre-push"),
]


@pytest.mark.parametrize("path", INSTRUCTIONS)
async def test_instructions_hooks_and_ci_are_left_to_people(write, root, path):
    for parents in (False, True):
        found = await write(path, parents=parents)
        assert found.message.startswith("Permission denied: ")
        assert "a person has to write it" in found.message
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    "path", [".github/ISSUE_TEMPLATE.md", "agents.txt", "git/config", ".gitignore", "AGENTS.md.bak"]
)
async def test_what_only_looks_like_one_is_written(write, path):
    assert (await write(path, parents=True)).ok


async def test_a_root_within_such_a_folder_does_not_help(opened, invocation, tmp_path):
    (tmp_path / ".git" / "hooks").mkdir(parents=True)
    (tool,) = opened(Tool(use="builtin:write_file", roots=(".git/hooks",)))

    assert not (await tool.run(invocation({"path": "pre-commit", "text": ""}))).ok


async def test_the_task_its_policy_and_its_programs_are_left_alone(invocation, tmp_path):
    (tmp_path / "real.py").touch()
    (tmp_path / "tool.py").symlink_to("real.py")
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "tools.py").write_text("def f(): ...\n")
    task = Task(
        version=1,
        name="t",
        policy="p.toml",
        tools=(
            Tool(use="builtin:write_file"),
            Tool(name="program", command=("python3", "tool.py")),
            Tool(use="python:orders.tools:f"),
        ),
        check=Check(command=("sh", "check.sh")),
    )
    tool = open_tools(task, tmp_path, _policy(), (tmp_path / "task.toml",))[0]
    own = ["task.toml", "TASK.toml", "p.toml", "real.py", "check.sh", "orders/tools.py", "orders/tools/__init__.py"]

    for path in own:
        (tmp_path / "orders" / "tools").mkdir(exist_ok=True)
        found = await tool.run(invocation({"path": path, "text": "x"}))
        assert "a file of this task" in found.message
    assert (await tool.run(invocation({"path": "orders/task.toml", "text": "x"}))).ok


def _policy():
    from agentctl.core.policy import Policy

    return Policy()


@pytest.mark.parametrize("text", ['version = 1\ngoal = "Go."\n', "version = 1\n[approval]\nenabled = false\n"])
async def test_a_new_task_or_policy_is_left_to_people(write, text):
    assert "a task or policy" in (await write("new.toml", text)).message
    assert (await write("new.txt", text)).ok


@pytest.mark.parametrize("text", ['[project]\nversion = "1"\n', "broken = [", 'version = 1\n[[package]]\nname = "a"\n'])
async def test_other_toml_is_written(write, text):
    assert (await write("pyproject.toml", text)).ok


def test_nothing_is_protected_by_default():
    assert Protected().files == ()


# --- Failures ----------------------------------------------------------------------------------------


async def test_a_read_only_file_is_not_replaced(write, root):
    (root / "a").write_text("old")
    (root / "a").chmod(0o444)

    assert (await write("a")).message == "Permission denied: 'a' is read-only. Cannot complete this step."
    assert (root / "a").read_text() == "old"


@pytest.fixture
def as_somebody():
    """A folder that everybody reaches, and nobody's rights where this is root: root may write everywhere."""
    folder = Path(tempfile.mkdtemp(prefix="agentctl-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield folder
        os.seteuid(0)
    else:
        yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


async def test_a_folder_that_may_not_be_written_is_told(opened, invocation, as_somebody):
    """B16"""
    if os.geteuid() != 65534:
        as_somebody.chmod(0o555)
    (tool,) = opened(Tool(use="builtin:write_file", roots=(str(as_somebody),)))
    found = await tool.run(invocation({"path": "a", "text": "x"}))

    assert found.message == "Permission denied: 'a' may not be written. Cannot complete this step."


async def test_a_full_disk_leaves_the_old_file(write, root):
    (root / "a").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        found = await write("a", "x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)

    assert found.message == "'a' could not be written: File too large. The file is as it was."
    assert (root / "a").read_text() == "old"


async def test_what_is_too_much_or_no_unicode_is_refused(tool, invocation, root, monkeypatch):
    monkeypatch.setattr("agentctl.tools.builtin.write_file.MOST", 10)
    for text in ("x" * 11, "\ud800", 5):
        found = await tool.run(invocation({"path": "a", "text": text}))
        assert found.code == "INVALID_ARGS"
    assert list(root.iterdir()) == []


async def test_what_comes_too_late_is_not_put_in_its_place(tool, invocation, root, monkeypatch):
    """B13"""
    slow = threading.Event()
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (slow.wait(5), real(fd)))
    found = await tool.run(invocation({"path": "a", "text": "x"}, timeout_s=0.1))
    slow.set()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not list(root.iterdir()):
            break

    assert found.message == "Timeout after 0.1s"
    assert list(root.iterdir()) == []


async def test_a_cancelled_write_is_not_put_in_its_place(tool, invocation, root, monkeypatch):
    slow, started = threading.Event(), threading.Event()
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (started.set(), slow.wait(5), real(fd)))
    task = asyncio.create_task(tool.run(invocation({"path": "a", "text": "x"})))
    await asyncio.to_thread(started.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.set()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not list(root.iterdir()):
            break

    assert list(root.iterdir()) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(st.sampled_from("ab./é\u202e\n\0"), min_size=1, max_size=12), text=st.text(max_size=20))
async def test_whatever_is_asked_for_stays_inside(tool, invocation, root, path, text):
    found = await tool.run(invocation({"path": path, "text": text, "parents": True}))

    assert sorted(each.name for each in root.parent.iterdir()) == ["root", "secret.txt"]
    if found.ok:
        assert (root / normpath(path)).read_bytes() == text.encode()  # noqa: ASYNC240 -- it only computes


def test_the_limit_is_ten_megabytes():
    assert writing.MOST == 10_000_000


@pytest.mark.parametrize("text", ["ref: refs/heads/main\n", "0" * 40])
async def test_no_folder_becomes_a_repository(write, root, text):
    (root / "sub").mkdir()
    refused = await write("sub/HEAD", text)

    assert "repository" in str(refused.message)
    assert not (root / "sub" / "HEAD").exists()
    assert (await write("sub/HEAD", "# Heads\n")).ok
