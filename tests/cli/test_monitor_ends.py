"""The monitor on a terminal of its own: what comes and ends outside of it."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

ALT_SCREEN, MOUSE = (b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?1000h", b"\x1b[?1000l")
DRAWN = b"palette"
PATIENCE_S = 30.0


def drawn(ours, true):
    """What it wrote, until that is so."""
    seen = b""
    deadline = time.monotonic() + PATIENCE_S
    while not true(seen) and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.05)[0]:
            seen += os.read(ours, 65_536)
    return seen


@contextlib.contextmanager
def monitor(monkeypatch, *, told=None):
    """Its process, both ends of its terminal, and how that was before. `told`: the size that the environment claims."""
    for name, claimed in zip(("LINES", "COLUMNS"), told or (None, None), strict=True):
        if claimed is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, claimed)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    before = termios.tcgetattr(theirs)
    child = subprocess.Popen([sys.executable, "-m", "agentctl", "monitor"], stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        yield child, ours, theirs, before
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_gives_the_terminal_back_as_it_was(monkeypatch, sign):
    with monitor(monkeypatch) as (child, ours, theirs, before):
        seen = drawn(ours, lambda seen: DRAWN in seen)

        assert termios.tcgetattr(theirs) != before

        child.send_signal(sign)
        seen += drawn(ours, lambda _: child.poll() is not None)
        code = child.wait(PATIENCE_S)
        while select.select([ours], [], [], 0.1)[0]:
            seen += os.read(ours, 65_536)

        assert code == (0 if sign is signal.SIGINT else 128 + sign)
        assert termios.tcgetattr(theirs) == before
        for on, off in (ALT_SCREEN, MOUSE):
            assert seen.rfind(on) < seen.rfind(off)


def test_the_first_run_of_all_is_seen_by_a_monitor_that_was_there_before(agentctl, demo, monkeypatch):
    with monitor(monkeypatch) as (_, ours, _, _):
        drawn(ours, lambda seen: DRAWN in seen)
        agentctl("run", demo / "task.toml", "--var", "order=A-1001", "--rehearse")

        assert b"1 completed" in drawn(ours, lambda seen: b"1 completed" in seen)


def test_it_is_drawn_as_large_as_the_terminal_is_whatever_the_environment_claims(monkeypatch):
    with monitor(monkeypatch, told=("60", "200")) as (_, ours, _, _):
        seen = drawn(ours, lambda seen: DRAWN in seen)

    assert 24 == max(int(row) for row in re.findall(rb"\x1b\[(\d+);\d+H", seen))
