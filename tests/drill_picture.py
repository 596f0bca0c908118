"""The README's second picture: the drills of the demo in a real terminal, as an SVG.

.venv/bin/python -m tests.drill_picture        writes .github/drill.svg anew
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import picture

SVG = picture.ROOT / ".github" / "drill.svg"
LINES = 90


def taken(folder: Path) -> str:
    """The screen with its colours after all drills of the demo have been played in `folder`."""
    socket = folder / "tmux"
    agentctl = Path(sys.executable).parent
    env = {**os.environ, "AGENTCTL_HOME": str(folder / "home"), "PATH": f"{agentctl}:{os.environ['PATH']}", "PS1": "$ "}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "TMUX"):
        env.pop(name, None)
    subprocess.run(["agentctl", "init", "demo"], cwd=folder, env=env, check=True, capture_output=True)
    start = ["new-session", "-d", "-s", "demo", "-x", str(picture.WIDTH), "-y", str(LINES), "bash", "--norc"]
    subprocess.run(["tmux", "-S", str(socket), "-f", "/dev/null", *start], cwd=folder, env=env, check=True)
    try:
        picture.wait_for(socket, r"(?m)^\$")
        picture.tmux(socket, "send-keys", "-t", "demo", "agentctl drill demo/task.toml 2>/dev/null", "Enter")
        picture.wait_for(socket, r"drill: \d+ of \d+ held", seconds=240.0)
        return picture.tmux(socket, "capture-pane", "-p", "-e", "-t", "demo")
    finally:
        picture.tmux(socket, "kill-server")


def main() -> None:
    """Write the picture, and the words that it shows beside it."""
    folder = Path(tempfile.mkdtemp())
    try:
        screen = taken(folder)
    finally:
        shutil.rmtree(folder)
    SVG.write_text(picture.drawn(screen.replace(" 2>/dev/null", "")))
    SVG.with_suffix(".txt").write_text(picture.words(screen.replace(" 2>/dev/null", "")) + "\n")


if __name__ == "__main__":
    main()
