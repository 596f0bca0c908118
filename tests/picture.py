"""The README's picture: the demo in a real terminal, with a person who says no, as an SVG.

    .venv/bin/python -m tests.picture        writes .github/run.svg anew

`tests/test_readme.py` makes it again and compares the words, so that the picture can't show what the program no
longer does.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
SVG = ROOT / ".github" / "run.svg"
WIDTH, HEIGHT = 104, 40
REASON = "ask the customer first: a new parcel could be there on Friday"


def tmux(socket: Path, *words: str) -> str:
    """One tmux command on a server of our own."""
    done = subprocess.run(
        ["tmux", "-S", str(socket), "-f", "/dev/null", *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def wait_for(socket: Path, pattern: str, seconds: float = 30.0) -> str:
    """The screen, once it shows the pattern."""
    end = time.monotonic() + seconds
    while True:
        screen = tmux(socket, "capture-pane", "-p", "-t", "demo")
        if re.search(pattern, screen):
            return screen
        if time.monotonic() > end:
            raise TimeoutError(f"no {pattern!r} on the screen:\n{screen}")
        time.sleep(0.1)


def taken(folder: Path) -> str:
    """The screen with its colours after the demo has run in `folder`."""
    socket = folder / "tmux"
    agentctl = Path(sys.executable).parent
    env = {**os.environ, "AGENTCTL_HOME": str(folder / "home"), "PATH": f"{agentctl}:{os.environ['PATH']}", "PS1": "$ "}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "TMUX"):
        env.pop(name, None)
    subprocess.run(["agentctl", "init", "demo"], cwd=folder, env=env, check=True, capture_output=True)
    start = ["new-session", "-d", "-s", "demo", "-x", str(WIDTH), "-y", str(HEIGHT), "bash", "--norc"]
    subprocess.run(["tmux", "-S", str(socket), "-f", "/dev/null", *start], cwd=folder, env=env, check=True)
    try:
        wait_for(socket, r"(?m)^\$")
        tmux(
            socket,
            "send-keys",
            "-t",
            "demo",
            "agentctl run demo/task.toml --rehearse --var order=A-1001 --user ada",
            "Enter",
        )
        wait_for(socket, r"s stop the run")
        time.sleep(1.0)  # keys that come sooner are taken for typed-ahead ones
        tmux(socket, "send-keys", "-t", "demo", "n")
        wait_for(socket, r"(?i)reason")
        tmux(socket, "send-keys", "-t", "demo", REASON, "Enter")
        wait_for(socket, r"trace: .*r_")
        return tmux(socket, "capture-pane", "-p", "-e", "-t", "demo")
    finally:
        tmux(socket, "kill-server")


def words(screen: str) -> str:
    """What a screen says, without what differs from run to run."""
    plain = Text.from_ansi(screen).plain
    plain = re.sub(r"r_[0-9a-f]{10}", "r_…", plain)
    plain = re.sub(r"(\d[\d,]*ms  \{).*", r"\1…", plain)  # how much of an answer has room hangs on the time it took
    plain = re.sub(r"\d[\d,]*ms", "…ms", plain)
    plain = re.sub(r"\d+\.\d+s", "…s", plain)
    return "\n".join(line.rstrip() for line in plain.splitlines() if line.strip() and line.strip() != "$")


def drawn(screen: str) -> str:
    """The screen as an SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    lines = screen.rstrip().removesuffix("$").rstrip()
    console.print(Text.from_ansi(lines))
    return console.export_svg(title="agentctl", unique_id="agentctl")


def main() -> None:
    """Write the picture, and the words that it shows beside it."""
    folder = Path(tempfile.mkdtemp())
    try:
        screen = taken(folder)
    finally:
        shutil.rmtree(folder)
    SVG.parent.mkdir(exist_ok=True)
    SVG.write_text(drawn(screen))
    SVG.with_suffix(".txt").write_text(words(screen) + "\n")


if __name__ == "__main__":
    main()
