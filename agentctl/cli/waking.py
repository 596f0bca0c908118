"""`resume` in a process of its own, for a monitor: it goes on whatever becomes of the screen."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from agentctl import ownkeys
from agentctl.cli import detached
from agentctl.errors import Forbidden

HEARD_S = 3.0
"""For what keeps it from beginning to be said."""


def resume(run_id: str, store: str | None, user: str) -> str:
    """Go on with a run in the name of whoever watches, for whom its questions stand; one line about it.

    Raises:
        Forbidden: it ended at once, and said this.
    """
    into = detached.files()
    command = [sys.executable, "-m", "agentctl", "resume", run_id, "--attended", "--user", user]
    with into.out.open("ab") as out, into.log.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 -- this very program
            [*command, *(["--store", store] if store else [])],
            env=ownkeys.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + HEARD_S
    while time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.05)
    code = child.poll()
    if code in {2, 3, 20}:  # it never began
        said = into.log.read_text("utf-8", "replace").strip().splitlines()
        into.remove()
        raise Forbidden(said[0] if said else f"{run_id} was not resumed (exit {code})")
    if code is not None:
        return f"{run_id} went on, and rests or has ended"
    threading.Thread(target=child.wait, daemon=True).start()  # so that nothing is left of it when it ends
    return f"{run_id} goes on"
