"""A shooting range for sandboxes: a work tree, a home, victims and listeners, and what an attack did to them.

Nothing of pytest, so that `tests/bench/sandbox.py` can run it as another user with the system's Python.
"""

import ctypes
import json
import os
import pty
import resource
import select
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentctl.tools.sandbox.box import Box, run_boxed

ATTACKS = Path(__file__).parent / "attacks.py"
TYPIST = Path(__file__).resolve().parent / "typist.py"
NAMES = (
    *(
        "outside",
        "home",
        "shadow",
        "remount",
        "kernel",
        "namespaces",
        "keys",
        "ptrace",
        "kills",
        "loopback",
        "dns",
        "metadata",
        "unix",
        "terminal",
    ),
    *("environment", "descriptors", "bomb", "huge", "stays", "hooks", "new_hooks", "policy", "symlink", "hardlink"),
    *("race", "limits", "queue", "setuid", "abstract", "threads"),
)
PYTHON = str(Path(sys.base_prefix, "bin", "python3").resolve())


def laid_out(folder: Path) -> Path:
    """A work tree with a repository, beside a home with a secret."""
    work = folder / "work"
    (work / ".git" / "hooks").mkdir(parents=True)
    (work / ".git" / "config").write_text("[core]\n")
    (work / ".git" / "hooks" / "pre-commit").write_text("good")
    (work / "policy.toml").write_text("version = 1\n")
    (work / "other").write_text("loose")
    (folder / "home").mkdir()
    (folder / "home" / "secret").write_text("hearth")
    shutil.copy(ATTACKS, work / "attacks.py")
    return work


@contextmanager
def targets_of(work: Path) -> Iterator[dict[str, Any]]:
    """What is shot at. Leaves nothing."""
    victim = subprocess.Popen(["sleep", "60"])
    master, screen = pty.openpty()
    path = Path(f"/tmp/{uuid.uuid4().hex}.sock")
    with (
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names,
    ):
        unix.bind(str(path))
        unix.listen()
        abstract.bind(f"\0{path.stem}")
        abstract.listen()
        names.bind(("127.0.0.1", 0))
        names.setblocking(False)
        try:
            yield {
                "outside": str(work.parent / "outside"),
                "home": str(work.parent / "home" / "secret"),
                "work": str(work),
                "policy": str(work / "policy.toml"),
                "victim": victim.pid,
                "port": server.getsockname()[1],
                "names": names.getsockname()[1],
                "unix": str(path),
                "abstract": path.stem,
                "screen": os.ttyname(screen),
                "_names": names,
                "_master": master,
            }
        finally:
            path.unlink()
            os.close(master)
            os.close(screen)
            victim.kill()
            victim.wait()


async def attacked(boxed: Box, name: str, targets: dict[str, Any], timeout_s: float = 8.0):
    env = {"PATH": os.environ["PATH"], "AGENTCTL_RUN_ID": "r_x", "AGENTCTL_CALL_ID": uuid.uuid4().hex}
    given = {"attack": name, **{key: value for key, value in targets.items() if key[0] != "_"}}
    return await run_boxed(boxed, [PYTHON, "attacks.py"], env, json.dumps(given).encode(), timeout_s)


def typed(boxed: Box) -> bool:
    """Whether a program types into the terminal that it was started from, in its own session even."""
    found = boxed.found
    command = [sys.executable, str(TYPIST), found.backend, found.program, str(boxed.folder), PYTHON]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TYPIST.parents[3])}
    said = json.loads(subprocess.run(command, env=env, check=True, capture_output=True, timeout=60).stdout)
    if said is None:
        raise RuntimeError("it did not run")
    return bool(said)


def harm(targets: dict[str, Any]) -> list[str]:
    """What an attack left behind that it must not."""
    work = Path(targets["work"])
    found = [name for name in (".envrc", ".github/workflows/x.yml", "stayed", "bombed") if (work / name).exists()]
    if Path(targets["outside"]).exists():
        found.append("outside")
    if (work / ".git" / "hooks" / "pre-commit").read_text() != "good":
        found.append("hook")
    if (work / "policy.toml").read_text() != "version = 1\n":
        found.append("policy")
    if os.waitid(os.P_PID, targets["victim"], os.WEXITED | os.WNOHANG | os.WNOWAIT):
        found.append("victim")
    elif resource.prlimit(targets["victim"], resource.RLIMIT_NOFILE)[0] == 1:
        found.append("limits")
    libc = ctypes.CDLL(None)
    if (queue := libc.msgget(targets["victim"], 0)) >= 0:
        libc.msgctl(queue, 0, None)
        found.append("queue")
    if select.select([targets["_master"]], [], [], 0)[0]:
        found.append("screen")
    try:
        targets["_names"].recv(100)
        found.append("lookup")
    except BlockingIOError:
        pass
    return found
