"""What a call of `write_file` or `edit_file` would make of its file as it stands now: for people, before they say yes.

Nothing is written, and nothing is promised: an approval is bound to the file as it was seen here.
"""

from __future__ import annotations

import os
import stat

from agentctl.core.contract import Change
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.tools.builtin.edit_file import in_style
from agentctl.tools.builtin.writing import MOST
from agentctl.tools.confine import Roots
from agentctl.tools.placing import Place


def of_write(roots: Roots, args: JsonObject) -> Change | None:
    """The whole of the file is replaced; None: the call itself will say why not."""
    path, text = args.get("path"), args.get("text")
    if not isinstance(path, str) or not isinstance(text, str):
        return None
    before, unread = _before(roots, path)
    return Change(path, before, text, unread)


def of_edit(roots: Roots, args: JsonObject) -> Change | None:
    """One piece of the file is replaced; where the call will say why not, the file as it is."""
    path, old, new = (args.get(key) for key in ("path", "old", "new"))
    if not (isinstance(path, str) and isinstance(old, str) and isinstance(new, str) and old):
        return None
    before, unread = _before(roots, path)
    text = (before or b"").decode(errors="replace")
    old, new = in_style(text, old, new)
    return Change(path, before, text.replace(old, new, 1) if text.count(old) == 1 else text, unread)


def _before(roots: Roots, path: str) -> tuple[bytes | None, str]:
    """The file as it is, and why it can't be shown; None without a reason: there is no such file."""
    place = roots.place(path)
    if isinstance(place, Envelope):
        return None, ""
    try:
        return _read(place)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"it can't be read ({error.strerror})"
    finally:
        os.close(place.folder)


def _read(place: Place) -> tuple[bytes | None, str]:
    if place.missing:
        return None, ""
    with os.fdopen(place.opened(), "rb") as file:
        info = os.fstat(file.fileno())
        if stat.S_ISREG(info.st_mode) and info.st_size <= MOST:
            return file.read(MOST), ""
    kind = "" if stat.S_ISREG(info.st_mode) else "no ordinary file, "
    return None, f"{kind}{info.st_size:,} bytes, changed {info.st_ctime_ns}, number {info.st_ino}"
