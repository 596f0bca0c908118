"""What `write_file` and `edit_file` share: what may be replaced, what a failure is called, and giving up in time."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
import unicodedata
from collections.abc import Callable

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.tools.confine import not_ordinary, shown
from agentctl.tools.placing import Place

MOST = 10_000_000
"""Bytes of a file that is written."""
ANYONE_WRITES = 0o222
UNSEEN = ("Cc", "Cs", "Zl", "Zp")
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

StillWanted = Callable[[], bool]


async def in_time(work: Callable[[StillWanted], Envelope], timeout_s: float) -> Envelope:
    """Beside the loop. When the time is up or the call is cancelled, nothing is put in its place any more."""
    given_up = threading.Event()
    try:
        return await asyncio.wait_for(asyncio.to_thread(work, lambda: not given_up.is_set()), timeout_s)
    except TimeoutError:
        return envelope.timed_out(timeout_s)
    finally:
        given_up.set()


def irreplaceable(path: str, place: Place, before: os.stat_result | None) -> Envelope | None:
    """Why what stands there is not replaced, or why nothing may be made under that name; None where it may."""
    if before is None:
        new = "".join((*place.missing, place.name))
        odd = any(unicodedata.category(each) in UNSEEN or each in TURNING for each in new)
        return (
            envelope.permanent(f"'{shown(path)}' is not a valid path: a character in it can't be seen.")
            if odd
            else None
        )
    if stat.S_ISLNK(before.st_mode):
        return envelope.forbidden(f"'{shown(path)}' is a link, and nothing is written through links")
    if problem := not_ordinary(path, before):
        return problem
    # Renaming asks the folder alone; who marked a file read-only meant its content.
    if not before.st_mode & ANYONE_WRITES or not os.access(place.name, os.W_OK, dir_fd=place.folder):
        return envelope.forbidden(f"'{shown(path)}' is read-only")
    return None


def unwritten(path: str, error: OSError) -> Envelope:
    """The operating system said no; the old file is as it was."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return envelope.forbidden(f"'{shown(path)}' may not be written")
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR):
        return envelope.forbidden(f"'{shown(path)}' changed while it was written")
    return envelope.permanent(f"'{shown(path)}' could not be written: {error.strerror}. The file is as it was.")
