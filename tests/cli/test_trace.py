"""`agentctl trace` on terminals of any width, and `trace --html`."""

import os
import pty
import subprocess
import sys
import zipfile

import pytest
from rich.cells import cell_len

from agentctl.cli import branches
from agentctl.config import paths
from agentctl.core import events as e

from .conftest import replied, requested, shown_on, started

DENIED = e.ApprovalDecided("c1.1", "deny", "ada", 75.0, "ask the customer first, then the shop 日本語", "d" * 64)


@pytest.fixture
def run(record):
    return record("r_aaa111", started(), replied(text="On its way."), requested(), DENIED, e.Completed(
        "completed", "done", 0, 18_400, "On its way."))  # fmt: skip


# --- the terminal ---


def on_terminal(columns, *arguments, **more):
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}} | more
    command = [sys.executable, "-m", "agentctl", *arguments]
    with subprocess.Popen(["stty", "cols", str(columns)], stdin=theirs) as sized:
        assert 0 == sized.wait()
    with subprocess.Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE) as program:
        os.close(theirs)
        said = shown_on(ours).decode().replace("\r\n", "\n")
        assert 0 == program.wait(), program.stderr.read()
    os.close(ours)
    return said


def bare(text):
    return "".join(text.split()).translate(dict.fromkeys(map(ord, "│├└─")))


def test_a_narrow_terminal_keeps_the_branches_and_a_pipe_the_lines(agentctl, run):
    piped = agentctl("trace", run).out.splitlines()
    narrow = on_terminal(44, "trace", run, NO_COLOR="1")
    body = narrow.splitlines()[1:]

    assert "\x1b" not in narrow
    assert [] == [line for line in body if cell_len(line) > 44]
    assert all(line.startswith(("├── ", "│   ", "└── ", "    ")) for line in body)
    assert bare("".join(piped)) == bare(narrow)
    assert "\x1b[" in on_terminal(44, "trace", run)


def test_who_decided_when_and_after_how_long_is_on_its_line(agentctl, run):
    """E22"""
    shown = agentctl("trace", run).out

    assert "approval.send_refund [denied by ada at 20" in shown
    assert "Z after 75.0s, high: ask the customer first" in shown


@pytest.mark.parametrize("width", [24, 30, 41, 60])
@pytest.mark.parametrize("begin", ["├── ", "└── ", "│   └── ", "    ├── "])
def test_what_goes_on_below_keeps_to_its_branch(width, begin):
    text = f"{begin}tool.search [out: {'日本' * 20} and {'x' * 70}, then some words]"
    lines = branches.fitted(text, width)
    below = begin.replace("├── ", "│   ").replace("└── ", "    ")

    assert [] == [line for line in lines if cell_len(line) > width] or width - len(below) - 2 < branches.LEAST
    assert all(line.startswith(below) for line in lines[1:])
    assert "".join(text.split()) == lines[0].replace(" ", "") + "".join(
        line.removeprefix(below).replace(" ", "") for line in lines[1:]
    )


# --- the page ---


def test_the_page_is_written_for_its_owner_and_says_how_to_open_it(agentctl, run, tmp_path):
    """E23"""
    target = tmp_path / "a page.html"
    called = agentctl("trace", run, "--html", target)

    assert (0, f"{target}\n") == (called.code, called.out)
    assert target.as_uri() in called.err
    assert 0o600 == target.stat().st_mode & 0o777
    assert "On its way." in target.read_text()
    assert [target] == list(tmp_path.glob("*page*"))


def test_it_goes_to_stdout_and_is_the_same(agentctl, run, tmp_path):
    agentctl("trace", run, "--html", tmp_path / "a.html")

    assert (tmp_path / "a.html").read_text() == agentctl("trace", run, "--html", "-").out


def test_a_page_of_before_is_written_over_and_a_link_stays_one(agentctl, run, tmp_path):
    (tmp_path / "old.html").write_text("old")
    (tmp_path / "link.html").symlink_to("old.html")

    assert 0 == agentctl("trace", run, "--html", tmp_path / "link.html").code
    assert (tmp_path / "link.html").is_symlink()
    assert "On its way." in (tmp_path / "old.html").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "it is a folder: nothing was written"),
        ("pipe", "it is no regular file: nothing was written"),
        ("gone/a.html", "No such file or directory"),
        ("a" * 300, "too long"),
        ("file/a.html", "Not a directory"),
    ],
)
def test_where_nothing_can_be_written_is_one_line(agentctl, run, tmp_path, name, said):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("mine")
    called = agentctl("trace", run, "--html", tmp_path / name)

    assert (2, "") == (called.code, called.out)
    assert said in called.err.splitlines()[0]
    assert "hint:" in called.err
    assert {"pipe", "file"} == {path.name for path in tmp_path.iterdir() if path.is_fifo() or path.is_file()}


def test_programs_are_told_where_it_is(agentctl, run, tmp_path):
    target = tmp_path / "a.html"
    body = agentctl("trace", run, "--html", target, "--json").json

    assert {"file": str(target), "url": target.as_uri(), "bytes": target.stat().st_size} == body
    assert 2 == agentctl("trace", run, "--html", "-", "--json").code
    assert not paths.data_dir().joinpath("crashes").exists()


def test_a_bundle_has_the_page_and_its_checksum(agentctl, run, tmp_path):
    """E23"""
    assert 0 == agentctl("export", run, "--out", tmp_path / "a.zip").code
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files["trace.html"].decode() == agentctl("trace", run, "--html", "-").out
    files["trace.html"] = files["trace.html"].replace(b"denied by", b"approved by")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)

    called = agentctl("verify", tmp_path / "b.zip")
    assert (17, "trace.html was altered\n") == (called.code, called.out)
