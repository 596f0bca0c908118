"""What a call of `write_file` or `edit_file` would make of its file as it stands now: for people, before they say yes.

Nothing is written, and nothing is promised: an approval is bound to the file as it was seen here.
"""

from __future__ import annotations

import os
import stat

from agentctl.core.contract import Change
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.tools.builtin.writing import MOST
from agentctl.tools.confine import Roots
from agentctl.tools.placing import Place


def of_write(roots: Roots, args: JsonObject) -> Change | None:
    """The whole of the file is replaced; None: the call itself will say why not."""
    path, text = args.get("path"), args.get("text")
    if not isinstance(path, str) or not isinstance(text, str):
        return None
    return Change(path, _before(roots, path), text)


def of_edit(roots: Roots, args: JsonObject) -> Change | None:
    """One piece of the file is replaced; None: the call itself will say why not."""
    path, old, new = (args.get(key) for key in ("path", "old", "new"))
    if not (isinstance(path, str) and isinstance(old, str) and isinstance(new, str) and old):
        return None
    before = _before(roots, path)
    if before is None:
        return None
    text = before.decode(errors="replace")
    if "\r\n" in text:
        old, new = (each.replace("\r\n", "\n").replace("\n", "\r\n") for each in (old, new))
    return Change(path, before, text.replace(old, new, 1)) if text.count(old) == 1 else None


def _before(roots: Roots, path: str) -> bytes | None:
    """The file as it is; None: there is none that could be read."""
    place = roots.place(path)
    if isinstance(place, Envelope):
        return None
    try:
        return _read(place)
    except OSError:
        return None
    finally:
        os.close(place.folder)


def _read(place: Place) -> bytes | None:
    if place.missing:
        return None
    with os.fdopen(place.opened(), "rb") as file:
        info = os.fstat(file.fileno())
        return file.read(MOST) if stat.S_ISREG(info.st_mode) and info.st_size <= MOST else None
