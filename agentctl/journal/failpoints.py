"""Named places where a test may kill the process: `AGENTCTL_FAILPOINT=name:N` dies at the Nth passage.

Death is SIGKILL: nothing is flushed, no handler runs, as when the power of the process is cut. Off, a point costs one
comparison. Names are unique in the program; tests find them by reading the source.
"""

from __future__ import annotations

import os
import signal

_name, _, _count = os.environ.get("AGENTCTL_FAILPOINT", "").partition(":")
_left = int(_count or "1") if _name else 0


def failpoint(name: str) -> None:
    """Die here when this is the armed passage."""
    if _left and name == _name:
        _pass()


def _pass() -> None:
    global _left  # noqa: PLW0603  # the countdown of this process
    _left -= 1
    if not _left:
        os.kill(os.getpid(), signal.SIGKILL)
