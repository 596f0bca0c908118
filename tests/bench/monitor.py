"""How long the monitor takes from a key to the screen, and what it costs, while 100 runs write 500 events a second.

    python -m tests.bench.monitor [RUNS EVENTS_A_SECOND SECONDS]

A real program on a real terminal of 120x40, with the store of another process that writes. The same keys are pressed
with and without the writer, so that the ratio tells what the load costs; a key counts as seen when its words arrive.
"""

# ruff: noqa: T201  # it prints its figures

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import psutil

from agentctl.core import events as e
from agentctl.journal import events as rows
from agentctl.journal import lease
from agentctl.journal.events import Change
from tests.tui.scene import DONE, Scene, started, steps

PRESSES = 40


class Screen:
    """The monitor on a terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.keys, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        env = {**os.environ, "AGENTCTL_HOME": str(folder), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            env.pop(name, None)
        command = [
            sys.executable,
            "-m",
            "agentctl",
            "monitor",
            *arguments,
            "--store",
            f"sqlite:///{folder}/agentctl.db",
        ]
        self.child = subprocess.Popen(
            command, env=env, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
        )
        os.close(terminal)

    def until(self, words: str, seconds: float = 30.0) -> float:
        """Read until the words came; when that was."""
        seen, end = b"", time.perf_counter() + seconds
        while time.perf_counter() < end:
            if select.select([self.keys], [], [], 0.05)[0]:
                seen = (seen + os.read(self.keys, 65_536))[-200_000:]
                if words.encode() in seen:
                    return time.perf_counter()
        raise TimeoutError(f"{words!r} never came: {seen[-2_000:]!r}")

    def drain(self, seconds: float) -> None:
        """Let it draw."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.keys], [], [], left)[0]:
                try:
                    os.read(self.keys, 65_536)
                except OSError:  # it has left
                    return

    def pressed(self, key: str, words: str) -> float:
        """Seconds from a key to its words."""
        began = time.perf_counter()
        os.write(self.keys, key.encode())
        return self.until(words) - began

    def cpu(self, seconds: float) -> float:
        """The share of a core that it takes while nobody presses anything."""
        process = psutil.Process(self.child.pid)
        before, began = process.cpu_times(), time.perf_counter()
        self.drain(seconds)
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
        return spent / (time.perf_counter() - began)

    def close(self) -> None:
        os.write(self.keys, b"q")
        self.drain(1.0)
        self.child.kill()
        self.child.wait()
        os.close(self.keys)


def write(folder: Path, runs: int, rate: float, seconds: float) -> None:
    """The other process: every run writes in turn."""
    scene = Scene(folder)
    store, at = scene.store, {}
    store.clock = time.time
    for number in range(runs):
        name = f"r_{number:010x}"
        epoch = store.write(lambda tx, name=name: lease.take(tx, name, f"elsewhere:1:1:{name}", time.time()))
        at[name] = [epoch, store.run(name).next_seq, 0]
    pattern = [*steps(1), *steps(1)]
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * rate:
            name = f"r_{sent % runs:010x}"
            epoch, seq, step = at[name]
            event = pattern[seq % len(pattern)]
            step += isinstance(event, e.ModelAsked)
            draft = store.packed([e.Stamped(name, seq, "s_1", step, time.time(), event)])
            store.write(
                lambda tx, d=draft, ep=epoch, s=step: rows.append(tx, ep, d, Change(cost_micro=s, steps=s), time.time())
            )
            at[name] = [epoch, seq + 1, step]
            sent += 1
        time.sleep(0.002)
    print(f"written: {sent / (time.perf_counter() - began):,.0f} events a second", flush=True)
    store.close()


def measure(folder: Path, long: str) -> tuple[list[float], list[float], float, float]:
    """Sorting the list, going back in a long run; the share of a core of each screen at rest."""
    screen = Screen(folder)
    screen.until("r_0000")
    screen.drain(3.0)
    overview_cpu = screen.cpu(8.0)
    found: list[float] = []
    for number in range(PRESSES):
        by = ("age", "cost", "context", "task", "attention")[number % 5]
        if by == "attention":  # what is usual is not said
            os.write(screen.keys, b"s")
            screen.drain(0.2)
            continue
        found.append(screen.pressed("s", f"sort: {by}"))
        screen.drain(0.13)
    screen.close()
    screen = Screen(folder, long)
    screen.until("spend")
    screen.drain(3.0)
    page_cpu = screen.cpu(8.0)
    screen.pressed("\x1b[D", "event ")
    screen.drain(1.0)
    back = []
    for _ in range(PRESSES):
        back.append(screen.pressed("\x1b[D", " event "))
        screen.drain(0.13)
    screen.close()
    return found, back, overview_cpu, page_cpu


def told(name: str, quiet: list[float], loaded: list[float]) -> None:
    before, after = (statistics.quantiles(each, n=20) for each in (quiet, loaded))
    line = f"p50 {after[9] * 1e3:.0f} ms, p95 {after[18] * 1e3:.0f} ms"
    print(f"{name}: {line}; without the load p95 {before[18] * 1e3:.0f} ms ({after[18] / before[18]:.1f} x)")


def main(runs: int = 100, rate: float = 500.0, seconds: float = 60.0) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = Scene(folder)
        scene.now = time.time()
        for number in range(runs):
            scene.run(f"r_{number:010x}", [started()], ago=100 + number)
        long = scene.run("r_ffffffffff", [started(), *steps(500), *DONE[-3:]], "completed", "done", ago=50)
        scene.store.close()
        quiet = measure(folder, long)
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.monitor", "write", name, str(runs), str(rate), str(seconds)]
        )
        time.sleep(2.0)
        loaded = measure(folder, long)
        writer.wait()
        told("sort the list", quiet[0], loaded[0])
        told("back in 2,000 events", quiet[1], loaded[1])
        print(f"a core at rest: list {loaded[2]:.0%} ({quiet[2]:.0%} without), page {loaded[3]:.0%} ({quiet[3]:.0%})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
    else:
        main(*(kind(value) for kind, value in zip((int, float, float), sys.argv[1:], strict=False)))
