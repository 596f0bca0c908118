"""`agentctl trace --html`: the page of a run, in a file of its own."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentctl.core.events import Stamped
    from agentctl.core.policy import Policy

STDOUT = "-"


def made(events: Sequence[Stamped], policy: Policy | None) -> bytes:
    """The page of a run."""
    from agentctl.approvals.printable import printable
    from agentctl.core import tracepage
    from agentctl.telemetry.page import render

    return render(tracepage.page(events, policy), printable).encode()


def write(page: bytes, name: str, flag: str = "--html") -> Path | None:
    """Put a page where the flag wanted it, for its owner alone; where that is, or None: on stdout.

    Raises:
        Usage: nothing can be written there, or it is there and is no regular file.
    """
    if name == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
        return None
    target = target_of(name, flag)
    part = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(page)
        part.replace(target)
    except (OSError, ValueError) as error:
        raise _unwritable(name, flag, error) from None
    finally:
        with suppress(OSError, ValueError):  # where nothing can be written it does not hide what was said
            part.unlink()
    return target


def target_of(name: str, flag: str = "--html") -> Path:
    """Where a link leads, so that the link stays one.

    Raises:
        Usage: it is there and is no regular file.
    """
    try:
        target = Path(name).resolve()
        wrong = target.exists() and not target.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise _unwritable(name, flag, error) from None
    if wrong:
        what = "a folder" if target.is_dir() else "no regular file"
        raise Usage(f"{flag} {name}: it is {what}: nothing was written", hint="Name a file, or - for stdout.")
    return target


def _unwritable(name: str, flag: str, error: Exception) -> Usage:
    said = getattr(error, "strerror", None) or error
    return Usage(f"{flag} {name}: {said}", hint="Name a file in a folder that you can write to, or - for stdout.")
