"""What this machine can confine programs with. Tried, not guessed: being installed is not being allowed."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from agentctl.records import dataclass
from agentctl.tools.sandbox import mending
from agentctl.tools.sandbox.bwrap import Profile, arguments

Backend = Literal["bubblewrap", "landlock", "none"]
PROBE_S = 5.0
KERNEL = "or run on Linux 6.7 or newer with Landlock on, x86_64 or aarch64"


@dataclass(frozen=True, slots=True)
class Found:
    """The best that there is, and what would mend it."""

    backend: Backend
    program: str
    """The path of bubblewrap."""
    said: str
    fix: str = ""


def probe() -> Found:
    """Try bubblewrap, then Landlock. Takes about 15 ms, and five seconds at most where bubblewrap hangs."""
    if not sys.platform.startswith("linux"):
        return Found("none", "", f"there is no sandbox for {sys.platform} in this version", "run it on Linux")
    program = shutil.which("bwrap")
    why = "bwrap: not found" if program is None else _tried(program)
    if program is not None and not why:
        return Found("bubblewrap", program, f"{program} makes sandboxes")
    from agentctl.tools.sandbox import launch  # ctypes, which nobody needs beside it

    fix = mending.install() if program is None else mending.allow()
    if launch.supported():
        return Found("landlock", "", f"{why}; Landlock and seccomp are used", fix)
    return Found("none", "", f"{why}; no Landlock that closes the network", f"{fix}, {KERNEL}")


def fallback() -> tuple[bool, str]:
    """Whether Landlock could stand in for bubblewrap, and in words."""
    from agentctl.tools.sandbox import launch  # see `probe`

    version = launch.abi()
    if launch.supported():
        return True, f"ABI {version}, with seccomp: what programs run under where bubblewrap can't be had"
    why = "the kernel has none, or it is off" if not version else f"ABI {version}, and 4 closes the network"
    return False, f"can't stand in for bubblewrap: {why if platform.machine() in launch.NAMES else platform.machine()}"


def _tried(program: str) -> str:
    """Why the very profile that programs run under can't be had; empty: it can."""
    folder = Path("/usr")
    profile = Profile(folder, (folder,), (), (), (), network=False)
    command = [program, *arguments(profile, {"PATH": "/usr/bin:/bin"}), "--", "true"]
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command
            command, check=False, capture_output=True, text=True, errors="replace", timeout=PROBE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if not done.returncode:
        return ""
    last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    return f"{program} can't make a sandbox here: {last.partition(' See <')[0][:200]}"
