"""Whether a program types into the terminal that it was started from. Prints `true` or `false`; `null`: it did not run.

    python typist.py BACKEND BWRAP WORK

It is started worse than agentctl starts anything: in the terminal's own session, with the terminal as its stdin.
"""

import fcntl
import json
import os
import pty
import subprocess
import sys
import tempfile
import tty
from pathlib import Path

from agentctl.core.policy import Sandbox
from agentctl.tools.sandbox.box import UNBOXED, Box
from agentctl.tools.sandbox.opening import open_box
from agentctl.tools.sandbox.probe import Found

TYPES = """
import fcntl, os
for at in (0, "/dev/tty"):
    try:
        at = at if at == 0 else os.open(at, os.O_RDWR)
        for each in b"owned":
            fcntl.ioctl(at, 0x5412, bytes([each]))
    except OSError:
        pass
"""


def start(backend: str, program: str, work: Path, python: str) -> None:
    """Run the attack in the session of this terminal."""
    found = Found(backend, program, "forced")
    box = Box(UNBOXED, work) if backend == "none" else open_box(Sandbox(), work, found=found)
    with box.launch([python, "-c", TYPES], {"PATH": "/usr/bin:/bin"}, 10) as started:
        subprocess.run(started.command, cwd=work, env=started.env, pass_fds=started.descriptors, check=True, timeout=20)


def main() -> None:
    backend, program, work, python = sys.argv[1:]
    with tempfile.TemporaryFile() as said:
        pid, master = pty.fork()
        if pid == 0:
            try:
                tty.setraw(0)
                start(backend, program, Path(work), python)
                waiting = fcntl.ioctl(0, 0x541B, bytes(4))  # FIONREAD: how much was typed
                os.write(said.fileno(), b"true" if any(waiting) else b"false")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        os.close(master)
        said.seek(0)
        print(json.dumps(json.loads(said.read() or b"null")))


if __name__ == "__main__":
    main()
