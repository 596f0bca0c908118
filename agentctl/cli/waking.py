"""`resume` in a process of its own, for a monitor: it goes on whatever becomes of the screen."""

from __future__ import annotations

import subprocess
import sys
import time

from agentctl import ownkeys
from agentctl.errors import AgentctlError, Forbidden

HEARD_S = 3.0
"""For what keeps it from beginning to be said."""


def resume(run_id: str, store: str | None) -> str:
    """Go on with a run; one line about it.

    Raises:
        AgentctlError: it ended at once, and said this.
    """
    command = [sys.executable, "-m", "agentctl", "resume", run_id, *(["--store", store] if store else [])]
    child = subprocess.Popen(  # noqa: S603 -- this very program
        command,
        env=ownkeys.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + HEARD_S
    while time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.05)
    code = child.poll()
    if code is not None and child.stderr is not None:
        said = child.stderr.read().decode("utf-8", "replace").strip().splitlines()
        raise Forbidden(said[-1] if said else f"{run_id} was not resumed (exit {code})")
    return f"{run_id} goes on"


__all__ = ["AgentctlError", "resume"]
