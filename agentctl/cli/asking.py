"""A yes or no from whoever sits at the terminal."""

from __future__ import annotations

import sys

from agentctl.errors import Usage


def agreed(question: str) -> bool:
    """Whether the person at this terminal says yes; Enter alone is no.

    Raises:
        Usage: nobody can be asked here.
    """
    from agentctl.approvals.terminal import can_ask

    if not can_ask():
        raise Usage(f"nobody sits at a terminal here to be asked: {question}", hint="Add --yes.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
